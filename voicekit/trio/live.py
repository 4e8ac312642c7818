"""Listening to a call, as iterators: what is due comes when it is due.

No task runs behind one. The call hands in frames, whoever reads keeps the time, and what is
decoded is decoded there.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import trio

from ..events import AudioFrame, Closed, Event
from ..stats import JitterStats
from .streams import error_of

__all__ = ["LiveStream"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Listener(Protocol[T_co]):
    """What `Ticker`, `Utterances` and `OneUser` have in common."""

    @property
    def dropped(self) -> int:
        """What was not polled in time."""

    @property
    def is_over(self) -> bool:
        """Whether no more will come than what `poll` still has."""

    def receive_frame(self, frame: AudioFrame) -> None:
        """Take a frame."""

    def receive_event(self, event: Event, now: float) -> None:
        """Take an event."""

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due."""

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""

    def poll(self) -> T_co | None:
        """Return the next item, or None."""

    def finish(self, now: float) -> None:
        """The call is over."""

    def stats(self) -> dict[int, JitterStats]:
        """Return what the buffers have counted."""


class LiveStream(trio.abc.ReceiveChannel[T]):
    """What `Voice.ticks`, `Voice.speech` and `Voice.listen` return: ``async for``, or `receive`.

    It keeps as much as it was made for, then drops the oldest. Several tasks may share one;
    each item goes to one.
    """

    def __init__(self, engine: Listener[T], forget: Callable[[Any], None]) -> None:
        self._engine = engine
        self._forget = forget
        self._waiting = trio.lowlevel.ParkingLot()
        self._armed = math.inf
        self._reason: Closed | None = None
        self._error: Exception | None = None
        self._closed = False

    @property
    def dropped(self) -> int:
        """Items that were pushed out, because they were not taken in time."""
        return self._engine.dropped

    def stats(self) -> dict[int, JitterStats]:
        """Return what the jitter buffer of each user has counted."""
        return self._engine.stats()

    async def receive(self) -> T:
        """Wait for the next item.

        Raises `trio.EndOfChannel` after the last one, or what the call failed with; what a
        user filter raised; and `trio.ClosedResourceError` when this iterator was closed.
        Cancelling loses nothing.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        while (item := self._next()) is None:
            due = self._engine.next_timeout()
            self._armed = math.inf if due is None else due
            with trio.move_on_at(self._armed):
                await self._waiting.park()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return item

    def take(self) -> list[T]:
        """Return all that is due, oldest first, without waiting for more."""
        items = []
        if not self._engine.is_over:
            self._engine.handle_timeout(trio.current_time())
        while (item := self._engine.poll()) is not None:
            items.append(item)
        return items

    async def aclose(self) -> None:
        """Stop listening; the call goes on. Idempotent."""
        self._closed = True
        self._forget(self)
        self._waiting.unpark_all()
        await trio.lowlevel.checkpoint()

    def put(self, frame: AudioFrame) -> None:
        """Add one frame: for the call, not for its users."""
        self.put_many([frame])

    def put_many(self, frames: list[AudioFrame]) -> None:
        """Add several, in order: for the call, not for its users."""
        if self._error is not None or self._engine.is_over:
            return
        try:
            for frame in frames:
                self._engine.receive_frame(frame)
        except Exception as error:  # of a user filter: it ends this iterator, and not the call
            self._error = error
            self._waiting.unpark_all()
            return
        self._rearm()

    def put_event(self, event: Event) -> None:
        """Tell it what happened: for the call, not for its users."""
        if not self._engine.is_over:
            self._engine.receive_event(event, trio.current_time())
            self._rearm()

    def end(self, closed: Closed) -> None:
        """Add nothing more: for the call, not for its users."""
        self._reason = closed
        if not self._engine.is_over:
            self._engine.finish(trio.current_time())
        self._waiting.unpark_all()

    def _rearm(self) -> None:
        due = self._engine.next_timeout()
        if due is not None and due < self._armed:
            self._armed = due
            self._waiting.unpark_all()

    def _next(self) -> T | None:
        if self._closed:
            raise trio.ClosedResourceError("this iterator was closed")
        if not self._engine.is_over:
            self._engine.handle_timeout(trio.current_time())
        item = self._engine.poll()
        if item is not None:
            return item
        if self._error is not None:
            raise self._error
        if self._engine.is_over:
            self._forget(self)
            self._waiting.unpark_all()  # the others are to see it, too
            if self._reason is not None and self._reason.error is not None:
                raise error_of(self._reason)
            raise trio.EndOfChannel
        return None
