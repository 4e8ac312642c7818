"""Files as sources of 20 ms Opus frames: their own packets where possible, encoded where not.

Nothing here knows of an event loop: `Source.read` works for 0.1 to 0.3 ms when it encodes,
and may wait for the disk.
"""

import itertools
import math
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from .._rtp import SAMPLE_RATE, opus_duration
from ..errors import MediaError
from .audio_file import FRAME_SAMPLES, AudioFile, File
from .ogg import is_filler

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet

__all__ = ["FileSource", "Frames", "Source", "open_source", "read_opus_packets"]

# OpusHead (RFC 7845 section 5.1), which FFmpeg hands out for every container.
HEAD_CHANNELS = 9
HEAD_GAIN = slice(16, 18)
HEAD_FAMILY = 18


class Frames(Protocol):
    """What playing needs of a source; every `Source` is one.

    With an attribute ``blocking = False`` it promises that `read` returns at once.
    """

    def read(self) -> bytes | None:
        """Return the next Opus frame of 20 ms, or None at the end."""


class Source(Protocol):
    """Something that plays."""

    @property
    def duration(self) -> float | None:
        """Length in seconds, as the file says; None where it does not."""

    @property
    def passthrough(self) -> bool:
        """Whether the frames are the file's own packets, byte for byte."""

    def read(self) -> bytes | None:
        """Return the next Opus frame of 20 ms, or None at the end."""

    def close(self) -> None:
        """Let go of the file. Idempotent."""


def open_source(file: File, *, bitrate: int = 128_000, volume: float = 1.0) -> "FileSource":
    """Open an audio file: a path, its bytes, or a seekable binary file object.

    Opus in packets of 20 ms passes through untouched, unless ``volume`` is not 1. Anything
    else is decoded, resampled to 48 kHz stereo and encoded with ``bitrate`` bits per second;
    a last frame that is not full is filled with silence. An MP3 cover is not looked at, and
    only the first (or default) audio stream is played.

    Raises `MediaError` with one line that says what is wrong with which file, ``ValueError``
    for a wrong setting, `OpusNotFound` if it must encode and there is no libopus.
    """
    if not (math.isfinite(volume) and volume >= 0):
        raise ValueError(f"volume is a finite number of at least 0, not {volume!r}")
    if not 500 <= bitrate <= 512_000:
        raise ValueError(f"bitrate is 500 to 512000 bit/s, not {bitrate!r}")
    opened = AudioFile(file)
    try:
        return FileSource(opened, bitrate, volume)
    except BaseException:
        opened.close()
        raise


def read_opus_packets(file: File) -> list[bytes]:
    """Return the Opus packets of a file, as they are, without those that only fill gaps."""
    opened = AudioFile(file)
    try:
        if not opened.is_opus:
            raise MediaError(f"{opened.name} holds {opened.stream.codec_context.name}, not Opus")
        packets = [bytes(packet) for packet in opened.packets()]
    finally:
        opened.close()
    return [packet for packet in packets if not is_filler(packet)]


class FileSource:
    """What `open_source` returns. The first frame is read at once, so a bad file shows early."""

    def __init__(self, opened: AudioFile, bitrate: int, volume: float) -> None:
        self._opened = opened
        self._bitrate = bitrate
        self._volume = volume
        self._passthrough = volume == 1 and _is_plain_opus(opened)
        self._frames = self._produce()
        self._first = next(self._frames, None)
        if self._first is None:
            raise MediaError(f"{opened.name} holds no audio that can be decoded: it is damaged")

    @property
    def duration(self) -> float | None:
        """Length in seconds, as the file says; None where it does not."""
        return self._opened.duration

    @property
    def passthrough(self) -> bool:
        """Whether the frames are the file's own packets.

        Should a packet of another length turn up in the middle, the rest is encoded anew, and
        this turns False.
        """
        return self._passthrough

    def read(self) -> bytes | None:
        """Return the next Opus frame of 20 ms, or None at the end.

        Packets that can not be decoded are left out. Raises `MediaError` if the file can not
        be read any further.
        """
        if self._first is not None:
            frame, self._first = self._first, None
            return frame
        return next(self._frames, None)

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        self._first = None
        self._frames.close()
        self._opened.close()

    def _produce(self) -> Generator[bytes, None, None]:
        packets: Iterator[Packet[AudioStream]] = self._opened.packets()
        if self._passthrough:
            for packet in packets:
                frame = bytes(packet)
                if opus_duration(frame) != FRAME_SAMPLES:
                    self._passthrough = False
                    packets = itertools.chain((packet,), packets)
                    break
                yield frame
            else:
                return
        yield from self._encode(packets)

    def _encode(self, packets: "Iterable[Packet[AudioStream]]") -> Iterator[bytes]:
        from ..opus import Encoder

        encoder = Encoder(SAMPLE_RATE, 2, "audio")
        encoder.bitrate = self._bitrate
        for pcm in self._opened.decode(packets, self._volume):
            yield encoder.encode(pcm)


def _is_plain_opus(opened: AudioFile) -> bool:
    """Whether any receiver decodes the packets as they are: one stream, and no gain to add."""
    if not opened.is_opus:
        return False
    head = opened.stream.codec_context.extradata or b""
    if len(head) <= HEAD_FAMILY:
        return opened.stream.codec_context.channels <= 2
    return head[HEAD_CHANNELS] <= 2 and head[HEAD_GAIN] == b"\0\0" and head[HEAD_FAMILY] == 0
