"""A sink of decoded audio: Opus in, PCM out, loss concealed, a drifting clock put right."""

from ..._rtp import SAMPLE_RATE, opus_duration
from ...opus_packet import opus_has_fec
from ..ogg import PRE_SKIP
from .sink import PcmWriter

__all__ = ["DecodedSink"]

#: Concealment is made in pieces of 20 ms: bounded memory.
CONCEAL_SAMPLES = 960


class DecodedSink:
    """A `Sink` that decodes into a `PcmWriter`.

    Lost packets come back from the one behind them where it repeats them (in-band FEC), else the
    decoder makes them up. The first ``skip`` samples are left out: by so many an encoder is late,
    so that the file lies on the timeline as an Ogg file does.

    Raises `MediaError` when the file can not be written, `OpusNotFound` without libopus.
    """

    def __init__(self, writer: PcmWriter, *, channels: int = 2, skip: int = PRE_SKIP) -> None:
        from ...opus import Decoder  # loads libopus; the Ogg recorder does without

        self._decoder = Decoder(SAMPLE_RATE, channels)
        self._channels = channels
        self._writer = writer
        self._skip = skip
        self._shift = 0

    @property
    def samples(self) -> int:
        """Length so far, in samples at 48 kHz."""
        return self._writer.samples

    def write(self, opus: bytes) -> None:
        """Append one packet, decoded. Raises ``ValueError`` if it is not Opus.

        One that only turns out to be damaged in the decoder is concealed instead.
        """
        from ...opus import OpusError

        duration = opus_duration(opus)
        if not duration:
            raise ValueError(f"{len(opus)} bytes that are no Opus packet")
        try:
            pcm = self._decoder.decode(opus)
        except OpusError:
            self.conceal(duration)
        else:
            self._append(_stretched(pcm, self._channels, self._shift) if self._shift else pcm)
            self._shift = 0

    def conceal(self, samples: int, following: bytes = b"") -> None:
        """Stand in for lost packets."""
        repeated = opus_duration(following) if opus_has_fec(following) else 0
        made_up = samples - repeated if samples >= repeated else samples
        while made_up >= CONCEAL_SAMPLES:
            self._append(self._decoder.decode(None, frame_size=CONCEAL_SAMPLES))
            made_up -= CONCEAL_SAMPLES
        if repeated and samples >= repeated:
            self.pause(made_up)
            self._append(self._decoder.decode(following, fec=True, frame_size=repeated))
        else:
            self.pause(made_up)

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
