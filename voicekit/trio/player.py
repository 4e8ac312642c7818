"""The player's tasks and threads, in trio."""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from ..driver import player
from ..media.player import PlayerEvent, Track
from ..pacer import Stream
from .feeder import feeder
from .loop import LOOP
from .loop_pacer import loop_pacer, way_of

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

    _call: "Voice"

    def __init__(self, call: "Voice") -> None:
        super().__init__(call)
        self._token = trio.lowlevel.current_trio_token()

    # KeyboardInterrupt belongs to the owner of the call, who then leaves properly.
    @trio.lowlevel.enable_ki_protection
    async def _run(self) -> None:
        await super()._run()

    @trio.lowlevel.enable_ki_protection
    async def _read(self, track: Track) -> None:
        await super()._read(track)

    def _spawn(self, task: Callable[..., Awaitable[None]], *arguments: object) -> None:
        self._call._driver.start_soon(task, *arguments)

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

    def _open_stream(self) -> Stream:
        way = way_of(self._call._socket)
        pacer = self._call._pacer if isinstance(way, int) else loop_pacer()
        # The one place where the connection's clock meets the pacer's.
        offset = trio.current_time() - time.monotonic() if isinstance(way, int) else 0.0
        notifier = feeder().enter()
        try:
            return pacer.add(
                self._connection,
                way,
                depth=self.ring,
                policy=self.late,
                clock_offset=offset,
                notifier=notifier,
                owner=self,
            )
        except BaseException:
            feeder().leave()
            raise

    def _close_stream(self) -> None:
        feeder().leave()

    def _rebind(self, stream: Stream) -> None:
        stream.rebind(way_of(self._call._socket))
