"""Where Opus packets come from: containers that FFmpeg takes apart, or packets behind lengths."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from ..._rtp import SAMPLE_RATE, opus_duration
from .audio_file import AudioFile
from .framed_opus import FramedOpusReader, length_of
from .source import Medium

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet

__all__ = ["ContainedPackets", "FramedPackets", "OpusPackets", "is_plain_opus"]

# OpusHead (RFC 7845 section 5.1), which FFmpeg hands out for every container.
HEAD_CHANNELS = 9
HEAD_GAIN = slice(16, 18)
HEAD_FAMILY = 18

#: Time stamps in milliseconds (Matroska) are off by up to half of one.
_ROUNDING = 0.001


class OpusPackets(Medium, Protocol):
    """Opus packets of any duration, in order."""

    def read(self) -> bytes | None:
        """Return the next packet, or None at the end. Raises `MediaError`."""

    def seek(self, seconds: float) -> float:
        """Go to the packet that holds this moment; return the moment at which it begins.

        The end if that is earlier. Raises `MediaError` if it can not.
        """

    def close(self) -> None:
        """Let go of the file. Idempotent."""


class ContainedPackets:
    """The packets of an `AudioFile`."""

    def __init__(self, file: AudioFile) -> None:
        self.name = file.name
        self._file = file
        self._packets = file.packets()
        self._origin: float | None = None
        self._held: bytes | None = None

    @property
    def duration(self) -> float | None:
        """Length in seconds, as the file says; None where it does not."""
        return self._file.duration

    @property
    def metadata(self) -> Mapping[str, str]:
        """Tags, with their names in lower case."""
        return self._file.metadata

    @property
    def seekable(self) -> bool:
        """Whether the file is no pipe."""
        return self._file.seekable

    def read(self) -> bytes | None:
        """Return the next packet, or None at the end."""
        if self._held is not None:
            packet, self._held = self._held, None
            return packet
        for found in self._packets:
            if self._origin is None:
                self._origin = self._time(found)
            return bytes(found)
        return None

    def seek(self, seconds: float) -> float:
        """Go to the packet that holds this moment; see `OpusPackets`."""
        self._held = None
        target = seconds + (self._origin or 0.0)
        end = self._find(self._file.seek(target), target)
        if end is None:  # landed behind it, or the container lied
            end = self._find(self._file.seek(target, rewind=True), target) or 0.0
        return max(0.0, end - (self._origin or 0.0))

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        self._packets = iter(())
        self._held = None
        self._file.close()

    def _find(self, packets: "Iterator[Packet[AudioStream]]", target: float) -> float | None:
        """Hold the packet at the target, or the end. None if that lies before the first."""
        self._packets = packets
        end: float | None = None
        for packet in packets:
            content = bytes(packet)
            at = self._time(packet)
            if end is None and at > target + _ROUNDING:
                return None
            end = at + opus_duration(content) / SAMPLE_RATE
            if end > target + _ROUNDING:
                self._held = content
                return at
        return end

    def _time(self, packet: "Packet[AudioStream]") -> float:
        return float((packet.pts or 0) * self._file.time_base)


class FramedPackets:
    """The packets of a `FramedOpusReader`: to seek is to read on from the first."""

    def __init__(self, reader: FramedOpusReader) -> None:
        self.name = reader.name
        self._reader = reader
        self._held: bytes | None = None
        self._duration: float | None = None
        if self.seekable:
            self._duration = length_of(reader)[0]
            reader.rewind()

    @property
    def duration(self) -> float | None:
        """Length in seconds, by counting; None for a pipe."""
        return self._duration

    @property
    def metadata(self) -> Mapping[str, str]:
        """What DCA1 says."""
        return self._reader.metadata

    @property
    def seekable(self) -> bool:
        """Whether it is no pipe."""
        return self._reader.input.seekable

    def read(self) -> bytes | None:
        """Return the next packet, or None at the end."""
        if self._held is not None:
            packet, self._held = self._held, None
            return packet
        return self._reader.read()

    def seek(self, seconds: float) -> float:
        """Go to the packet that holds this moment; see `OpusPackets`."""
        self._held = None
        self._reader.rewind()
        samples, target = 0, round(seconds * SAMPLE_RATE)
        for packet in self._reader:
            duration = opus_duration(packet)
            if samples + duration > target:
                self._held = packet
                break
            samples += duration
        return samples / SAMPLE_RATE

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        self._reader.close()


def is_plain_opus(file: AudioFile) -> bool:
    """Whether any receiver decodes the packets as they are: one stream, and no gain to add."""
    if not file.is_opus:
        return False
    head = file.stream.codec_context.extradata or b""
    if len(head) <= HEAD_FAMILY:
        return file.stream.codec_context.channels <= 2
    return head[HEAD_CHANNELS] <= 2 and head[HEAD_GAIN] == b"\0\0" and head[HEAD_FAMILY] == 0
