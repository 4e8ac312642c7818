"""A sink of decoded audio: Opus in, PCM out, loss concealed, a drifting clock put right."""

from typing import NamedTuple

from ..._jitter import Lost
from ..._rtp import SAMPLE_RATE, opus_duration
from ..concealment import Concealer
from ..ogg import PRE_SKIP
from .sink import PcmWriter

__all__ = ["DecodedSink"]

FRAME_SAMPLES = SAMPLE_RATE // 50


class _Packet(NamedTuple):
    """What a `Concealer` needs of a frame. Numbers count from the first one that is missing."""

    sequence: int
    opus: bytes


class DecodedSink:
    """A `Sink` that decodes into a `PcmWriter`.

    Lost packets come back from the one behind them where it repeats them (in-band FEC), else the
    decoder makes them up (`Concealer`). The first ``skip`` samples are left out: by so many an
    encoder is late, so that the file lies on the timeline as an Ogg file does.

    Raises `MediaError` when the file can not be written, `OpusNotFound` without libopus.
    """

    def __init__(self, writer: PcmWriter, *, channels: int = 2, skip: int = PRE_SKIP) -> None:
        self._concealer = Concealer(channels=channels)
        self._channels = channels
        self._writer = writer
        self._skip = skip
        self._shift = 0
        #: Whether the writer has to encode silence, rather than leave a hole.
        self.encodes_silence: bool = getattr(writer, "encodes_silence", False)

    @property
    def samples(self) -> int:
        """Length so far, in samples at 48 kHz."""
        return self._writer.samples

    def write(self, opus: bytes) -> None:
        """Append one packet, decoded. Raises ``ValueError`` if it is not Opus.

        One that only turns out to be damaged in the decoder is concealed instead.
        """
        if not opus_duration(opus):
            raise ValueError(f"{len(opus)} bytes that are no Opus packet")
        pcm = self._concealer.decode(_Packet(0, opus))
        self._append(_stretched(pcm, self._channels, self._shift) if self._shift else pcm)
        self._shift = 0

    def conceal(self, samples: int, following: bytes = b"") -> None:
        """Stand in for lost packets."""
        each = opus_duration(following) or FRAME_SAMPLES
        packets = max(1, samples // each)
        lost = Lost(packets, 0, 0, packets * each, samples)
        self._append(self._concealer.decode(lost, _Packet(packets, following)))

    def pause(self, samples: int) -> None:
        """Let time pass in which nothing was sent: silence."""
        skipped = min(self._skip, samples)
        self._skip -= skipped
        if samples > skipped:
            self._writer.silence(samples - skipped)

    def shift(self, samples: int) -> None:
        """Stretch the next packet by so many samples (or squeeze it)."""
        self._shift += samples

    def flush(self) -> None:
        """Bring everything so far to the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Finish the file. Idempotent."""
        self._writer.close()

    def _append(self, pcm: bytes) -> None:
        width = 2 * self._channels
        skipped = min(self._skip, len(pcm) // width)
        self._skip -= skipped
        self._writer.append(memoryview(pcm)[skipped * width :] if skipped else pcm)


def _stretched(pcm: bytes, channels: int, by: int) -> bytes:
    """Interpolate a frame to a few samples more or less; its ends stay where they are."""
    import numpy as np
    import numpy.typing as npt

    frame: npt.NDArray[np.int16] = np.frombuffer(pcm, np.int16).reshape(-1, channels)
    at = np.linspace(0, len(frame) - 1, len(frame) + by)
    index = np.arange(len(frame))
    moved = [np.interp(at, index, frame[:, n]) for n in range(channels)]
    return np.stack(moved, 1).round().astype(np.int16).tobytes()
