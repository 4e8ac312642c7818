"""A pacer in a task of asyncio."""

import asyncio
from collections.abc import Awaitable, Callable

from ..driver import loop_pacer
from .loop import LOOP

__all__ = ["LoopPacer"]


class LoopPacer(loop_pacer.LoopPacer):
    """Sends for whatever is no socket of the operating system."""

    loop = LOOP

    def __init__(self) -> None:
        super().__init__()
        self._task: asyncio.Task[None] | None = None

    def _spawn(self, task: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await task()

        self._task = asyncio.get_running_loop().create_task(run())
        self._task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._task = None
