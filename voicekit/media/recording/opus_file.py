"""Samples encoded to Opus: how a mix gets into a file of Opus packets."""

from ..._rtp import SAMPLE_RATE
from .sink import Sink

__all__ = ["OpusFile"]

WIDTH = 4  # bytes: two channels of int16
FRAME_SAMPLES = 960
#: Transparent for speech, good for music.
BITRATE = 96_000


class OpusFile:
    """A `PcmWriter` that encodes to Opus, into a sink of Opus packets."""

    def __init__(self, sink: Sink) -> None:
        from ...opus import Encoder

        self._sink = sink
        self._encoder = Encoder(SAMPLE_RATE, 2, "audio")
        self._encoder.bitrate = BITRATE
        self._pending = bytearray()
        self._samples = 0
        self._closed = False

    @property
    def samples(self) -> int:
        """Length so far."""
        return self._samples

    def append(self, pcm: bytes | memoryview) -> None:
        """Encode interleaved samples."""
        self._pending += pcm
        self._samples += len(pcm) // WIDTH
        size = FRAME_SAMPLES * WIDTH
        while len(self._pending) >= size:
            self._sink.write(self._encoder.encode(bytes(self._pending[:size])))
            del self._pending[:size]

    def silence(self, samples: int) -> None:
        """Let time pass: whole frames of it cost nothing."""
        rest = -(len(self._pending) // WIDTH) % FRAME_SAMPLES
        if samples > 2 * FRAME_SAMPLES:
            self.append(bytes(rest * WIDTH))
            whole = (samples - rest) // FRAME_SAMPLES * FRAME_SAMPLES
            self._sink.pause(whole)
            self._samples += whole
            samples -= rest + whole
        self.append(bytes(samples * WIDTH))

    def flush(self) -> None:
        """Bring everything so far to the disk."""
        flush = getattr(self._sink, "flush", None)
        if flush is not None:
            flush()

    def close(self) -> None:
        """Encode the rest and finish the file. Idempotent."""
        if self._closed:
            return
        self._closed = True
        try:
            # What the encoder still holds comes out with a little silence behind it.
            missing = -len(self._pending) // WIDTH % FRAME_SAMPLES
            self.append(bytes((missing + FRAME_SAMPLES) * WIDTH))
        finally:
            self._sink.close()
