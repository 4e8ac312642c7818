"""Recording a call: one file per user, in order, with gaps where time passed."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from .._rtp import SAMPLE_RATE, opus_duration
from ..errors import MediaError
from .ogg import OggOpusWriter
from .wav import WavWriter

__all__ = ["ReceivedFrame", "Recorder", "Sink", "Track"]

#: Frames that wait for an earlier one that is missing: 0.2 s, after which no network of
#: interest still delivers it. A recorder is not in a hurry.
REORDER_FRAMES = 10
#: Lost packets in a row that are concealed: 0.2 s. What a decoder makes up any longer is noise;
#: the rest becomes silence.
CONCEAL_PACKETS = 10
#: How far the sender's clock may run ahead of the arrival times before a gap is not believed:
#: network delay and clock drift, with room. It bounds what a forged timestamp can make us write.
CLOCK_SLACK = 2.0


class ReceivedFrame(Protocol):
    """What is needed of an `AudioFrame`."""

    @property
    def user_id(self) -> int:
        """Who speaks."""

    @property
    def ssrc(self) -> int:
        """Which RTP stream it came in."""

    @property
    def opus(self) -> bytes:
        """The Opus packet."""

    @property
    def sequence(self) -> int:
        """Extended RTP sequence number."""

    @property
    def rtp_time(self) -> int:
        """Extended RTP timestamp, 48 kHz."""

    @property
    def arrived(self) -> float:
        """When it came, in seconds on any one clock."""


class Sink(Protocol):
    """Where a track goes: `OggOpusWriter`, `WavWriter`, or your own."""

    @property
    def samples(self) -> int:
        """Length so far, in samples at 48 kHz."""

    def write(self, opus: bytes) -> None:
        """Append one packet."""

    def conceal(self, samples: int) -> None:
        """Stand in for lost packets."""

    def pause(self, samples: int) -> None:
        """Let time pass in which nothing was sent."""

    def close(self) -> None:
        """Finish the file."""


class Track(msgspec.Struct, frozen=True):
    """One recorded file."""

    user_id: int
    path: Path
    seconds: float  #: its length
    frames: int  #: packets written
    lost: int  #: packets that never came, or too late, or were no Opus
    concealed: int  #: those of them whose place was filled
    late: int  #: packets that came after their place had been given up, or twice


_FORMATS: dict[str, Callable[[Path], Sink]] = {"ogg": OggOpusWriter, "wav": WavWriter}


class Recorder:
    """Write the frames of a call into ``directory``, one file per user.

    ``"ogg"`` keeps the Opus packets as they came; ``"wav"`` decodes them. A file is named
    after its user; an existing one is never overwritten, the new one gets a number.
    """

    def __init__(
        self, directory: str | os.PathLike[str], file_format: Literal["ogg", "wav"] | str = "ogg"
    ) -> None:
        if file_format not in _FORMATS:
            raise ValueError(f"format is one of {', '.join(_FORMATS)}, not {file_format!r}")
        self._directory = Path(directory)
        self._format = file_format
        self._tracks: dict[int, _TrackWriter] = {}
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MediaError(f"can not make {directory}: {error.strerror}") from error

    def write(self, frame: ReceivedFrame) -> None:
        """Add one frame, in the order of arrival. Raises `MediaError` if the disk refuses."""
        track = self._tracks.get(frame.user_id)
        if track is None:
            path = self._free_path(frame.user_id)
            track = _TrackWriter(frame.user_id, path, _FORMATS[self._format](path))
            self._tracks[frame.user_id] = track
        track.receive(frame)

    def close(self) -> list[Track]:
        """Write what still waits, finish all files and describe them. Idempotent.

        Every file is finished, then the first error, if any, is raised.
        """
        closed: list[Track] = []
        errors: list[MediaError] = []
        for track in self._tracks.values():
            try:
                closed.append(track.close())
            except MediaError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return closed

    def _free_path(self, user_id: int) -> Path:
        names = itertools.chain([f"{user_id}"], (f"{user_id}-{n}" for n in itertools.count(2)))
        paths = (self._directory / f"{name}.{self._format}" for name in names)
        return next(path for path in paths if not path.exists())


class _TrackWriter:
    """One user: put frames back in order, and turn missing ones into gaps of the sink."""

    def __init__(self, user_id: int, path: Path, sink: Sink) -> None:
        self._user_id = user_id
        self._path = path
        self._sink = sink
        self._ssrc: int | None = None
        self._next = 0  # sequence number of the next frame to write
        self._clock = 0  # RTP time of the end of the last one
        self._waiting: dict[int, ReceivedFrame] = {}
        self._missing = 0  # lost since the last frame written
        self._began = 0.0  # arrival of the first frame
        self._position = 0  # samples since then
        self._frames = self._lost = self._concealed = self._late = 0
        self._track: Track | None = None

    def receive(self, frame: ReceivedFrame) -> None:
        if frame.ssrc != self._ssrc:
            self._drain()
            self._start(frame)
        if frame.sequence < self._next or frame.sequence in self._waiting:
            self._late += 1
            return
        self._waiting[frame.sequence] = frame
        while self._next in self._waiting or len(self._waiting) > REORDER_FRAMES:
            self._write_earliest()

    def close(self) -> Track:
        if self._track is None:
            try:
                self._drain()
            finally:
                self._sink.close()
            self._track = Track(
                self._user_id,
                self._path,
                self._sink.samples / SAMPLE_RATE,
                self._frames,
                self._lost,
                self._concealed,
                self._late,
            )
        return self._track

    def _start(self, frame: ReceivedFrame) -> None:
        """Begin with a new SSRC: its numbers start afresh, so the gap is what the clock says."""
        if self._ssrc is None:
            self._began = frame.arrived
        else:
            self._missing = 0
            self._pause(self._elapsed(frame) - self._position)
        self._ssrc = frame.ssrc
        self._next = frame.sequence
        self._clock = frame.rtp_time

    def _drain(self) -> None:
        while self._waiting:
            self._write_earliest()

    def _write_earliest(self) -> None:
        frame = self._waiting.pop(min(self._waiting))
        duration = opus_duration(frame.opus)
        skipped = frame.sequence - self._next + (not duration)
        self._next = frame.sequence + 1
        self._lost += skipped
        self._missing += skipped
        if not duration:
            return
        limit = self._elapsed(frame) + round(CLOCK_SLACK * SAMPLE_RATE) - self._position
        gap = max(0, min(frame.rtp_time - self._clock, limit))
        concealed = min(self._missing, gap // duration, CONCEAL_PACKETS)
        if concealed:
            self._sink.conceal(concealed * duration)
            self._concealed += concealed
            self._position += concealed * duration
        self._pause(gap - concealed * duration)
        self._sink.write(frame.opus)
        self._frames += 1
        self._missing = 0
        self._position += duration
        self._clock = frame.rtp_time + duration

    def _elapsed(self, frame: ReceivedFrame) -> int:
        return round((frame.arrived - self._began) * SAMPLE_RATE)

    def _pause(self, samples: int) -> None:
        if samples > 0:
            self._sink.pause(samples)
            self._position += samples
