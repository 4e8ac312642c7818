"""A short tune, made up at run time, so that there is something to play without a file.

Six seconds, stereo, the same on every run. Plain Python takes about a second for it.
"""

import array
import math
from collections.abc import Iterator

from ..._rtp import SAMPLE_RATE
from ..pcm import FRAME_BYTES, FRAME_SAMPLES, FRAME_SECONDS
from .encoding import EncoderOptions
from .source import AudioSource

__all__ = ["SAMPLE_FRAMES", "SampleSource", "open_sample", "sample_pcm"]

#: Length of the tune in frames of 20 ms.
SAMPLE_FRAMES = 300

BEAT = 0.375  # seconds: 160 beats a minute
#: Start in beats, MIDI note, length in beats, balance from left (0) to right (1).
_MELODY = (
    (0, 69, 2, 0.35), (1, 76, 2, 0.45), (2, 73, 2, 0.55), (3, 76, 1.5, 0.65),
    (4, 74, 2, 0.65), (5, 78, 2, 0.55), (6, 81, 2, 0.45), (7, 78, 1.5, 0.35),
    (8, 76, 2, 0.35), (9, 80, 2, 0.45), (10, 83, 2, 0.55), (11, 80, 1, 0.65),
    (12, 81, 4, 0.5),
)  # fmt: skip
_BASS = ((0, 45, 4, 0.5), (4, 50, 4, 0.5), (8, 52, 4, 0.5), (12, 45, 4, 0.5))
#: Overtones of a plucked string: multiple of the pitch, strength, how long it rings.
_PARTIALS = ((1, 1.0, 0.7), (2, 0.45, 0.45), (3, 0.2, 0.3), (4, 0.08, 0.2))
_ATTACK = 0.006  # seconds: softer than a click


def open_sample(*, volume: float = 1.0, encoder: EncoderOptions | None = None) -> "SampleSource":
    """Return the tune as a source. Raises `OpusNotFound` where there is no libopus."""
    return SampleSource(volume=volume, encoder=encoder)


def sample_pcm() -> "array.array[int]":
    """Return the tune as int16 at 48 kHz, left and right in turn."""
    length = SAMPLE_FRAMES * FRAME_SAMPLES
    left, right = [0.0] * length, [0.0] * length
    for strength, notes in ((5200.0, _MELODY), (4200.0, _BASS)):
        for beat, note, beats, balance in notes:
            start = round(beat * BEAT * SAMPLE_RATE)
            count = min(round(beats * BEAT * SAMPLE_RATE), length - start)
            to_left, to_right = math.cos(balance * math.pi / 2), math.sin(balance * math.pi / 2)
            for n, value in enumerate(_pluck(440 * 2 ** ((note - 69) / 12), count), start):
                left[n] += value * strength * to_left
                right[n] += value * strength * to_right
    pcm = array.array("h", bytes(4 * length))
    pcm[0::2] = array.array("h", map(_int16, left))
    pcm[1::2] = array.array("h", map(_int16, right))
    return pcm


def _int16(value: float) -> int:
    return max(-32768, min(32767, round(value)))


def _pluck(pitch: float, count: int) -> Iterator[float]:
    """Yield a decaying tone. Each partial is a rotation in the plane, damped a little each step."""
    tone = [0.0] * count
    for multiple, strength, ring in _PARTIALS:
        angle = 2 * math.pi * multiple * pitch / SAMPLE_RATE
        damping = math.exp(-1 / (ring * SAMPLE_RATE))
        # x[n] = 2 d cos(angle) x[n-1] - d² x[n-2] is a damped sine: two products a sample.
        feedback, decay = 2 * damping * math.cos(angle), damping * damping
        before, now = 0.0, strength * math.sin(angle)
        for n in range(count):
            tone[n] += now
            before, now = now, feedback * now - decay * before
    attack = round(_ATTACK * SAMPLE_RATE)
    release = min(count, SAMPLE_RATE // 20)
    for n, value in enumerate(tone):
        yield value * min(1.0, n / attack, (count - n) / release)


class SampleSource(AudioSource):
    """The tune as a `Source`."""

    def __init__(self, *, volume: float = 1.0, encoder: EncoderOptions | None = None) -> None:
        super().__init__(volume=volume, encoder=encoder)
        self._pcm = memoryview(sample_pcm()).cast("B")
        self._open_encoder()

    @property
    def duration(self) -> float:
        """Six seconds."""
        return SAMPLE_FRAMES * FRAME_SECONDS

    def next_pcm(self) -> bytes | None:
        """Return the next 20 ms as samples, or None at the end."""
        frame, self._pcm = self._pcm[:FRAME_BYTES], self._pcm[FRAME_BYTES:]
        return bytes(frame) or None
