"""An audio file as samples: 48 kHz, stereo, int16, from any moment on, to the sample."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..._rtp import SAMPLE_RATE
from ..pcm import SAMPLE_BYTES
from .audio_file import AudioFile
from .resampling import Resampler

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

__all__ = ["Decoding"]

#: Time stamps in milliseconds (Matroska, WMA) say where a frame is no better than this.
_TOLERANCE = 0.001


class Decoding:
    """The samples of a file, in pieces as they come out of the decoder."""

    def __init__(self, file: AudioFile, loudness: float | None = None) -> None:
        self._file = file
        self._loudness = loudness
        #: Time stamp of the first sample: decoders drop what encoders put in front.
        self._origin: float | None = None
        self._pieces = self._produce(file.decode(file.packets()), None)

    def read(self) -> memoryview | None:
        """Return the next samples, or None at the end. They are valid until the next call."""
        return next(self._pieces, None)

    def seek(self, seconds: float) -> None:
        """Go on at ``seconds``, counted from the first sample."""
        if self._file.input.seekable:
            target = seconds + (self._origin or 0.0)
            self._pieces = self._produce(self._frames_at(target), target)
        elif self._origin is None:
            # Nothing was read yet: what can not jump can still be listened through.
            self._pieces = self._produce(self._file.decode(self._file.packets()), seconds)
        else:
            self._file.seek(seconds)  # says why not

    def close(self) -> None:
        """Drop what is under way."""
        self._pieces = iter(())

    def _frames_at(self, target: float) -> "Iterator[AudioFrame]":
        """Yield frames, the first of which begins at or before the target, if there are any."""
        frames = self._file.decode(self._file.seek(target))
        if self._file.seeks_exactly:
            first = next(frames, None)
            if first is None or first.pts is None or _time(first) > target + _TOLERANCE:
                frames = self._file.decode(self._file.seek(target, rewind=True))
            else:
                yield first
        yield from frames

    def _produce(
        self, frames: "Iterator[AudioFrame]", target: float | None
    ) -> Iterator[memoryview]:
        resampler = Resampler(self._loudness)
        skip = 0
        for n, frame in enumerate(frames):
            if n == 0:
                at = _time(frame)
                if self._origin is None:
                    self._origin = at
                    target = None if target is None else target + at
                if target is not None:
                    skip = max(0, round((target - at) * SAMPLE_RATE)) * SAMPLE_BYTES
            for piece in resampler.push(frame):
                if len(piece) > skip:
                    yield piece[skip:]
                skip = max(0, skip - len(piece))
        for piece in resampler.push(None):
            if len(piece) > skip:
                yield piece[skip:]
            skip = max(0, skip - len(piece))


def _time(frame: "AudioFrame") -> float:
    if frame.pts is None or frame.time_base is None:
        return 0.0
    return float(frame.pts * frame.time_base)
