"""The recording methods of a call: start, pause, stop, and what has been recorded."""

import io
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from ...errors import AlreadyRecording, NoSink, NotRecording, RecordingNotConnected
from ...events import RtcpReceived
from ...rtcp import RtcpPacket
from .formats import FORMATS
from .manifest import Track
from .recorder import Recorder
from .running import RunningRecording
from .sink import OpenSink, ReceivedFrame

__all__ = ["CallRecording"]


class CallRecording:
    """At most one recording at a time, of a call that comes and goes.

    Feed it everything that the call receives; without a recording that costs nothing. It only
    queues: `handle_timeout` writes, in this thread or in another one, every 0.15 s. When half a
    minute of ten speakers waits, frames are left out (`Recorder.overflowed`).

    ``is_connected`` says whether there is a call now; without it there always is.
    """

    def __init__(self, is_connected: Callable[[], bool] = lambda: True) -> None:
        self._is_connected = is_connected
        self._running: RunningRecording | None = None
        self._last: Recorder | None = None
        self._callback: Callable[[list[Track]], object] | None = None

    @property
    def running(self) -> RunningRecording | None:
        """The recording under way, for whoever feeds it and works for it."""
        return self._running

    @property
    def recorder(self) -> Recorder | None:
        """Who writes the recording under way."""
        return None if self._running is None else self._running.recorder

    @property
    def is_recording(self) -> bool:
        """Whether a recording is under way, also a paused one."""
        return self._running is not None

    @property
    def recordings(self) -> dict[int | None, Path | io.BytesIO]:
        """Files of the recording under way, or of the last one, by user; None is the mix."""
        return self._last.recordings if self._last is not None else {}

    def start_recording(
        self,
        sink: Recorder | OpenSink | str,
        callback: Callable[..., object] | None = None,
        *args: object,
        users: Collection[int] | None = None,
        sync_start: bool = False,
        now: float | None = None,
        wall: float | None = None,
    ) -> Recorder:
        """Begin to record.

        ``sink`` is a format by name (in memory: `recordings`), a function that makes a `Sink` for
        a user, or a `Recorder` of your own, which keeps its own settings. When the recording is
        stopped, ``callback(tracks, *args)`` is called. ``now`` is the time on the clock of the
        frames (by default the recording begins with the first of them), ``wall`` its Unix time.

        Raises `RecordingNotConnected`, `AlreadyRecording` and `NoSink`.
        """
        if not self._is_connected():
            raise RecordingNotConnected("there is no call to record: join one first")
        if self._running is not None:
            raise AlreadyRecording("a recording is under way: stop it first")
        if isinstance(sink, Recorder):
            if sink.closed:
                raise NoSink("this recorder has been closed: every recording needs a new one")
            recorder = sink
        elif callable(sink) or (isinstance(sink, str) and sink in FORMATS):
            recorder = Recorder(None, sink, users=users, sync_start=sync_start)
        else:
            raise NoSink(f"{sink!r} is no format ({', '.join(FORMATS)}), function or Recorder")
        if now is not None and not recorder.begun:
            recorder.start(now, wall)
        self._last = recorder
        self._running = RunningRecording(recorder)
        self._callback = None if callback is None else lambda tracks: callback(tracks, *args)
        return recorder

    def pause(self, now: float) -> None:
        """Leave out what comes; its time stays, as silence. Idempotent. Raises `NotRecording`."""
        self._current().pause(now)

    def resume(self, now: float) -> None:
        """Go on after `pause`. Idempotent. Raises `NotRecording`."""
        self._current().resume(now)

    def toggle_pause(self, now: float) -> bool:
        """Pause or go on; return whether it is paused now. Raises `NotRecording`."""
        running = self._current()
        (running.resume if running.paused else running.pause)(now)
        return running.paused

    def stop_recording(self) -> list[Track]:
        """Finish all files and describe them. Raises `NotRecording`, and what the callback does."""
        running, callback = self.detach()
        tracks = running.finish()
        if callback is not None:
            callback(tracks)
        return tracks

    def detach(self) -> tuple[RunningRecording, Callable[[list[Track]], object] | None]:
        """End the recording for the call; who calls this finishes it, and calls the callback.

        For those to whom a disk must not matter. Raises `NotRecording`.
        """
        running = self._current()
        self._running = None
        callback, self._callback = self._callback, None
        running.end()
        return running, callback

    def write(self, frame: ReceivedFrame) -> None:
        """Hand in a received frame."""
        if self._running is not None:
            self._running.put_many((frame,))

    def receive_rtcp(self, packets: Iterable[RtcpPacket], arrived: float) -> None:
        """Hand in received RTCP."""
        if self._running is not None:
            self._running.put_event(RtcpReceived(tuple(packets), arrived))

    def handle_timeout(self, now: float) -> None:
        """Write what waits, and bring to the disk what is due (`next_timeout`)."""
        if self._running is not None:
            self._running.work(now)

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due; None without anything to do."""
        return None if self._running is None else self._running.next_timeout()

    def _current(self) -> RunningRecording:
        if self._running is None:
            raise NotRecording("nothing is being recorded")
        return self._running
