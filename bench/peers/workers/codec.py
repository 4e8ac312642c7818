"""What the workers of codecs share: work on a series of frames, as not all cost the same."""

import time
from collections.abc import Callable, Iterable

from ...peer_worker import Task

__all__ = ["BITRATE", "FRAME_BYTES", "SAMPLES", "Frames", "joined", "split"]

BITRATE = 128_000
SAMPLES = 960
CHANNELS = 2
FRAME_BYTES = SAMPLES * CHANNELS * 2


def joined(frames: Iterable[bytes]) -> bytes:
    """Return frames as one piece of data, each after its size in two bytes."""
    return b"".join(len(frame).to_bytes(2, "big") + frame for frame in frames)


def split(data: bytes) -> list[bytes]:
    """Take `joined` apart."""
    frames, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        frames.append(data[at + 2 : end])
        at = end
    return frames


class Frames(Task):
    """A codec's work: ``do`` on each of several frames, in order, over and over.

    ``make`` returns a ``do`` with an encoder or a decoder of its own.
    """

    def __init__(self, make: Callable[[], Callable[[bytes], bytes]]) -> None:
        self._make = make
        self._do = make()
        self._frames: list[bytes] = []

    def check(self, data: bytes) -> bytes:
        """Do it on every frame of ``data``."""
        self._frames = split(data)
        do = self._make()
        return joined(do(frame) for frame in self._frames)

    def run(self, n: int) -> float:
        """Do it on all frames, as often as comes closest to ``n`` frames; scaled to ``n``."""
        do, frames = self._do, self._frames
        passes = max(1, round(n / len(frames)))
        start = time.perf_counter()
        for _ in range(passes):
            for frame in frames:
                do(frame)
        return (time.perf_counter() - start) * n / (passes * len(frames))
