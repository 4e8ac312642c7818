"""`Queue`: what plays after what plays now."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..sources import File, Frames
from .events import EndReason
from .track import After, Track

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["Queue"]


class Queue:
    """Sources that wait, in order. The first of them is opened and read ahead.

    So the next begins where one ends, to the sample, or under its end (`Engine.crossfade`). If
    nothing plays, what is appended begins at once.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def __repr__(self) -> str:
        return f"<Queue {self.list()}>"

    def __len__(self) -> int:
        """How many wait."""
        return len(self._engine._waiting)

    def __iter__(self) -> Iterator[object]:
        """Yield what waits."""
        return iter(self.list())

    def list(self) -> "list[object]":
        """Return what waits: sources, and what was given where that is not opened yet."""
        return [track.shown for track in self._engine._waiting]

    def append(self, source: File | Frames, *, after: After | None = None) -> None:
        """Put a source at the end: an open one, or a path, bytes, a file object or a URL.

        ``after`` is called once, when it has ended: with its error if it has failed, else None.
        What can not be opened is a `SourceFailed` when its turn comes, and is left out.
        """
        self._engine._enqueue(Track(source, after))

    def insert(self, index: int, source: File | Frames, *, after: After | None = None) -> None:
        """Put a source before the one with this index; 0: it comes next."""
        self._engine._enqueue(Track(source, after), index)

    def next(self) -> None:
        """End what plays, and go on with the first that waits: `skip` of the player."""
        self._engine.skip()

    def skip(self, count: int = 1) -> None:
        """Leave out the first ``count`` that wait; what plays plays on."""
        if count < 0:
            raise ValueError("count is 0 or more")
        self._engine._leave_out(count, EndReason.SKIPPED)

    def clear(self) -> None:
        """Forget all that waits; what plays plays on."""
        self._engine._leave_out(None, EndReason.STOPPED)
