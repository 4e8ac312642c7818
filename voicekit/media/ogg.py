"""Ogg Opus files, written packet by packet without re-encoding (RFC 3533, RFC 7845).

Why not FFmpeg's muxer: PyAV gives it an Opus stream only from an encoder or from another
file; it lets the granule position jump over lost packets, which RFC 7845 section 4.1 forbids;
and it can not trim the end. What is left to write is one page header. And so a recorder needs
neither FFmpeg nor libopus.

One page (RFC 3533 section 6), little-endian:

```
 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
| capture pattern "OggS"                                        |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
| version 0     | header type   | granule position: samples at  |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
| 48 kHz up to the end of the page, with the pre-skip           |
+                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                               | serial number of the stream   |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                               | number of the page            |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                               | CRC of the page, itself as 0  |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                               | segments      | lacing values |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
```
"""

import os
import random
import struct
import zlib
from collections.abc import Sequence
from typing import BinaryIO

from .._rtp import SAMPLE_RATE, opus_duration
from .output_file import OutputFile

__all__ = ["PRE_SKIP", "OggOpusWriter", "is_filler"]

#: Samples at 48 kHz by which libopus's encoder is late: what a player drops at the start.
PRE_SKIP = 312

BEGIN_OF_STREAM = 0x02
END_OF_STREAM = 0x04
MAX_SEGMENTS = 255
#: A longer packet would need a page of its own that continues on the next; RFC 7845 section 3
#: has 61,298 bytes as the largest packet that makes sense.
MAX_PACKET = 61_298
#: RFC 7845 section 4 asks for pages of at most one second.
PAGE_SAMPLES = SAMPLE_RATE

# The two low bits of an Opus TOC byte (RFC 6716 section 3.1): 3 says that a byte with the
# number of frames follows. Its two high bits would say that sizes differ, and padding.
FRAME_COUNT_CODE = 0x03
FRAME_COUNT_FLAGS = 0xC0
STEREO = 0x04
#: Fullband CELT configurations and the samples of their frames, longest first.
CELT_FRAMES = ((31, 960), (30, 480), (29, 240), (28, 120))
SHORTEST = 120
MAX_PACKET_SAMPLES = 5760
#: What CELT codes digital silence as; the silence that clients send is its TOC byte and this.
SILENT_FRAME = b"\xff\xfe"
#: 120 ms in one byte: two frames of 60 ms and of no length (RFC 6716 section 3.1: configuration 11,
#: code 1). Behind silence a decoder makes silence of it; its configuration does not matter, as
#: concealment stays with that of the packet before.
LONG_FILLER = 11 << 3 | 1
#: Fillers are put on pages of 24 s: a page of theirs costs more than what is on it.
FILLER_PAGE_SAMPLES = 200 * MAX_PACKET_SAMPLES


class OggOpusWriter:
    """Write Opus packets, as they are, to an Ogg file (a path, or a binary file object).

    The file is complete up to its last page at any time: after a crash at most the last
    second is missing, and nothing that came before `flush`. Raises `MediaError` when the file can
    not be written.

    ``pre_skip`` is how many samples a player drops at the start, ``tags`` are comments like
    ``"TITLE=…"``, ``serial`` tells streams in one file apart. ``lead`` is silence to begin with,
    exact to the sample.
    """

    def __init__(
        self,
        file: str | os.PathLike[str] | BinaryIO,
        *,
        channels: int = 2,
        pre_skip: int = PRE_SKIP,
        tags: Sequence[str] = (),
        serial: int | None = None,
        lead: int = 0,
    ) -> None:
        if channels not in (1, 2):
            raise ValueError(f"channels is 1 or 2, not {channels}")
        self._serial = random.getrandbits(32) if serial is None else serial
        self._page = 0
        self._page_at = 0  # where it begins in the file
        self._written = 0  # bytes of the page that are in the file already
        self._lacing = bytearray()
        self._packets: list[bytes] = []
        self._fillers = 0  # of them, those of one byte
        self._flushed = 0  # samples up to the end of the last page
        self._samples = 0  # samples up to the end of the last packet
        self._pre_skip = pre_skip
        self._toc = CELT_FRAMES[0][0] << 3 | (STEREO if channels == 2 else 0)
        self._owed = 0
        # Packets come in steps of 2.5 ms: what they are too long is skipped with the rest.
        filler = -(-lead // SHORTEST) * SHORTEST
        self._pre_skip = pre_skip = pre_skip + filler - lead
        headers = (opus_head(channels, pre_skip), _opus_tags(tags))
        self._file = OutputFile(file)
        for header in headers:
            self._add(header, 0)
            self._flush(BEGIN_OF_STREAM if self._page == 0 else 0)
        self.pause(filler)

    @property
    def samples(self) -> int:
        """Length so far, in samples at 48 kHz, as a player will have it."""
        return max(0, self._samples - self._pre_skip)

    def write(self, opus: bytes) -> None:
        """Append one packet. Raises ``ValueError`` if it is not Opus."""
        duration = opus_duration(opus)
        if not duration or len(opus) > MAX_PACKET:
            raise ValueError(f"{len(opus)} bytes that are no Opus packet")
        self._toc = opus[0] & ~FRAME_COUNT_CODE
        self._append(opus, duration)

    def conceal(self, samples: int, following: bytes = b"") -> None:
        """Stand in for lost packets, by packets that ask the decoder to conceal.

        RFC 7845 section 4.1: time passes only by packets. They take two bytes for 120 ms.
        Up to 1.25 ms, what is no multiple of 2.5 ms, are settled with the next gap.
        """
        self._fill(samples, b"", (self._toc >> 3, opus_duration(bytes([self._toc]))))

    def pause(self, samples: int) -> None:
        """Let time pass in which nothing was sent: a packet of silence, then a byte for 120 ms.

        Concealment alone would not do: long after a tone it still makes up noise.
        """
        first = min(samples, MAX_PACKET_SAMPLES)
        self._fill(first, SILENT_FRAME)
        self._owed += samples - first
        while self._owed >= MAX_PACKET_SAMPLES:
            self._append(bytes([LONG_FILLER | self._toc & STEREO]), MAX_PACKET_SAMPLES)
            self._owed -= MAX_PACKET_SAMPLES
        self._fill(0, SILENT_FRAME)

    def flush(self) -> None:
        """Write the page that is being filled as it is, to be written again when there is more.

        A file that can not seek keeps it back, up to a second of audio.
        """
        if self._packets and self._file.seekable and not self._file.closed:
            self._write_page(0)

    def close(self, length: int | None = None) -> None:
        """Finish the file; ``length`` cuts the end to so many samples. Idempotent.

        No more than the last page, one second, can be cut.
        """

        def write_end() -> None:
            if length is not None:
                end = max(self._flushed, min(self._samples, length + self._pre_skip))
                self._samples = end
            self._flush(END_OF_STREAM)

        self._file.finish(write_end)

    def _fill(self, samples: int, frame: bytes, *preferred: tuple[int, int]) -> None:
        """Append packets of so many equal frames; ``preferred`` is a configuration to try first.

        Behind the TOC byte comes the number of frames, then the frames.
        """
        self._owed += samples
        for config, duration in (*preferred, *CELT_FRAMES):
            head = config << 3 | self._toc & STEREO | FRAME_COUNT_CODE
            slack = SHORTEST // 2 if duration == SHORTEST else 0
            while self._owed + slack >= duration:
                count = min(self._owed + slack, MAX_PACKET_SAMPLES) // duration
                self._append(bytes([head, count]) + frame * count, count * duration)
                self._owed -= count * duration

    def _append(self, packet: bytes, duration: int) -> None:
        # A page is written when the next packet comes, not when it is full: the last one
        # must be there to carry the end-of-stream flag.
        full = len(self._lacing) + len(packet) // 255 + 1 > MAX_SEGMENTS
        fillers = len(packet) == 1 and len(self._packets) == self._fillers
        limit = FILLER_PAGE_SAMPLES if fillers else PAGE_SAMPLES
        if full or self._samples + duration - self._flushed > limit:
            self._flush()
            self._fillers = 0
        self._fillers += len(packet) == 1
        self._add(packet, duration)

    def _add(self, packet: bytes, duration: int) -> None:
        # Lacing: a value of 255 says that the packet goes on, a smaller one ends it.
        self._lacing += b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
        self._packets.append(packet)
        self._samples += duration

    def _flush(self, flags: int = 0) -> None:
        self._page_at += self._write_page(flags)
        self._written = 0
        self._page += 1
        self._flushed = self._samples
        self._lacing.clear()
        self._packets.clear()

    def _write_page(self, flags: int) -> int:
        """Write the page over what of it is in the file; return its size."""
        header = struct.pack(
            "<4sBBqIIIB",
            *(b"OggS", 0, flags, self._samples, self._serial, self._page, 0, len(self._lacing)),
        )
        page = bytearray(b"".join((header, self._lacing, *self._packets)))
        struct.pack_into("<I", page, 22, page_checksum(page))
        if self._written:
            self._file.write_at(self._page_at, page)
        else:
            self._file.write(page)
        self._written = len(page)
        return len(page)


def is_filler(packet: bytes) -> bool:
    """Whether a packet only stands for time: frames of no length, or silence, behind a count.

    Encoders write one frame of either without the count.
    """
    if len(packet) == 1 and packet[0] | STEREO == LONG_FILLER | STEREO:
        return True
    if len(packet) < 2 or packet[0] & FRAME_COUNT_CODE != FRAME_COUNT_CODE:
        return False
    return packet[2:] in (b"", SILENT_FRAME * packet[1]) and not packet[1] & FRAME_COUNT_FLAGS


def opus_head(channels: int, pre_skip: int) -> bytes:
    """RFC 7845 section 5.1: version 1, mapping family 0, no gain."""
    return struct.pack("<8sBBHIhB", b"OpusHead", 1, channels, pre_skip, SAMPLE_RATE, 0, 0)


def _opus_tags(tags: Sequence[str]) -> bytes:
    """RFC 7845 section 5.2: who wrote it, then the comments, each behind its length."""
    texts = [text.encode() for text in ("voicekit", *tags)]
    vendor, *comments = [struct.pack("<I", len(text)) + text for text in texts]
    packet = b"".join((b"OpusTags", vendor, struct.pack("<I", len(tags)), *comments))
    if len(packet) > MAX_PACKET:
        raise ValueError(f"the tags have {len(packet)} bytes, more than fit on a page")
    return packet


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def page_checksum(page: bytes | bytearray) -> int:
    """CRC-32 with polynomial 0x04C11DB7, from 0, highest bit first, not inverted.

    zlib has the same polynomial lowest bit first, and inverts before and after: so mirror
    what goes in and what comes out, and undo both inversions.
    """
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")
