"""Sources whose sound is known, and how loud it is in what comes out."""

import numpy as np
import numpy.typing as npt

from voicekit.media import AudioSource

Samples = npt.NDArray[np.int16]
FRAME = 960
RATE = 48_000


class Tone(AudioSource):
    """A sine, ``frames`` long; silent where ``silence`` says so; raises after its last, if told."""

    def __init__(
        self,
        hertz: float,
        frames: int,
        *,
        amplitude: float = 8_000,
        silent: range = range(0),
        error: Exception | None = None,
        volume: float = 1.0,
    ) -> None:
        super().__init__(volume=volume)
        self.times_closed = 0
        self.frames_read = 0
        self._error = error
        time = np.arange(frames * FRAME) / RATE
        mono = np.rint(amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.int16)
        self.samples = np.repeat(mono[:, None], 2, axis=1)
        for n in silent:
            self.samples[n * FRAME : (n + 1) * FRAME] = 0

    def next_pcm(self) -> bytes | None:
        at = self.frames_read * FRAME
        if at >= len(self.samples):
            if self._error is not None:
                raise self._error
            return None
        self.frames_read += 1
        return self.samples[at : at + FRAME].tobytes()

    def close(self) -> None:
        super().close()
        self.times_closed += 1


def frames_of(source: AudioSource, most: int = 1000) -> Samples:
    """All (or so many) frames of a source: shape (frames, 960, 2)."""
    frames: list[bytes] = []
    while len(frames) < most and (pcm := source.read_pcm()) is not None:
        frames.append(pcm)
    return as_frames(frames)


def as_frames(pcm: list[bytes]) -> Samples:
    """Shape (frames, 960, 2)."""
    return np.frombuffer(b"".join(pcm), np.int16).reshape(-1, FRAME, 2)


def amplitudes(frames: Samples, hertz: float) -> npt.NDArray[np.float64]:
    """The amplitude of a tone in the middle of each frame; exact for multiples of 50 Hz."""
    time = np.arange(FRAME) / RATE
    wave = np.exp(-2j * np.pi * hertz * time)
    return np.asarray(2 * np.abs((frames[:, :, 0] * wave).mean(axis=1)))
