"""Reading audio files with PyAV: open, find the audio, demultiplex, decode, resample.

Every fault becomes a `MediaError` of one line that names the file.
"""

import contextlib
import io
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from .._rtp import SAMPLE_RATE
from ..errors import MediaError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

__all__ = ["FRAME_SAMPLES", "AudioFile", "File"]

#: 20 ms at 48 kHz, what Discord's own clients send.
FRAME_SAMPLES = 960
FRAME_BYTES = FRAME_SAMPLES * 2 * 2  # two channels of int16

File: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO

# The file is opened here and FFmpeg gets its content: a path that looks like a URL is no
# URL, and a playlist (HLS, concat) must not make FFmpeg fetch addresses or other files.
_OPTIONS = {"protocol_whitelist": "none"}


class AudioFile:
    """The audio stream of a file that PyAV can open."""

    stream: "AudioStream"

    def __init__(self, file: File) -> None:
        self._resources = contextlib.ExitStack()
        with contextlib.ExitStack() as opening:
            opening.callback(self.close)
            self.name, content = self._content(file)
            self._container = self._open(content)
            self.stream = self._choose_stream()
            opening.pop_all()

    @property
    def duration(self) -> float | None:
        """Length in seconds, as the file says; None where it does not."""
        if self.stream.duration is not None and self.stream.time_base is not None:
            return float(self.stream.duration * self.stream.time_base)
        if self._container.duration is not None:
            return self._container.duration / 1_000_000  # FFmpeg's AV_TIME_BASE
        return None

    @property
    def is_opus(self) -> bool:
        """Whether it holds Opus. FFmpeg has two decoders, and PyAV names the one it took."""
        return self.stream.codec_context.name in ("opus", "libopus")

    def packets(self) -> "Iterator[Packet[AudioStream]]":
        """Yield the packets of the audio stream."""
        import av

        try:
            for packet in self._container.demux(self.stream):
                if packet.size:  # the last one is empty: it flushes decoders
                    yield packet
        except (av.FFmpegError, OSError) as error:
            raise MediaError(f"{self.name} can not be read to its end: {_reason(error)}") from error

    def decode(
        self, packets: "Iterable[Packet[AudioStream]]", volume: float
    ) -> Iterator[memoryview]:
        """Yield frames of 20 ms, 48 kHz, stereo, int16; the last one filled with silence.

        Packets that can not be decoded are left out, as players do. A buffer that is yielded
        is valid until the next one.
        """
        resampler: _Resampler | None = None
        for frame in self._decoded(packets):
            # Chained streams may change their format in the middle.
            if resampler is not None and not resampler.takes(frame):
                yield from resampler.push(None)
                resampler = None
            if resampler is None:
                resampler = _Resampler(frame, volume)
            yield from resampler.push(frame)
        if resampler is not None:
            yield from resampler.push(None)

    def close(self) -> None:
        """Close the file, if it was opened here. Idempotent."""
        self._resources.close()

    def _decoded(self, packets: "Iterable[Packet[AudioStream]]") -> "Iterator[AudioFrame]":
        import av

        for packet in packets:
            try:
                frames = self.stream.decode(packet)
            except av.FFmpegError:
                continue
            yield from frames
        with contextlib.suppress(av.FFmpegError):
            yield from self.stream.decode(None)  # what the decoder still holds

    def _content(self, file: File) -> tuple[str, BinaryIO]:
        """Return a name for messages, and a seekable stream that is not empty."""
        content: BinaryIO
        if isinstance(file, bytes):
            name, content = "the given data", io.BytesIO(file)
        elif isinstance(file, str | os.PathLike):
            name = os.fspath(file)
            try:
                content = self._resources.enter_context(open(file, "rb"))  # noqa: SIM115
            except OSError as error:
                raise MediaError(f"can not read {name}: {_reason(error)}") from error
        else:
            name, content = str(getattr(file, "name", "the given stream")), file
        try:
            start = content.tell()
            empty = not content.read(1)
            content.seek(start)
        except OSError as error:
            raise MediaError(f"can not read {name}: {_reason(error)}") from error
        if empty:
            raise MediaError(f"{name} is empty")
        return name, content

    def _open(self, content: BinaryIO) -> "InputContainer":
        try:
            import av
        except ImportError as error:
            raise MediaError(
                "reading media files needs PyAV: pip install 'voicekit[media]'"
            ) from error
        try:
            container = av.open(content, "r", options=_OPTIONS, metadata_errors="ignore")
        except (av.FFmpegError, OSError) as error:
            raise MediaError(
                f"{self.name} is not a media file, or is damaged: {_reason(error)}"
            ) from error
        return self._resources.enter_context(container)

    def _choose_stream(self) -> "AudioStream":
        import av

        streams = self._container.streams
        if not streams.audio:
            held = " and ".join(sorted({stream.type for stream in streams})) or "nothing"
            raise MediaError(f"{self.name} holds no audio, only {held}")
        stream = streams.best("audio") or streams.audio[0]
        if not isinstance(stream, av.AudioStream):  # never seen; for the type checker
            raise MediaError(f"{self.name} holds no audio")
        return stream


class _Resampler:
    """FFmpeg filters: any samples in, frames of 20 ms out."""

    def __init__(self, frame: "AudioFrame", volume: float) -> None:
        from av.filter import Graph

        self._format = _format_of(frame)
        self._graph = Graph()
        layout, sample_format, rate = self._format
        chain = [
            self._graph.add_abuffer(
                format=sample_format, sample_rate=rate, layout=layout, time_base=frame.time_base
            )
        ]
        for name, arguments in (
            ("volume", f"volume={volume:.6f}:precision=float"),
            ("aformat", f"sample_fmts=s16:sample_rates={SAMPLE_RATE}:channel_layouts=stereo"),
            ("asetnsamples", f"nb_out_samples={FRAME_SAMPLES}:pad=1"),
            ("abuffersink", None),
        ):
            if name != "volume" or volume != 1:
                chain.append(self._graph.add(name, arguments))
        self._graph.link_nodes(*chain).configure()

    def takes(self, frame: "AudioFrame") -> bool:
        """Whether the frame has the format that the filters were made for."""
        return _format_of(frame) == self._format

    def push(self, frame: "AudioFrame | None") -> Iterator[memoryview]:
        """Yield what comes out after a frame went in; None flushes."""
        import av

        self._graph.push(frame)
        while True:
            try:
                out = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            # FFmpeg pads its buffers: take what is sound.
            yield memoryview(out.planes[0])[:FRAME_BYTES]


def _format_of(frame: "AudioFrame") -> tuple[str, str, int]:
    return frame.layout.name, frame.format.name, frame.sample_rate


def _reason(error: Exception) -> str:
    """Return the text of an error without the number and the file name around it."""
    return str(getattr(error, "strerror", None) or error)
