"""A mix of all tracks: each adds its samples at its place on the timeline."""

import numpy as np
import numpy.typing as npt

from ..._rtp import SAMPLE_RATE
from ..ogg import PRE_SKIP
from .decoding import DecodedSink
from .sink import PcmWriter, Sink

__all__ = ["Mixer"]

CHANNELS = 2
#: What is kept open for tracks that are behind, at most: 4 s. A sum can reach 15 bits more than
#: one track, so it is kept in 32.
ROOM = 4 * SAMPLE_RATE


class Mixer:
    """Sums tracks into a `PcmWriter`, from the beginning of the recording."""

    def __init__(self, writer: PcmWriter) -> None:
        self._writer = writer
        self._sum: npt.NDArray[np.int32] = np.zeros((ROOM, CHANNELS), np.int32)
        self._base = 0  # position of its first sample; all before has been written
        self._end = 0  # of the last sample that anybody added
        self.error: Exception | None = None  #: why nothing is written any more

    @property
    def samples(self) -> int:
        """Length so far."""
        return self._writer.samples

    def open_input(self, position: int) -> Sink:
        """Return a sink whose first frame belongs at a position."""
        # Decoded audio comes late by the codec's delay: it is put so much earlier.
        return DecodedSink(_Input(self, position - PRE_SKIP), skip=0)

    def add(self, position: int, pcm: bytes | memoryview) -> None:
        """Add samples at a position; what comes too late for its place is left out."""
        samples = np.frombuffer(pcm, np.int16).reshape(-1, CHANNELS)
        samples = samples[max(0, self._base - position) :]
        position = max(position, self._base)
        if not len(samples):
            return
        self.advance(position + len(samples) - ROOM)
        at = position - self._base
        self._sum[at : at + len(samples)] += samples
        self._end = max(self._end, position + len(samples))

    def advance(self, until: int) -> None:
        """Write everything before a position: nobody will add to it any more."""
        if until <= self._base:
            return
        done = min(until, self._end) - self._base
        if done > 0:
            mixed = self._sum[:done].clip(-32_768, 32_767).astype("<i2")
            self._write(mixed.tobytes(), 0)
            self._sum[:-done] = self._sum[done:].copy()
            self._sum[-done:] = 0
            self._base += done
        if until > self._base:
            self._write(b"", until - self._base)
            self._base = self._end = until

    def flush(self) -> None:
        """Bring everything written to the disk."""
        try:
            self._writer.flush()
        except Exception as error:
            self.error = self.error or error

    def close(self) -> None:
        """Write what is left and finish the file."""
        self.advance(self._end)
        try:
            self._writer.close()
        except Exception as error:
            self.error = self.error or error

    def _write(self, pcm: bytes, silence: int) -> None:
        if self.error is None:
            try:
                self._writer.append(pcm)
                self._writer.silence(silence)
            except Exception as error:  # a writer of its own: the tracks go on
                self.error = error


class _Input:
    """The `PcmWriter` of one track: a place in the mix that moves on."""

    def __init__(self, mixer: Mixer, position: int) -> None:
        self._mixer = mixer
        self._position = position
        self.samples = 0

    def append(self, pcm: bytes | memoryview) -> None:
        self._mixer.add(self._position, pcm)
        self.silence(len(pcm) // (2 * CHANNELS))

    def silence(self, samples: int) -> None:
        self._position += samples
        self.samples += samples

    def flush(self) -> None:
        pass

    close = flush
