"""FLAC, MP3 and fragmented MP4, encoded and written by FFmpeg, readable while they grow."""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec

from ..._rtp import SAMPLE_RATE
from ...errors import MediaError
from ..output_file import OutputFile

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

__all__ = ["CODINGS", "CodedFile", "Coding"]

WIDTH = 4  # bytes: two channels of int16
SILENCE_SAMPLES = SAMPLE_RATE


class Coding(msgspec.Struct, frozen=True):
    """How one format is written."""

    container: str
    codec: str
    bitrate: int | None = None
    options: dict[str, str] = {}


#: An MP4 file is unreadable before its index is there: fragments of 0.2 s have one each.
#: `delay_moov` makes room in it for the delay of the encoder.
_FRAGMENTS = {
    "movflags": "frag_keyframe+delay_moov+default_base_moof",
    "frag_duration": "200000",  # microseconds
    "min_frag_duration": "200000",
}

CODINGS = {
    "flac": Coding("flac", "flac"),
    "mp3": Coding("mp3", "libmp3lame", 128_000),
    "m4a": Coding("mp4", "aac", 128_000, _FRAGMENTS),
    "mp4": Coding("mp4", "aac", 128_000, _FRAGMENTS),
}


class CodedFile:
    """A `PcmWriter` over an encoder and a container of FFmpeg's."""

    encodes_silence = True

    def __init__(self, file: str | os.PathLike[str] | BinaryIO, coding: Coding) -> None:
        try:
            import av
        except ImportError as error:
            raise MediaError("this format needs PyAV: pip install 'voicekit[media]'") from error
        self._av = av
        self._samples = 0
        self._file = OutputFile(file)
        with self._named_errors():
            self._container: OutputContainer = av.open(
                self._file.stream,
                "w",
                format=coding.container,
                options={"flush_packets": "1", **coding.options},
            )
            stream = self._container.add_stream(coding.codec, rate=SAMPLE_RATE)
            self._stream = cast("AudioStream", stream)
            self._stream.layout = "stereo"
            if coding.bitrate is not None:
                self._stream.bit_rate = coding.bitrate
            self._stream.codec_context.open()
            self._resampler = av.AudioResampler(
                format=self._stream.format.name,
                layout="stereo",
                rate=SAMPLE_RATE,
                frame_size=self._stream.codec_context.frame_size or SAMPLE_RATE // 50,
            )

    @property
    def samples(self) -> int:
        """Length so far."""
        return self._samples

    def append(self, pcm: bytes | memoryview) -> None:
        """Encode interleaved samples."""
        count = len(pcm) // WIDTH
        if not count:
            return
        frame = self._av.AudioFrame(format="s16", layout="stereo", samples=count)
        frame.planes[0].update(_padded(pcm, frame.planes[0].buffer_size))
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._samples
        self._samples += count
        self._encode(frame)

    def silence(self, samples: int) -> None:
        """Encode silence."""
        while samples > 0:
            step = min(samples, SILENCE_SAMPLES)
            self.append(bytes(step * WIDTH))
            samples -= step

    def flush(self) -> None:
        """Bring everything so far to the disk, but for what is in the encoder or in a fragment."""
        if self._file.closed:
            return
        with self._named_errors():
            self._file.stream.flush()

    def close(self) -> None:
        """Finish the file. Idempotent."""
        self._file.finish(self._write_end)

    def _write_end(self) -> None:
        if not self._samples:
            self.silence(SAMPLE_RATE // 50)  # FFmpeg writes no header without audio
        self._encode(None)
        with self._named_errors():
            self._container.mux(self._stream.encode(None))
            self._container.close()

    def _encode(self, frame: "AudioFrame | None") -> None:
        with self._named_errors():
            for whole in self._resampler.resample(frame):
                self._container.mux(self._stream.encode(whole))

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        """PyAV's errors for a file that can not be written are the system's, or its own."""
        with self._file.named_errors():
            try:
                yield
            except self._av.FFmpegError as error:
                why = error.strerror or str(error)
                raise MediaError(f"can not write {self._file.name}: {why}") from error


def _padded(pcm: bytes | memoryview, size: int) -> bytes:
    """FFmpeg's buffers are longer than what is in them."""
    return bytes(pcm).ljust(size, b"\0")
