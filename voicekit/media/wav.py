"""WAV files (16 bit, 48 kHz) out of received Opus packets."""

import os
import wave
from typing import BinaryIO

from .._rtp import SAMPLE_RATE, opus_duration
from .ogg import PRE_SKIP
from .output_file import OutputFile

__all__ = ["WavWriter"]

#: Concealment is made in pieces of 20 ms, silence in pieces of 1 s: bounded memory.
CONCEAL_SAMPLES = 960
SILENCE_SAMPLES = SAMPLE_RATE
#: How often the sizes in the header are brought up to date, in samples.
HEADER_INTERVAL = SAMPLE_RATE


class WavWriter:
    """Decode Opus packets into a WAV file (a path, or a seekable binary file object).

    The header is right once a second and at the end. As with an Ogg file, the first
    ``PRE_SKIP`` samples are dropped, so that both have the same time line. A WAV file ends
    at 4 GiB, which is 6.2 hours of stereo.

    Raises `MediaError` when the file can not be written, `OpusNotFound` without libopus.
    """

    def __init__(self, file: str | os.PathLike[str] | BinaryIO, *, channels: int = 2) -> None:
        from ..opus import Decoder  # loads libopus; the Ogg recorder does without

        self._decoder = Decoder(SAMPLE_RATE, channels)
        self._width = 2 * channels
        self._skip = PRE_SKIP
        self._samples = 0
        self._header_at = HEADER_INTERVAL
        self._file = OutputFile(file)
        with self._file.named_errors():
            self._wave = wave.open(self._file.stream, "wb")  # noqa: SIM115
            self._wave.setparams((channels, 2, SAMPLE_RATE, 0, "NONE", "not compressed"))

    @property
    def samples(self) -> int:
        """Length so far, in samples at 48 kHz."""
        return self._samples

    def write(self, opus: bytes) -> None:
        """Append one packet, decoded. Raises ``ValueError`` if it is not Opus.

        One that only turns out to be damaged in the decoder is concealed instead.
        """
        from ..opus import OpusError

        duration = opus_duration(opus)
        if not duration:
            raise ValueError(f"{len(opus)} bytes that are no Opus packet")
        try:
            pcm = self._decoder.decode(opus)
        except OpusError:
            self.conceal(duration)
        else:
            self._append(pcm)

    def conceal(self, samples: int) -> None:
        """Stand in for lost packets with what the decoder makes up."""
        while samples >= CONCEAL_SAMPLES:
            self._append(self._decoder.decode(None, frame_size=CONCEAL_SAMPLES))
            samples -= CONCEAL_SAMPLES
        self.pause(samples)

    def pause(self, samples: int) -> None:
        """Let time pass in which nothing was sent: silence."""
        while samples > 0:
            step = min(samples, SILENCE_SAMPLES)
            self._append(bytes(step * self._width))
            samples -= step

    def close(self) -> None:
        """Finish the header and the file. Idempotent."""
        if self._file.closed:
            return
        try:
            with self._file.named_errors():
                self._wave.close()
        finally:
            self._file.close()

    def _append(self, pcm: bytes) -> None:
        skipped = min(self._skip, len(pcm) // self._width)
        self._skip -= skipped
        kept = memoryview(pcm)[skipped * self._width :]
        self._samples += len(kept) // self._width
        with self._file.named_errors():
            if self._samples >= self._header_at:
                self._header_at = self._samples + HEADER_INTERVAL
                self._wave.writeframes(kept)
            else:
                self._wave.writeframesraw(kept)
