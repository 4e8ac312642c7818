"""trio, as the common half of the drivers knows an event loop."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import trio

__all__ = ["LOOP", "Parking", "TrioLoop"]

T = TypeVar("T")
K = TypeVar("K")

_made: trio.lowlevel.RunVar[dict[Callable[[], Any], Any]] = trio.lowlevel.RunVar("voicekit.trio")


class Parking:
    """A parking lot that may be left at a time."""

    def __init__(self) -> None:
        lot = trio.lowlevel.ParkingLot()
        self.park = lot.park
        self.unpark = lot.unpark
        self.unpark_all = lot.unpark_all
        self._lot = lot

    def __bool__(self) -> bool:
        return bool(self._lot)

    async def park_until(self, deadline: float) -> None:
        """Wait until unparked, or until ``deadline``."""
        with trio.move_on_at(deadline):
            await self.park()


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
