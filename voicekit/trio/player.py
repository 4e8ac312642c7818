"""The player's tasks and threads, in trio."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from ..driver import player
from ..media.player import PlayerEvent
from .feeder import Feeder
from .loop import LOOP
from .loop_pacer import LoopPacer

if TYPE_CHECKING:
    from .voice import Voice

__all__ = ["Player", "PlayerEvents"]


class PlayerEvents(player.PlayerEvents, trio.abc.ReceiveChannel[PlayerEvent]):
    """`voicekit.driver.player.PlayerEvents`."""

    loop = LOOP


class Player(player.Player):
    """`voicekit.driver.player.Player`."""

    _loop = LOOP
    _events_type = PlayerEvents
    _feeder_type = Feeder
    _loop_pacer_type = LoopPacer

    def __init__(self, call: "Voice") -> None:
        super().__init__(call)
        self._token = trio.lowlevel.current_trio_token()

    # KeyboardInterrupt belongs to the owner of the call, who then leaves properly.
    _run = trio.lowlevel.enable_ki_protection(player.Player._run)
    _read = trio.lowlevel.enable_ki_protection(player.Player._read)
    _read_input = trio.lowlevel.enable_ki_protection(player.Player._read_input)

    async def _in_thread(self, act: Callable[[], object], patience: float | None = None) -> bool:
        if patience is None:
            await trio.to_thread.run_sync(act)
            return True
        with trio.move_on_after(patience) as scope:
            await trio.to_thread.run_sync(act, abandon_on_cancel=True)
        return not scope.cancelled_caught

    async def _shielded(self, wait: Callable[[], Awaitable[object]], patience: float) -> None:
        with trio.move_on_after(patience, shield=True):
            await wait()

    def _call_soon(self, act: Callable[[], object]) -> None:
        self._token.run_sync_soon(act, idempotent=True)
