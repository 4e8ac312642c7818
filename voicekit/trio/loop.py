"""trio, as the common half of the drivers knows an event loop."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

import trio

__all__ = ["LOOP", "Occasion", "Parking", "TrioLoop"]

T = TypeVar("T")
K = TypeVar("K")

_made: trio.lowlevel.RunVar[dict[Callable[[], Any], Any]] = trio.lowlevel.RunVar("voicekit.trio")


class Parking:
    """A parking lot that may be left at a time.

    A call has several, and in most nobody ever waits: those have no lot.
    """

    __slots__ = ("_lot",)

    def __init__(self) -> None:
        self._lot: trio.lowlevel.ParkingLot | None = None

    def __bool__(self) -> bool:
        return bool(self._lot)

    def park(self) -> Coroutine[Any, Any, None]:
        """Wait until unparked."""
        if self._lot is None:
            self._lot = trio.lowlevel.ParkingLot()
        return self._lot.park()

    async def park_until(self, deadline: float) -> None:
        """Wait until unparked, or until ``deadline``."""
        with trio.move_on_at(deadline):
            await self.park()

    def unpark(self, *, count: int = 1) -> None:
        """Wake the ``count`` that wait longest."""
        if self._lot:
            self._lot.unpark(count=count)

    def unpark_all(self) -> None:
        """Wake everybody."""
        if self._lot:
            self._lot.unpark_all()


class Occasion:
    """A `trio.Event` that takes no memory while nobody waits, nor when it is over.

    A call has several, and a program may have thousands of calls.
    """

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        self._event: trio.Event | None = None

    def is_set(self) -> bool:
        """Whether it has come."""
        return self._is_set

    def set(self) -> None:
        """Say that it has come, to whoever waits."""
        self._is_set = True
        event, self._event = self._event, None
        if event is not None:
            event.set()

    async def wait(self) -> None:
        """Wait until it has come. Like all of trio's, a checkpoint."""
        if self._is_set:
            await trio.lowlevel.checkpoint()
            return
        if self._event is None:
            self._event = trio.Event()
        await self._event.wait()


class TrioLoop:
    """`voicekit.driver.loop.Loop`."""

    end_of_channel = trio.EndOfChannel
    closed_resource = trio.ClosedResourceError
    from_thread = "trio.from_thread.run_sync"
    now = staticmethod(trio.current_time)
    waiting = Parking
    checkpoint = staticmethod(trio.lowlevel.checkpoint)
    checkpoint_if_cancelled = staticmethod(trio.lowlevel.checkpoint_if_cancelled)
    cancel_shielded_checkpoint = staticmethod(trio.lowlevel.cancel_shielded_checkpoint)

    def only(self, kind: Callable[[], K]) -> K:
        """Return the one object of a class that this trio run has."""
        try:
            made = _made.get()
        except LookupError:
            made = {}
            _made.set(made)
        if kind not in made:
            made[kind] = kind()
        return cast(K, made[kind])

    async def in_thread(self, call: Callable[..., T], *args: object) -> T:
        """Call in a worker thread of trio's."""
        return await trio.to_thread.run_sync(call, *args, abandon_on_cancel=True)


LOOP = TrioLoop()
