"""One source for several calls: `Broadcast`. It is read, and encoded, once."""

import threading
from collections import deque

from .pcm import FRAME_SECONDS
from .sources.source import AudioSource, Frames

__all__ = ["Broadcast", "BroadcastListener"]


class Broadcast:
    """Gives the frames of one source to any number of listeners, the same bytes to each.

    Whoever comes first to a frame reads it from the source; the others find it in the last
    ``kept`` seconds. Nobody waits for a listener that is slow or paused: one that comes back
    later than that goes on at the newest frame, and counts what it missed (`missed`). So memory
    is bounded, and the fastest listener sets the pace: each must be played, not read at will.

    Any thread may call anything. The source stays yours, until `close` closes it; its volume is
    that of all calls, after the 0.7 s that they read ahead of a file. A `Mixer` is not read ahead.
    """

    def __init__(self, source: Frames, *, kept: float = 2.0) -> None:
        # 0.74 s is what a call reads ahead at most: what differs between calls must fit.
        if not 1 <= kept <= 60:
            raise ValueError(f"kept is 1 to 60 seconds, not {kept!r}")
        #: What plays.
        self.source = source
        self._kept: deque[bytes] = deque(maxlen=round(kept / FRAME_SECONDS))
        self._count = 0  # frames that were read; the last of them are kept
        self._ended = False
        self._closed = False
        self._error: Exception | None = None
        self._lock = threading.Lock()  # of the above
        self._reading = threading.Lock()  # held while the source is read, which may take long
        self._losses: dict[BroadcastListener, float] = {}

    @property
    def frames_read(self) -> int:
        """Frames that were read from the source, each once."""
        return self._count

    def listen(self) -> "BroadcastListener":
        """Return what one call plays: frames from the next one on that nobody has read yet."""
        return BroadcastListener(self, self._count)

    def close(self) -> None:
        """End it for all listeners, and close the source. Idempotent."""
        with self._reading:
            with self._lock:
                self._ended = True
                self._kept.clear()
            closed, self._closed = self._closed, True
            if not closed and isinstance(self.source, AudioSource):
                self.source.close()

    def _take(self, number: int) -> tuple[int, bytes] | None:
        """Return a frame and its number: a later one if it is gone. None at the end."""
        while True:
            with self._lock:
                first = self._count - len(self._kept)
                if self._kept and number < first:
                    number = self._count - 1
                if number < self._count and self._kept:
                    return number, self._kept[number - first]
                if self._ended:
                    if self._error is not None:
                        raise self._error
                    return None
            with self._reading:
                if self._count <= number and not self._ended:
                    self._read()

    def _read(self) -> None:
        frame = error = None
        try:
            frame = self.source.read()
        except Exception as raised:  # each listener gets it, after what was read before
            error = raised
        with self._lock:
            if frame is None:
                self._ended = True
                self._error = error
            else:
                self._kept.append(frame)
                self._count += 1

    def _report_loss(self, listener: "BroadcastListener", fraction: float | None) -> None:
        """Tell the source the worst of what the listeners' receivers report."""
        with self._lock:
            if fraction is None:
                self._losses.pop(listener, None)
            else:
                self._losses[listener] = fraction
            worst = max(self._losses.values(), default=0.0)
        if isinstance(self.source, AudioSource):
            self.source.report_loss(worst)


class BroadcastListener:
    """A broadcast as one call plays it; `Broadcast.listen` makes it. One thread at a time."""

    def __init__(self, broadcast: Broadcast, start: int) -> None:
        #: Frames that were gone when this listener came to them.
        self.missed = 0
        #: What it listens to.
        self.broadcast = broadcast
        self._next = start
        self._closed = False

    @property
    def blocking(self) -> bool:
        """Whether `read` may wait, as the source says."""
        return bool(getattr(self.broadcast.source, "blocking", True))

    @property
    def live(self) -> bool:
        """Whether to ask for each frame only when it is due, as the source says."""
        return bool(getattr(self.broadcast.source, "live", False))

    @property
    def duration(self) -> float | None:
        """Length of the source in seconds; None if unknown."""
        duration = getattr(self.broadcast.source, "duration", None)
        return None if duration is None else float(duration)

    @property
    def passthrough(self) -> bool:
        """Whether the source gives Opus as it came."""
        return bool(getattr(self.broadcast.source, "passthrough", False))

    def read(self) -> bytes | None:
        """Return the next frame, or None at the end. Raises what the source raised, each time."""
        found = None if self._closed else self.broadcast._take(self._next)
        if found is None:
            return None
        number, frame = found
        self.missed += number - self._next
        self._next = number + 1
        return frame

    def report_loss(self, fraction: float) -> None:
        """Tell what this call's receivers report, 0 to 1; the encoder gets the worst of all."""
        if not self._closed:
            self.broadcast._report_loss(self, fraction)

    def close(self) -> None:
        """Stop listening; the others go on. Idempotent."""
        self._closed = True
        self.broadcast._report_loss(self, None)
