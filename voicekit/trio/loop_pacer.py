"""A pacer in a task of trio."""

from collections.abc import Awaitable, Callable

import trio

from ..driver import loop_pacer
from .loop import LOOP

__all__ = ["LoopPacer"]


class LoopPacer(loop_pacer.LoopPacer):
    """Sends for whatever is no socket of the operating system."""

    loop = LOOP

    def _spawn(self, task: Callable[[], Awaitable[None]]) -> None:
        trio.lowlevel.spawn_system_task(task)
