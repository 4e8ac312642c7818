"""Running a command's coroutine, and ending it with a signal."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, TypeVarTuple

import trio

from ..trio.pump import beside

__all__ = ["Interruption", "interruptible", "run"]

#: What shells make of a program that Ctrl-C ended: 128 and the number of SIGINT.
INTERRUPTED = 130

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


def run(command: Callable[[*Ts], Awaitable[T]], *arguments: *Ts) -> T:
    """`trio.run`, except that what a nursery wraps comes out bare: it becomes one line."""
    try:
        return trio.run(command, *arguments)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


class Interruption:
    """Whether a signal has ended the block, and the exit code that follows."""

    def __init__(self) -> None:
        self.happened = False

    @property
    def exit_code(self) -> int:
        """130 after a signal, else 0."""
        return INTERRUPTED if self.happened else 0


@asynccontextmanager
async def interruptible() -> AsyncIterator[Interruption]:
    """Let SIGINT and SIGTERM cancel the block, which then leaves its call properly."""
    interruption = Interruption()
    with (
        trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals,
        trio.CancelScope() as scope,
    ):

        async def watch() -> None:
            async for _ in signals:
                interruption.happened = True
                scope.cancel()

        async with beside(watch):
            yield interruption
