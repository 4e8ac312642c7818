"""Running a command's coroutine."""

from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

import trio

__all__ = ["run"]

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
