"""Frames to feed to a codec."""

import array
import math
from collections.abc import Sequence


def tone(samples: int = 960, *, channels: int = 2, rate: int = 48_000, at: int = 0) -> bytes:
    """A 440 Hz tone as int16; ``at`` is the number of its first sample."""
    pcm = array.array("h")
    for n in range(at, at + samples):
        pcm.extend([round(9000 * math.sin(2 * math.pi * 440 * n / rate))] * channels)
    return pcm.tobytes()


def tones(frames: int) -> list[bytes]:
    return [tone(at=960 * n) for n in range(frames)]


def as_float(pcm: bytes) -> "array.array[float]":
    return array.array("f", (value / 32768 for value in array.array("h", pcm)))


def rms(pcm: bytes | Sequence[float]) -> float:
    values = array.array("h", pcm) if isinstance(pcm, bytes) else pcm
    return math.sqrt(sum(value * value for value in values) / len(values))
