"""`Recorder`: the frames of a call in, a track per user out, all on one timeline."""

import contextlib
import io
import itertools
import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..._rtp import SAMPLE_RATE
from ...errors import LocalProtocolError, MediaError
from ...rtcp import RtcpPacket, SenderReport
from .activity import Activity
from .formats import FORMATS, File
from .manifest import MANIFEST, Manifest, State, Track, entry_of, write_manifest
from .matroska import MatroskaFile
from .sink import GuardedSink, OpenSink, ReceivedFrame, Sink
from .timeline import Timeline
from .track import TrackWriter

if TYPE_CHECKING:
    from .mixing import Mixer

__all__ = ["Recorder"]

FormatName = Literal["ogg", "wav", "flac", "mp3", "mka", "m4a", "mp4", "mkv", "pcm"]

#: How often what was written is brought to the disk, in seconds. With what a track holds back,
#: 0.4 s, a crash costs less than a second.
FLUSH_INTERVAL = 0.15
#: How far the mix is behind: what a track holds back, and room for the network.
MIX_DELAY = 0.5
#: The manifest is replaced once a second; a large one so rarely that it is 100 kB a second.
MANIFEST_INTERVAL = 1.0
MANIFEST_RATE = 100_000


class Recorder:
    """Records a call: a file per user in ``directory``, or in memory where that is None.

    ``file_format`` is a name (`FORMATS`) or your own: a function that is given a user and returns
    a `Sink`. ``"ogg"``, ``"mka"`` and ``"mkv"`` keep the Opus packets as they came, the others
    decode them. A file is named after its user (``"mka"`` and ``"mkv"``: one file, a track per
    user); an existing one is never overwritten, the new one gets a number.

    ``mix`` adds a file with all tracks. ``users`` are those to record; None: everybody. With
    ``sync_start`` every file begins where the recording does; otherwise with its user's first
    frame, at `Track.start`. ``begin`` is where the recording begins on the clock of
    `AudioFrame.arrived`, by default the first frame; ``wall`` is the Unix time of that.

    `write`, `receive_rtcp` and `handle_timeout` raise nothing for what happens to files: a sink
    that fails ends its own track (`Track.error`), and the others go on.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        file_format: FormatName | str | OpenSink = "ogg",
        *,
        mix: bool = False,
        users: Collection[int] | None = None,
        sync_start: bool = False,
        begin: float | None = None,
        wall: float | None = None,
    ) -> None:
        self._open_custom = None if isinstance(file_format, str) else file_format
        self._format = file_format if isinstance(file_format, str) else "custom"
        if self._open_custom is None and self._format not in FORMATS:
            raise ValueError(f"format is one of {', '.join(FORMATS)}, not {file_format!r}")
        if mix and self._open_custom is not None:
            raise ValueError("a mix needs a format by name")
        self._users = None if users is None else frozenset(users)
        self._sync_start = sync_start
        self._begin = begin
        self._wall = wall
        self.timeline = Timeline()  #: where the tracks lie
        self._tracks: dict[int, _UserTrack] = {}
        self._files: dict[int | None, Path | io.BytesIO] = {}
        self._shared: MatroskaFile | None = None
        self._now = begin or 0.0
        self._flush_at = self._manifest_at = float("-inf")
        self._paused_at: float | None = None
        self._pauses: list[tuple[float, float]] = []
        self._closed: list[Track] | None = None
        self.manifest_error: MediaError | None = None  #: why the manifest is out of date
        #: Frames that never got here, because files were written too slowly (`RunningRecording`).
        self.overflowed = 0
        self._directory = None if directory is None else Path(directory)
        if self._directory is not None:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise MediaError(f"can not make {directory}: {error.strerror}") from error
            self._manifest_path = _free_path(self._directory, *MANIFEST.split("."))
        self._mixer = self._open_mixer() if mix else None

    @property
    def paused(self) -> bool:
        """Whether frames are left out now."""
        return self._paused_at is not None

    @property
    def begun(self) -> bool:
        """Whether it is known when the recording begins."""
        return self._begin is not None

    @property
    def closed(self) -> bool:
        """Whether the recording is over."""
        return self._closed is not None

    @property
    def recordings(self) -> dict[int | None, Path | io.BytesIO]:
        """Where each user's track is: a path, or a file in memory. None is the mix."""
        return dict(self._files)

    def start(self, now: float, wall: float | None = None) -> None:
        """Let the recording begin now, rather than with the first frame."""
        if self._begin is not None:
            raise LocalProtocolError("the recording has begun")
        self._begin = self._now = now
        self._wall = wall

    def write(self, frame: ReceivedFrame) -> None:
        """Add one frame, in the order of arrival."""
        if self._closed is not None:
            raise LocalProtocolError("the recording is over")
        if self._begin is None:
            self._begin = frame.arrived
        if frame.arrived >= self._flush_at:
            self.handle_timeout(frame.arrived)
        if self._users is not None and frame.user_id not in self._users:
            return
        if self._paused_at is not None:
            return
        self._now = max(self._now, frame.arrived)
        track = self._tracks.get(frame.user_id)
        if track is None:
            track = self._tracks[frame.user_id] = _UserTrack(self, frame.user_id, self._begin)
        track.writer.receive(frame)
        track.dirty = True

    def receive_rtcp(self, packets: Iterable[RtcpPacket], arrived: float) -> None:
        """Learn from sender reports how the senders' clocks run (`RtcpReceived`)."""
        for packet in packets:
            if isinstance(packet, SenderReport):
                self.timeline.receive_sender_report(packet, arrived)

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due; None before the first frame and after the end."""
        if self._closed is not None or self._begin is None:
            return None
        return max(self._flush_at, self._begin)

    def handle_timeout(self, now: float) -> None:
        """Bring everything to the disk that is due. Frames do it too, while they come."""
        if self._closed is not None or self._begin is None:
            return
        self._now = max(self._now, now)
        self._flush_at = now + FLUSH_INTERVAL
        for track in self._tracks.values():
            if track.dirty or track.encodes_silence:
                track.writer.handle_timeout(now)
                track.writer.flush()
                track.dirty = track.writer.holding
        if self._mixer is not None:
            self._mixer.advance(round((now - self._begin - MIX_DELAY) * SAMPLE_RATE))
            self._mixer.flush()
        if now >= self._manifest_at:
            self._write_manifest("recording")

    def pause(self, now: float) -> None:
        """Leave out what comes; its time stays, as silence. Idempotent."""
        if self._paused_at is None:
            for track in self._tracks.values():
                track.writer.detach()
                track.dirty = True
            self._paused_at = now

    def resume(self, now: float) -> None:
        """Go on after `pause`. Idempotent."""
        if self._paused_at is not None:
            begin = self._paused_at if self._begin is None else self._begin
            pause = (round(self._paused_at - begin, 3), round(now - begin, 3))
            self._pauses.append(pause)
            self._paused_at = None

    def toggle_pause(self, now: float) -> bool:
        """Pause or go on; return whether it is paused now."""
        (self.resume if self.paused else self.pause)(now)
        return self.paused

    def close(self) -> list[Track]:
        """Write what still waits, finish all files and describe them. Idempotent."""
        if self._closed is None:
            for track in self._tracks.values():
                track.writer.drain()
                track.close()
            if self._shared is not None:
                with contextlib.suppress(MediaError):  # its tracks have it already
                    self._shared.close()
            if self._mixer is not None:
                self._mixer.close()
            self._closed = self._describe()
            if self._directory is not None:
                self._write_manifest("complete")
        return self._closed

    stop = close

    # -- files -----------------------------------------------------------------------

    def open_sinks(self, user_id: int, position: int) -> list[GuardedSink]:
        """Open what a user's frames go to, from a position on: for the tracks."""
        openers: list[Callable[[], Sink]] = [lambda: self._open_sink(user_id, position)]
        mixer = self._mixer
        if mixer is not None:
            openers.append(lambda: mixer.open_input(position))
        return [GuardedSink.open(opener) for opener in openers]

    def _open_sink(self, user_id: int, position: int) -> Sink:
        if self._open_custom is not None:
            return self._open_custom(user_id)
        form = FORMATS[self._format]
        if not form.shared:
            return form.open_sink(self._new_file(user_id), position if self._sync_start else 0)
        if self._shared is None:
            self._shared = MatroskaFile(self._new_file(user_id))
            self._shared_file = self._files[user_id]
        else:
            self._files[user_id] = self._shared_file
        return self._shared.track(str(user_id), position)

    def _open_mixer(self) -> "Mixer":
        from .mixing import Mixer  # loads numpy; files per user do without

        return Mixer(FORMATS[self._format].open_mix(self._new_file(None)))

    def _new_file(self, user_id: int | None) -> File:
        if self._directory is None:
            file = self._files[user_id] = io.BytesIO()
            return file
        shared = FORMATS[self._format].shared and user_id is not None
        name = "mix" if user_id is None else "recording" if shared else str(user_id)
        path = self._files[user_id] = _free_path(self._directory, name, self._format)
        return path

    # -- what there is to say of it ----------------------------------------------------

    def _describe(self) -> list[Track]:
        tracks = [track.describe(self._path_of(user)) for user, track in self._tracks.items()]
        mixer = self._mixer
        if mixer is not None:
            error = None if mixer.error is None else str(mixer.error)
            seconds = mixer.samples / SAMPLE_RATE
            tracks.append(Track(None, self._path_of(None), seconds, 0, 0, 0, 0, error=error))
        return tracks

    def _path_of(self, user_id: int | None) -> Path | None:
        file = self._files.get(user_id)
        return file if isinstance(file, Path) else None

    def _write_manifest(self, state: State) -> None:
        if self._directory is None:
            self._manifest_at = float("inf")
            return
        entries = []
        for track in self._describe():
            user = None if track.user_id is None else self._tracks[track.user_id]
            whole = self._sync_start or user is None or self._shared is not None
            begin = 0.0 if whole else track.start
            entries.append(entry_of(track, user.writer.activity if user else None, begin, state))
        seconds = self._now - self._begin if self._begin is not None else 0.0
        manifest = Manifest(
            state,
            self._format,
            self._wall,
            round(seconds, 3),
            entries,
            self._pauses,
            overflowed=self.overflowed,
        )
        size = 0
        try:
            size = write_manifest(self._manifest_path, manifest)
            self.manifest_error = None
        except MediaError as error:
            self.manifest_error = error
        self._manifest_at = self._now + max(MANIFEST_INTERVAL, size / MANIFEST_RATE)


class _UserTrack:
    """One user's frames and what they are written to."""

    def __init__(self, recorder: Recorder, user_id: int, begin: float) -> None:
        self.dirty = False  #: whether there may be something to bring to the disk
        self._user_id = user_id
        self._sinks: list[GuardedSink] = []

        def open_sinks(position: int) -> list[GuardedSink]:
            self._sinks = recorder.open_sinks(user_id, position)
            return self._sinks

        self.writer = TrackWriter(recorder.timeline, begin, open_sinks, Activity())

    @property
    def encodes_silence(self) -> bool:
        return any(sink.encodes_silence for sink in self._sinks)

    def close(self) -> None:
        for sink in self._sinks:
            sink.close()

    def describe(self, path: Path | None) -> Track:
        writer = self.writer
        sink = self._sinks[0] if self._sinks else None
        return Track(
            user_id=self._user_id,
            path=path,
            seconds=sink.samples / SAMPLE_RATE if sink else 0.0,
            frames=writer.frames,
            lost=writer.lost,
            concealed=writer.concealed,
            late=writer.late,
            start=round((writer.start or 0) / SAMPLE_RATE, 6),
            error=None if sink is None or sink.error is None else str(sink.error),
        )


def _free_path(directory: Path, stem: str, ending: str) -> Path:
    names = itertools.chain([stem], (f"{stem}-{n}" for n in itertools.count(2)))
    paths = (directory / f"{name}.{ending}" for name in names)
    return next(path for path in paths if not path.exists())
