"""What a call reports, as bounded iterators that never hold the call up."""

import threading
from abc import abstractmethod
from collections.abc import Callable
from copy import copy
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

from ..errors import CallClosed, LocalProtocolError, VoicekitError
from ..events import AudioFrame, Closed, Event, NeedNewSession, WaitingForUpdate
from .loop import Loop

__all__ = ["EventStream", "FrameStream", "Queue", "Stream", "error_of"]

T = TypeVar("T")

#: Events after which the host must act, or never can again: they are not pushed out.
_LASTING = (Closed, NeedNewSession, WaitingForUpdate)


def error_of(closed: Closed) -> VoicekitError:
    """Return an exception to raise for ``closed``: a new one, as several tasks may raise it."""
    if closed.error is None:
        return CallClosed(closed.why, closed.code)
    return copy(closed.error)


class Stream(Generic[T]):
    """Items that are waited for: ``async for`` over it, or `receive`.

    Several tasks may share one; each item goes to one.
    """

    #: Whose tasks wait here.
    loop: ClassVar[Loop]

    def __init__(self, forget: Callable[[Any], None]) -> None:
        self._forget = forget
        self._thread = threading.get_ident()
        self._waiting = self.loop.waiting()
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.receive()
        except self.loop.end_of_channel:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def receive(self) -> T:
        """Wait for the next item.

        Raises ``EndOfChannel`` after the last one, or what the call failed with, and
        ``ClosedResourceError`` when this iterator was closed: those of `trio`, or of
        `voicekit.aio`. Cancelling loses nothing.
        """
        await self.loop.checkpoint_if_cancelled()
        if (item := self._next()) is not None:
            await self.loop.cancel_shielded_checkpoint()
            return item
        if threading.get_ident() != self._thread:
            raise LocalProtocolError("an iterator belongs to the thread of its call")
        # Who has waited has let others have their turn.
        while item is None:
            await self._wait()
            item = self._next()
        return item

    async def aclose(self) -> None:
        """Stop listening; the call goes on. Idempotent."""
        self._closed = True
        self._forget(self)
        self._waiting.unpark_all()
        await self.loop.checkpoint()

    async def _wait(self) -> None:
        """Wait until there may be an item."""
        await self._waiting.park()

    def _next(self) -> T | None:
        """Return the next item; None: there is none yet. Raises when there never will be."""
        if self._closed:
            raise self.loop.closed_resource("this iterator was closed")
        return self._take_one()

    @abstractmethod
    def _take_one(self) -> T | None:
        """`_next`, of one that was not closed."""


class Queue(Stream[T]):
    """A queue with room for ``size`` items; what comes when it is full pushes out the oldest."""

    def __init__(self, size: int, forget: Callable[[Any], None]) -> None:
        super().__init__(forget)
        #: Items that were pushed out, because they were not taken in time.
        self.dropped = 0
        self.resize(size)
        self._items: list[T] = []
        self._ended = False

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

    def take(self) -> list[T]:
        """Return all that waits, oldest first, without waiting for more.

        One task can look after thousands of calls with it, now and then; the end of the call
        shows in `Voice.closed`.
        """
        items, self._items = self._items, []
        return items

    async def aclose(self) -> None:
        """Stop listening; the call goes on. Idempotent."""
        self._items.clear()
        await super().aclose()

    def _take_one(self) -> T | None:
        if self._items:
            return self._items.pop(0)
        if self._ended:
            self._raise_end()
        return None

    def _end(self) -> None:
        self._ended = True
        self._waiting.unpark_all()

    def _raise_end(self) -> None:
        raise self.loop.end_of_channel

    def _make_room(self) -> None:
        self._items.pop(0)


class FrameStream(Queue[AudioFrame]):
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

    def put_event(self, event: Event) -> None:
        """Take no notice: events have a stream of their own."""

    def end(self, closed: Closed) -> None:
        """Add nothing more: for the call, not for its users."""
        self._reason = closed
        self._end()

    def _raise_end(self) -> None:
        if self._reason.error is not None:
            raise error_of(self._reason)
        super()._raise_end()


class EventStream(Queue[Event]):
    """Everything else that happens. Ends after `Closed`, which says how the call ended."""

    def put(self, item: Event) -> None:
        """Add one event: for the call, not for its users. Nothing follows `Closed`."""
        if self._ended:
            return
        super().put(item)
        if type(item) is Closed:
            self._end()

    def _make_room(self) -> None:
        for index, event in enumerate(self._items):
            if not isinstance(event, _LASTING):
                del self._items[index]
                return
        super()._make_room()
