"""The player's tasks and threads, in asyncio."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..driver import player
from ..media.player import EndReason
from .feeder import Feeder
from .loop import LOOP
from .loop_pacer import LoopPacer
from .pump import outlast
from .threads import in_thread

if TYPE_CHECKING:
    from .voice import Voice

__all__ = ["Player", "PlayerEvents"]


class PlayerEvents(player.PlayerEvents):
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
        self._event_loop = asyncio.get_running_loop()

    async def _cancelled(self) -> None:
        # `asyncio.run` cancels all tasks at once, and then waits for them.
        self._end_all(EndReason.CALL_ENDED)
        await self._fall_silent()

    async def _in_thread(self, act: Callable[[], object], patience: float | None = None) -> bool:
        future = in_thread(act)
        if patience is None:
            await outlast(future)
        else:
            await asyncio.wait((future,), timeout=None if patience == math.inf else patience)
        if not future.done():
            future.cancel()
            return False
        future.result()
        return True

    async def _shielded(self, wait: Callable[[], Awaitable[object]], patience: float) -> None:
        async def bounded() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await wait()

        await outlast(self._event_loop.create_task(bounded()))

    def _call_soon(self, act: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the event loop has ended, and all calls with it
            self._event_loop.call_soon_threadsafe(act)
