"""WAV files and raw PCM (16 bit, 48 kHz, little-endian), readable while they grow.

The beginning of a WAV file, sizes in bytes. A RIFF size has 32 bits; past 4 GiB (6.2 hours of
stereo) the file becomes RF64 (EBU Tech 3306), in place: that is what ``JUNK`` keeps room for.

     0  "RIFF" size(4) "WAVE"          "RF64" FFFFFFFF "WAVE"
    12  "JUNK" 28 zeros(28)            "ds64" 28  RIFF size(8) data size(8) frames(8) 0(4)
    48  "fmt " 16 format(16)           the same
    72  "data" size(4)                 "data" FFFFFFFF
    80  samples
"""

import os
import struct
from typing import BinaryIO

from ..._rtp import SAMPLE_RATE
from ..output_file import OutputFile
from .decoding import DecodedSink

__all__ = ["PcmFile", "WavFile", "WavWriter"]

HEADER_SIZE = 80
#: Everything behind the size field of the RIFF chunk, without the samples.
RIFF_OVERHEAD = HEADER_SIZE - 8
UNKNOWN = 0xFFFF_FFFF
#: How often the sizes in the header are brought up to date, in samples.
HEADER_INTERVAL = SAMPLE_RATE
#: Silence from here on (samples) is a hole in a file on disk, and in pieces elsewhere.
LONG_SILENCE = SAMPLE_RATE


class PcmFile:
    """Nothing but samples (a path, or a binary file object)."""

    def __init__(self, file: str | os.PathLike[str] | BinaryIO, *, channels: int = 2) -> None:
        self._width = 2 * channels
        self._samples = 0
        self._on_disk = isinstance(file, str | os.PathLike)
        self._file = OutputFile(file)

    @property
    def samples(self) -> int:
        """Length so far, in samples per channel."""
        return self._samples

    def append(self, pcm: bytes | memoryview) -> None:
        """Append interleaved samples."""
        with self._file.named_errors():
            self._file.stream.write(pcm)
        self._samples += len(pcm) // self._width

    def silence(self, samples: int) -> None:
        """Append silence; a long one takes no room on a disk that knows holes."""
        if samples >= LONG_SILENCE and self._on_disk:
            stream = self._file.stream
            with self._file.named_errors():
                stream.flush()
                stream.truncate(stream.tell() + samples * self._width)
                stream.seek(0, os.SEEK_END)
            self._samples += samples
            samples = 0
        while samples > 0:
            step = min(samples, LONG_SILENCE)
            self.append(bytes(step * self._width))
            samples -= step

    def flush(self) -> None:
        """Bring everything so far to the disk."""
        if not self._file.closed:
            with self._file.named_errors():
                self._file.stream.flush()

    def close(self) -> None:
        """Finish the file. Idempotent."""
        self._file.finish(self.flush)


class WavFile(PcmFile):
    """Samples behind a header that is right once a second, after `flush`, and at the end.

    A file that can not seek gets a header that says "until the end".
    """

    def __init__(self, file: str | os.PathLike[str] | BinaryIO, *, channels: int = 2) -> None:
        super().__init__(file, channels=channels)
        self._channels = channels
        self._header_at = HEADER_INTERVAL
        self._file.write(self._header())

    def append(self, pcm: bytes | memoryview) -> None:
        """Append interleaved samples."""
        super().append(pcm)
        if self._samples >= self._header_at:
            self.flush()

    def silence(self, samples: int) -> None:
        """Append silence."""
        super().silence(samples)
        if self._samples >= self._header_at:
            self.flush()

    def flush(self) -> None:
        """Bring the header up to date."""
        if self._file.closed:
            return
        super().flush()
        self._header_at = self._samples + HEADER_INTERVAL
        if self._file.seekable:
            self._file.write_at(0, self._header())

    def _header(self) -> bytes:
        size = self._samples * self._width
        form = b"RIFF"
        riff_size = (RIFF_OVERHEAD + size) & UNKNOWN
        data_size = size & UNKNOWN
        reserved = struct.pack("<4sI28x", b"JUNK", 28)
        if RIFF_OVERHEAD + size >= UNKNOWN:
            form, riff_size, data_size = b"RF64", UNKNOWN, UNKNOWN
            sizes = (RIFF_OVERHEAD + size, size, self._samples)
            reserved = struct.pack("<4sIQQQI", b"ds64", 28, *sizes, 0)
        elif not self._file.seekable:
            riff_size = data_size = UNKNOWN
        rate = SAMPLE_RATE * self._width
        sound = (1, self._channels, SAMPLE_RATE, rate, self._width, 16)
        return b"".join(
            (
                struct.pack("<4sI4s", form, riff_size, b"WAVE"),
                reserved,
                struct.pack("<4sIHHIIHH", b"fmt ", 16, *sound),
                struct.pack("<4sI", b"data", data_size),
            )
        )


class WavWriter(DecodedSink):
    """Decode Opus packets into a WAV file (a path, or a binary file object).

    As with an Ogg file, the first ``PRE_SKIP`` samples are dropped, so that both have the same
    time line. Raises `MediaError` when the file can not be written, `OpusNotFound` without libopus.
    """

    def __init__(self, file: str | os.PathLike[str] | BinaryIO, *, channels: int = 2) -> None:
        super().__init__(WavFile(file, channels=channels), channels=channels)
