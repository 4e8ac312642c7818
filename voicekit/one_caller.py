"""One caller at a time: what two threads may not enter at once says so, in plain Python."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from .errors import LocalProtocolError

__all__ = ["Turn", "one_caller"]

P = ParamSpec("P")
R = TypeVar("R")


class Turn:
    """Held by the thread that is inside. The same thread may come in again."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def take(self, owner: object, call: str) -> None:
        """Take the turn, or raise `LocalProtocolError`: waiting would hide the mistake."""
        if not self._lock.acquire(blocking=False):
            raise LocalProtocolError(
                f"{call}: another thread is in the same {type(owner).__name__} at this moment;"
                " call it from one thread, that of your event loop"
            )

    def give_back(self) -> None:
        """Let the next one in."""
        self._lock.release()


class _HasTurn(Protocol):
    _turn: Turn


S = TypeVar("S", bound=_HasTurn)


def one_caller(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Make ``method`` raise `LocalProtocolError` while another thread is in such a method."""

    @wraps(method)
    def turn(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        self._turn.take(self, method.__name__)
        try:
            return method(self, *args, **kwargs)
        finally:
            self._turn.give_back()

    return turn
