"""asyncio, as the common half of the drivers knows an event loop."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from .threads import in_thread

__all__ = [
    "LOOP",
    "AsyncioLoop",
    "ClosedResourceError",
    "EndOfChannel",
    "Parking",
    "can_add_reader",
]

T = TypeVar("T")
K = TypeVar("K")

_made: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Callable[[], Any], Any]]
_made = WeakKeyDictionary()


class EndOfChannel(Exception):
    """Nothing more comes: ``async for`` ends there, and ``receive`` raises it."""


class ClosedResourceError(Exception):
    """It was closed on our own side."""


class Parking:
    """Tasks that wait until they are unparked, first come first."""

    def __init__(self) -> None:
        # In order, and to be left from the middle.
        self._parked: dict[asyncio.Future[None], None] = {}

    def __bool__(self) -> bool:
        return bool(self._parked)

    async def park(self) -> None:
        """Wait until unparked."""
        await self._park(asyncio.get_running_loop().create_future())

    async def park_until(self, deadline: float) -> None:
        """Wait until unparked, or until ``deadline``."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        timer = loop.call_at(deadline, _wake, future) if deadline != float("inf") else None
        try:
            await self._park(future)
        finally:
            if timer is not None:
                timer.cancel()

    def unpark(self, *, count: int = 1) -> None:
        """Wake the ``count`` that wait longest."""
        for future in list(self._parked)[:count]:
            del self._parked[future]
            _wake(future)

    def unpark_all(self) -> None:
        """Wake everybody."""
        self.unpark(count=len(self._parked))

    async def _park(self, future: asyncio.Future[None]) -> None:
        self._parked[future] = None
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.unpark()  # it was woken for something, which another has to see to now
            raise
        finally:
            self._parked.pop(future, None)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class AsyncioLoop:
    """`voicekit.driver.loop.Loop`: of whichever event loop runs."""

    end_of_channel = EndOfChannel
    closed_resource = ClosedResourceError
    from_thread = "loop.call_soon_threadsafe, or asyncio.run_coroutine_threadsafe"
    waiting = Parking

    def now(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

    async def checkpoint(self) -> None:
        """Let others have their turn."""
        await asyncio.sleep(0)

    # What is there is taken without a turn for others, as everywhere in asyncio.

    async def checkpoint_if_cancelled(self) -> None:
        """Do nothing: asyncio cancels where a task waits."""

    async def cancel_shielded_checkpoint(self) -> None:
        """Do nothing."""

    def only(self, kind: Callable[[], K]) -> K:
        """Return the one object of a class that this event loop has."""
        made = _made.setdefault(asyncio.get_running_loop(), {})
        if kind not in made:
            made[kind] = kind()
        return cast(K, made[kind])

    async def in_thread(self, call: Callable[..., T], *args: object) -> T:
        """Call in a thread of the loop's executor."""
        return await in_thread(call, *args)


LOOP = AsyncioLoop()


def can_add_reader() -> bool:
    """Whether the event loop calls us when a socket has something: all but the Proactor do."""
    loop = type(asyncio.get_running_loop())
    return loop.add_reader is not asyncio.AbstractEventLoop.add_reader
