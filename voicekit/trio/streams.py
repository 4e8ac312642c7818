"""What a call reports, as bounded iterators that never hold the call up."""

from collections.abc import Callable
from copy import copy
from typing import Any, TypeVar

import trio

from ..errors import CallClosed, VoicekitError
from ..events import AudioFrame, Closed, Event, NeedNewSession, WaitingForUpdate

__all__ = ["EventStream", "FrameStream", "error_of"]

T = TypeVar("T")

#: Events after which the host must act, or never can again: they are not pushed out.
_LASTING = (Closed, NeedNewSession, WaitingForUpdate)


def error_of(closed: Closed) -> VoicekitError:
    """Return an exception to raise for ``closed``: a new one, as several tasks may raise it."""
    if closed.error is None:
        return CallClosed(closed.why, closed.code)
    return copy(closed.error)


class _Stream(trio.abc.ReceiveChannel[T]):
    """A queue with room for ``size`` items; what comes when it is full pushes out the oldest.

    ``async for`` over it, or `receive`. Several tasks may share one; each item goes to one.
    """

    def __init__(self, size: int, forget: Callable[[Any], None]) -> None:
        #: Items that were pushed out, because they were not taken in time.
        self.dropped = 0
        self.resize(size)
        self._forget = forget
        self._items: list[T] = []
        self._waiting = trio.lowlevel.ParkingLot()
        self._ended = False
        self._closed = False

    def resize(self, size: int) -> None:
        """Keep ``size`` items from now on."""
        if size < 1:
            raise ValueError("an iterator needs room for at least one item")
        self._size = size

    def put(self, item: T) -> None:
        """Add one item: for the call, not for its users."""
        while len(self._items) >= self._size:
            self._make_room()
            self.dropped += 1
        self._items.append(item)
        self._waiting.unpark()

    async def receive(self) -> T:
        """Wait for the next item.

        Raises `trio.EndOfChannel` after the last one, and `trio.ClosedResourceError` when
        this iterator was closed. Cancelling loses nothing.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            if self._closed:
                raise trio.ClosedResourceError("this iterator was closed")
            if self._items:
                item = self._items.pop(0)
                break
            if self._ended:
                self._raise_end()
            await self._waiting.park()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return item

    def take(self) -> list[T]:
        """Return all that waits, oldest first, without waiting for more.

        One task can look after thousands of calls with it, now and then; the end of the call
        shows in `Voice.closed`.
        """
        items, self._items = self._items, []
        return items

    async def aclose(self) -> None:
        """Stop listening; the call goes on. Idempotent."""
        self._closed = True
        self._items.clear()
        self._forget(self)
        self._waiting.unpark_all()
        await trio.lowlevel.checkpoint()

    def _end(self) -> None:
        self._ended = True
        self._waiting.unpark_all()

    def _raise_end(self) -> None:
        raise trio.EndOfChannel

    def _make_room(self) -> None:
        self._items.pop(0)


class FrameStream(_Stream[AudioFrame]):
    """The audio of everybody, frame by frame. When the call fails, its error is raised here."""

    def put_many(self, frames: list[AudioFrame]) -> None:
        """Add several, in order: for the call, not for its users."""
        if len(self._items) + len(frames) > self._size:
            for frame in frames:
                self.put(frame)
        else:
            self._items.extend(frames)
            if self._waiting:
                self._waiting.unpark(count=len(frames))

    def end(self, closed: Closed) -> None:
        """Add nothing more: for the call, not for its users."""
        self._reason = closed
        self._end()

    def _raise_end(self) -> None:
        if self._reason.error is not None:
            raise error_of(self._reason)
        super()._raise_end()


class EventStream(_Stream[Event]):
    """Everything else that happens. Ends after `Closed`, which says how the call ended."""

    def put(self, item: Event) -> None:
        """Add one event: for the call, not for its users."""
        super().put(item)
        if type(item) is Closed:
            self._end()

    def _make_room(self) -> None:
        for index, event in enumerate(self._items):
            if not isinstance(event, _LASTING):
                del self._items[index]
                return
        super()._make_room()
