"""The recording methods of a call: start, pause, stop, and what has been recorded."""

import io
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from ...errors import AlreadyRecording, NoSink, NotRecording, RecordingNotConnected
from ...rtcp import RtcpPacket
from .formats import FORMATS
from .manifest import Track
from .recorder import Recorder
from .sink import OpenSink, ReceivedFrame

__all__ = ["CallRecording"]


class CallRecording:
    """At most one recording at a time, of a call that comes and goes.

    Feed it everything that the call receives; without a recording that costs nothing.
    ``is_connected`` says whether there is a call now; without it there always is.
    """

    def __init__(self, is_connected: Callable[[], bool] = lambda: True) -> None:
        self._is_connected = is_connected
        self._recorder: Recorder | None = None
        self._last: Recorder | None = None
        self._callback: Callable[[], object] | None = None
        self._tracks: list[Track] = []

    @property
    def recorder(self) -> Recorder | None:
        """The recording under way."""
        return self._recorder

    @property
    def is_recording(self) -> bool:
        """Whether a recording is under way, also a paused one."""
        return self._recorder is not None

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

        Raises `RecordingNotConnected`, `AlreadyRecording`, `NoSink`, and `MediaError` when a file
        can not be made.
        """
        if not self._is_connected():
            raise RecordingNotConnected("there is no call to record: join one first")
        if self._recorder is not None:
            raise AlreadyRecording("a recording is under way: stop it first")
        if isinstance(sink, Recorder):
            if sink.closed:
                raise NoSink("this recorder has been closed: every recording needs a new one")
            recorder = sink
        elif callable(sink) or (isinstance(sink, str) and sink in FORMATS):
            recorder = Recorder(
                None, sink, users=users, sync_start=sync_start, begin=now, wall=wall
            )
        else:
            raise NoSink(f"{sink!r} is no format ({', '.join(FORMATS)}), function or Recorder")
        self._recorder = self._last = recorder
        if callback is not None:
            self._callback = lambda: callback(self._tracks, *args)
        return recorder

    def toggle_pause(self, now: float) -> bool:
        """Pause or go on; return whether it is paused now. Raises `NotRecording`."""
        return self._current().toggle_pause(now)

    def stop_recording(self) -> list[Track]:
        """Finish all files and describe them. Raises `NotRecording`, and what the callback does."""
        recorder = self._current()
        self._recorder = None
        callback, self._callback = self._callback, None
        self._tracks = recorder.close()
        if callback is not None:
            callback()
        return self._tracks

    def write(self, frame: ReceivedFrame) -> None:
        """Hand in a received frame."""
        if self._recorder is not None:
            self._recorder.write(frame)

    def receive_rtcp(self, packets: Iterable[RtcpPacket], arrived: float) -> None:
        """Hand in received RTCP."""
        if self._recorder is not None:
            self._recorder.receive_rtcp(packets, arrived)

    def handle_timeout(self, now: float) -> None:
        """Bring to the disk what is due (`next_timeout`)."""
        if self._recorder is not None:
            self._recorder.handle_timeout(now)

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due; None without a recording."""
        return None if self._recorder is None else self._recorder.next_timeout()

    def _current(self) -> Recorder:
        if self._recorder is None:
            raise NotRecording("nothing is being recorded")
        return self._recorder
