"""What the common half of a driver asks of its event loop."""

from collections.abc import Callable
from typing import Protocol, TypeVar

__all__ = ["Loop", "Waiting"]

T = TypeVar("T")
K = TypeVar("K")


class Waiting(Protocol):
    """Tasks that wait until somebody tells them that something has changed, first come first.

    Who is cancelled when it was just woken passes that on, or has it still: no wake-up is lost.
    """

    def __bool__(self) -> bool:
        """Whether anybody waits."""

    async def park(self) -> None:
        """Wait until woken."""

    async def park_until(self, deadline: float) -> None:
        """Wait until woken, or until the loop's clock has come to ``deadline``."""

    def unpark(self, *, count: int = 1) -> object:
        """Wake the ``count`` that wait longest."""

    def unpark_all(self) -> object:
        """Wake everybody."""


class Loop(Protocol):
    """An event loop: its clock, its waiting, and what its users expect of an iterator."""

    @property
    def end_of_channel(self) -> type[Exception]:
        """Raised by ``receive`` after the last item."""

    @property
    def closed_resource(self) -> type[Exception]:
        """Raised by ``receive`` of what was closed."""

    @property
    def from_thread(self) -> str:
        """The name of what calls a function in the loop, from another thread."""

    def now(self) -> float:
        """Return the time of the loop's clock, in seconds."""

    def waiting(self) -> Waiting:
        """Return a place to wait."""

    async def checkpoint(self) -> None:
        """Let others have their turn, and be cancelled."""

    async def checkpoint_if_cancelled(self) -> None:
        """Be cancelled, if that was asked for; before something was taken."""

    async def cancel_shielded_checkpoint(self) -> None:
        """Let others have their turn, after something was taken."""

    def only(self, kind: Callable[[], K]) -> K:
        """Return the one object of a class that this run of the event loop has."""
        raise NotImplementedError

    async def in_thread(self, call: Callable[..., T], *args: object) -> T:
        """Return what ``call(*args)`` returns, called in a worker thread.

        Who is cancelled meanwhile waits for it no longer; it goes on by itself.
        """
        raise NotImplementedError
