"""A recording beside a call: what comes in is queued, and written by whoever has time for disks.

    the call's thread                          a worker's thread
    put_many, put_event, pause ──▶ queue ──▶ work: the Recorder, its encoders, its files

A disk that stands still delays nobody: the queue fills, then frames are left out and counted.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ...events import Event, RtcpReceived
from .manifest import Track
from .recorder import Recorder
from .sink import ReceivedFrame

__all__ = ["ROOM", "WORK_INTERVAL", "RunningRecording"]

#: Frames that wait for a slow disk: half a minute of ten speakers, some 6 MB.
ROOM = 15_000
#: How often `work` is due, in seconds. With what a mix holds back, 0.5 s, and what is in an
#: encoder, 0.1 s, a crash costs less than a second, also on a machine that is busy.
WORK_INTERVAL = 0.1


class RunningRecording:
    """Feeds one `Recorder`. `work` and `finish` may be called in any thread, the rest in one."""

    def __init__(self, recorder: Recorder, *, room: int = ROOM) -> None:
        self.recorder = recorder
        self.is_over = False  #: whether no more is taken in
        self._room = room
        self._queue: deque[tuple[Callable[..., object], tuple[Any, ...], int]] = deque()
        self._queued = 0  # frames, ever: counted by the call's thread alone
        self._written = 0  # of them, by `work`
        self._overflowed = 0
        self._paused = recorder.paused
        self._first: float | None = None
        self._working = threading.Lock()

    # -- the call's thread ---------------------------------------------------------------

    def put_many(self, frames: Sequence[ReceivedFrame]) -> None:
        """Take received frames."""
        if self.is_over or not frames:
            return
        room = self._room - (self._queued - self._written)
        if len(frames) > room:
            self._overflowed += len(frames) - max(0, room)
            frames = frames[: max(0, room)]
        if frames:
            if self._first is None:
                self._first = frames[0].arrived
            self._queued += len(frames)
            self._queue.append((self._write, (frames,), len(frames)))

    def put_event(self, event: Event) -> None:
        """Take what the call reports: sender reports align the tracks."""
        if isinstance(event, RtcpReceived):
            self._put(self.recorder.receive_rtcp, event.packets, event.arrived)

    def pause(self, now: float) -> None:
        """Leave out what comes from now on. Idempotent."""
        self._paused = True
        self._put(self.recorder.pause, now)

    def resume(self, now: float) -> None:
        """Go on after `pause`. Idempotent."""
        self._paused = False
        self._put(self.recorder.resume, now)

    @property
    def paused(self) -> bool:
        """Whether frames are left out now."""
        return self._paused

    def end(self, closed: object = None) -> None:
        """Take nothing more in."""
        self.is_over = True

    def next_timeout(self) -> float | None:
        """Return when `work` is due; None while there is nothing to do."""
        due = self.recorder.next_timeout()
        return self._first if due is None else due

    # -- the worker's thread ---------------------------------------------------------------

    def work(self, now: float) -> None:
        """Write what waits. Raises nothing for what happens to files."""
        with self._working:
            self._work()
            self.recorder.handle_timeout(now)

    def finish(self) -> list[Track]:
        """Write what waits, finish all files and describe them."""
        self.end()
        with self._working:
            self._work()
            return self.recorder.close()

    def _work(self) -> None:
        self.recorder.overflowed = self._overflowed
        while self._queue:
            do, arguments, frames = self._queue.popleft()
            if not self.recorder.closed:  # by its owner, who wants no more
                do(*arguments)
            self._written += frames

    def _write(self, frames: Sequence[ReceivedFrame]) -> None:
        write = self.recorder.write
        for frame in frames:
            write(frame)

    def _put(self, do: Callable[..., object], *arguments: object) -> None:
        # Not bounded by the room: few per second, and what they say holds for all that follows.
        if not self.is_over:
            self._queue.append((do, arguments, 0))
