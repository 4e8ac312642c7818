"""Reading audio files with PyAV: open, find the audio, demultiplex, decode, seek.

Every fault becomes a `MediaError` of one line that names the file.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from ...errors import MediaError
from .input_file import File, InputFile, one_line

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

__all__ = ["TIMEOUT", "AudioFile", "Format", "RawPcm"]

#: Seconds for which a URL may send nothing: three times what a slow server takes.
TIMEOUT = 10.0

#: Containers whose own index or timestamps say exactly what is where. In others (MP3, ADTS,
#: AC-3, ADPCM, WMA …) FFmpeg estimates from the bit rate: there we read on from the beginning.
_EXACT_SEEK = {"flac", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "ogg"}
#: Decoders need what is before the wanted place: MP3 up to nine packets, Opus 80 ms.
_PRE_ROLL = 0.3


@dataclass(frozen=True, slots=True)
class RawPcm:
    """The format of samples without a header, by FFmpeg's name: ``s16le``, ``f32le``, ``u8`` …"""

    sample_format: str = "s16le"
    sample_rate: int = 48_000
    channels: int = 2

    def __post_init__(self) -> None:
        if self.sample_rate < 1 or self.channels < 1:
            raise ValueError(
                f"raw PCM has at least 1 Hz and 1 channel, not {self.sample_rate}, {self.channels}"
            )


#: What it is, where the content does not say: FFmpeg's name of a demultiplexer, or raw PCM.
Format: TypeAlias = str | RawPcm


class AudioFile:
    """The audio stream of a file that PyAV can open.

    ``timeout`` is for URLs: the seconds for which the server may send nothing.
    """

    stream: "AudioStream"

    def __init__(
        self, file: File | InputFile, format: Format | None = None, *, timeout: float = TIMEOUT
    ) -> None:
        self._resources = contextlib.ExitStack()
        self._timeout = timeout
        with contextlib.ExitStack() as opening:
            opening.callback(self.close)
            self.input = file if isinstance(file, InputFile) else InputFile(file)
            self._resources.callback(self.input.close)
            self.name = self.input.name
            self._container = self._open(format)
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
    def container(self) -> str:
        """FFmpeg's name of the container: ``"ogg"``, ``"mp3"``, ``"matroska,webm"`` …"""
        return self._container.format.name

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec: ``"opus"``, ``"mp3"``, ``"pcm_s16le"`` …"""
        return self.stream.codec_context.codec.canonical_name

    @property
    def is_opus(self) -> bool:
        """Whether it holds Opus."""
        return self.codec == "opus"

    @property
    def bit_rate(self) -> int | None:
        """Bits per second of the audio, or else of all of the file; None if unknown."""
        return self.stream.bit_rate or self._container.bit_rate or None

    @property
    def metadata(self) -> Mapping[str, str]:
        """Tags, with their names in lower case. A stream's (Ogg has them there) go first."""
        found = {**self._container.metadata, **self.stream.metadata}
        return {_clean(key).lower(): _clean(value) for key, value in found.items()}

    @property
    def seekable(self) -> bool:
        """Whether it is no pipe."""
        return self.input.seekable

    @property
    def time_base(self) -> Fraction:
        """Seconds per unit of the packets' time stamps."""
        return self.stream.time_base or Fraction(1, 1_000_000)

    @property
    def seeks_exactly(self) -> bool:
        """Whether the container knows where each moment is; see `seek`."""
        if self.codec.startswith("pcm_") and self.container in ("wav", "aiff", "w64", "rf64"):
            return True
        return self.container in _EXACT_SEEK

    def packets(self) -> "Iterator[Packet[AudioStream]]":
        """Yield the packets of the audio stream, from where it was last sought."""
        packets = self._container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except Exception as error:  # what a file object's seek raises comes through, too
                self.input.check()
                raise MediaError(
                    f"{self.name} can not be read to its end: {self._reason(error)}"
                ) from error
            if packet is None:
                self.input.check()
                return
            if packet.size:  # the last one is empty: it flushes decoders
                yield packet

    def decode(self, packets: "Iterator[Packet[AudioStream]]") -> "Iterator[AudioFrame]":
        """Yield decoded frames. Packets that can not be decoded are left out, as players do."""
        import av

        for packet in packets:
            try:
                frames = self.stream.decode(packet)
            except av.FFmpegError:
                continue
            yield from frames
        with contextlib.suppress(av.FFmpegError, EOFError):
            yield from self.stream.decode(None)  # what the decoder still holds

    def seek(self, seconds: float, *, rewind: bool = False) -> "Iterator[Packet[AudioStream]]":
        """Yield packets from some way before ``seconds`` on, so that decoders get settled.

        With ``rewind``, and where the container does not know better, all of it is read from
        the beginning, without decoding it: slow for hours, but exact. Raises `MediaError` if it
        can not go back.
        """
        early = max(0.0, seconds - _PRE_ROLL)
        exact = self.seeks_exactly and not rewind
        self._jump(int(early / self.time_base) if exact and early else 0)
        packets = self.packets()
        return packets if exact else self._skip(packets, early)

    def close(self) -> None:
        """Close the file, if it was opened here. Idempotent."""
        self._resources.close()

    def _skip(
        self, packets: "Iterator[Packet[AudioStream]]", until: float
    ) -> "Iterator[Packet[AudioStream]]":
        skipping = until > 0
        for packet in packets:
            if skipping and packet.pts is not None:
                skipping = (packet.pts + (packet.duration or 0)) * self.time_base < until
            if not skipping:
                yield packet

    def _jump(self, to: int) -> None:
        if not self.input.seekable:
            raise MediaError(f"{self.name} can not be sought: it is read as it comes")
        try:
            self._container.seek(to, stream=self.stream)
        except Exception as error:
            raise MediaError(f"{self.name} can not be sought: {self._reason(error)}") from error

    def _open(self, format: Format | None) -> "InputContainer":
        try:
            import av
        except ImportError as error:
            raise MediaError(
                "reading media files needs PyAV: pip install 'voicekit[media]'"
            ) from error
        options = {"protocol_whitelist": self.input.protocols}
        if isinstance(format, RawPcm):
            options["sample_rate"] = str(format.sample_rate)
            options["ch_layout"] = f"{format.channels} channels"
            format = format.sample_format
        what: Any = self.input.stream
        timeout = None
        if self.input.url is not None:
            what, timeout = self.input.url, self._timeout
            # HTTP: go on by a range request when the connection breaks.
            options |= {"reconnect": "1", "reconnect_delay_max": "2"}
        try:
            container = av.open(
                what, "r", format=format, options=options, timeout=timeout, **_lenient(av)
            )
        except Exception as error:
            self.input.check()
            if str(error).startswith("no container format"):  # PyAV's ValueError
                raise ValueError(f"FFmpeg knows no format {format!r}") from None
            reason = self._reason(error)
            if self.input.url is not None:
                raise MediaError(f"can not open {self.name}: {reason}") from error
            raise MediaError(f"{self.name} is not a media file, or is damaged: {reason}") from error
        opened: InputContainer = self._resources.enter_context(container)
        self.input.check()
        return opened

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

    def _reason(self, error: Exception) -> str:
        import av

        if isinstance(error, av.error.ExitError):
            return f"nothing came for {self._timeout:g} s"
        return one_line(error)


def _lenient(av: ModuleType) -> dict[str, Any]:
    """Keep PyAV from refusing files whose tags are not UTF-8. From 19 on it is so by itself."""
    version: str = av.__version__
    return {"metadata_errors": "ignore"} if int(version.partition(".")[0]) < 19 else {}


def _clean(tag: str) -> str:
    """Leave out what is not UTF-8: PyAV 19 keeps it, as surrogates that no one can print."""
    return tag.encode(errors="ignore").decode()
