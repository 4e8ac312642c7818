"""Sources whose frames say which they are, also in a mix of two."""

import numpy as np

from voicekit.media import AudioSource

from .tones import Samples

#: In a mix, the frames of what is numbered in units count 1, 2, 3 …; of what is in hundreds, 256 …
UNITS, HUNDREDS = 1, 256


class Numbered(AudioSource):
    """Frame 1 is all 1s, frame 2 all 2s …; times ``scale``. Raises after its last, if told."""

    def __init__(self, frames: int, scale: int = UNITS, *, error: Exception | None = None) -> None:
        super().__init__()
        self.times_closed = 0
        self.given = 0
        self.frames = frames
        self._scale = scale
        self._error = error

    def next_pcm(self) -> bytes | None:
        if self.given >= self.frames:
            if self._error is not None:
                raise self._error
            return None
        self.given += 1
        return np.full(1920, self.given * self._scale, np.int16).tobytes()

    def close(self) -> None:
        super().close()
        self.times_closed += 1


def units(frames: Samples) -> list[int]:
    """What was heard of the source in units, frame by frame; 0 for silence."""
    return [int(frame[0, 0]) % HUNDREDS for frame in frames]


def hundreds(frames: Samples) -> list[int]:
    """The same of the one in hundreds."""
    return [int(frame[0, 0]) // HUNDREDS for frame in frames]


def heard(numbers: list[int]) -> list[int]:
    """Leave the silence out."""
    return [number for number in numbers if number]
