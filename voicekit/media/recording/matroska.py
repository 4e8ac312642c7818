"""Matroska files with a track per user: Opus packets as they came, at their times (RFC 9559).

A muxer of FFmpeg's wants to know all tracks before the first packet; people join calls later. So
the list of tracks is written in place again when somebody comes, in room that is kept for it. The
file can be read at any time: its segment and its clusters have no length but what is there.

    EBML header
    Segment (unknown size)
      Info      timestamps in steps of 0.1 ms
      Tracks    one entry per user          ┐ 32 KiB together, rewritten
      Void      what is left of the room    ┘ when a user joins
      Cluster (unknown size)  Timestamp, SimpleBlock, SimpleBlock, ...
      Cluster ...             at least one a second
"""

import os
import struct
from typing import BinaryIO

from ..._rtp import SAMPLE_RATE, opus_duration
from ...errors import MediaError
from ..ogg import CELT_FRAMES, PRE_SKIP, SILENT_FRAME, STEREO, opus_head
from ..output_file import OutputFile

__all__ = ["MatroskaFile", "MatroskaTrack"]

#: Nanoseconds of one step of a timestamp. A block has 16 bits of them: 3.2 s in a cluster.
STEP = 100_000
STEPS_PER_SECOND = 1_000_000_000 // STEP
CLUSTER_STEPS = STEPS_PER_SECOND
#: Room for the tracks: 300 of them.
TRACKS_ROOM = 32 * 1024
#: What a decoder needs to hear before a point to be right there (RFC 7845 section 4.6).
SEEK_PRE_ROLL = 80_000_000
KEYFRAME = 0x80
#: "This size is not known", in eight bytes.
UNKNOWN_SIZE = b"\x01" + b"\xff" * 7

# Element IDs (RFC 9559 section 5.1).
EBML, EBML_VERSION, EBML_READ, DOC_TYPE = 0x1A45DFA3, 0x4286, 0x42F7, 0x4282
DOC_VERSION, DOC_READ = 0x4287, 0x4285
SEGMENT, INFO, TIMESTAMP_SCALE, MUXING_APP, WRITING_APP = (
    *(0x18538067, 0x1549A966, 0x2AD7B1, 0x4D80, 0x5741),
)
TRACKS, TRACK_ENTRY, TRACK_NUMBER, TRACK_UID, TRACK_TYPE = 0x1654AE6B, 0xAE, 0xD7, 0x73C5, 0x83
LACING, NAME, CODEC_ID, CODEC_PRIVATE, CODEC_DELAY = 0x9C, 0x536E, 0x86, 0x63A2, 0x56AA
PRE_ROLL, AUDIO, FREQUENCY, CHANNELS, VOID = 0x56BB, 0xE1, 0xB5, 0x9F, 0xEC
CLUSTER, TIMESTAMP, SIMPLE_BLOCK = 0x1F43B675, 0xE7, 0xA3
TYPE_AUDIO = 2


class MatroskaFile:
    """One file (a path, or a seekable binary file object) for all tracks of a recording."""

    def __init__(self, file: str | os.PathLike[str] | BinaryIO) -> None:
        self._file = OutputFile(file)
        if not self._file.seekable:
            raise MediaError(f"{self._file.name} can not seek, as a Matroska file has to")
        self._entries: list[bytes] = []
        self._cluster = -1  # its timestamp; -1: none was begun
        self._pending = bytearray()
        self._open = 0
        self._error: MediaError | None = None
        doc_type = _element(DOC_TYPE, b"matroska")
        versions = ((EBML_VERSION, 1), (EBML_READ, 1), (DOC_VERSION, 4), (DOC_READ, 2))
        ebml = _element(EBML, b"".join(_number(*one) for one in versions) + doc_type)
        apps = _element(MUXING_APP, b"voicekit") + _element(WRITING_APP, b"voicekit")
        info = _element(INFO, _number(TIMESTAMP_SCALE, STEP) + apps)
        head = ebml + _id(SEGMENT) + UNKNOWN_SIZE + info
        self._tracks_at = len(head)
        self._file.write(head + self._tracks())

    def track(self, name: str, lead: int = 0) -> "MatroskaTrack":
        """Add a track whose first packet comes ``lead`` samples after the beginning."""
        number = len(self._entries) + 1
        head = opus_head(2, PRE_SKIP)
        audio = _element(FREQUENCY, _float(SAMPLE_RATE)) + _number(CHANNELS, 2)
        parts = (
            _number(TRACK_NUMBER, number),
            _number(TRACK_UID, number),
            _number(TRACK_TYPE, TYPE_AUDIO),
            _number(LACING, 0),
            _element(NAME, name.encode()),
            _element(CODEC_ID, b"A_OPUS"),
            _element(CODEC_PRIVATE, head),
            _number(CODEC_DELAY, PRE_SKIP * 1_000_000_000 // SAMPLE_RATE),
            _number(PRE_ROLL, SEEK_PRE_ROLL),
            _element(AUDIO, audio),
        )
        self._entries.append(_element(TRACK_ENTRY, b"".join(parts)))
        self._file.write_at(self._tracks_at, self._tracks())
        self._open += 1
        return MatroskaTrack(self, number, lead)

    def add(self, number: int, position: int, packet: bytes) -> None:
        """Append a packet of a track at a position in samples."""
        if self._error is not None:
            raise self._error  # for every track: what follows would stand behind half a block
        step = round(position * STEPS_PER_SECOND / SAMPLE_RATE)
        relative = step - self._cluster
        if self._cluster < 0 or not -CLUSTER_STEPS <= relative < CLUSTER_STEPS:
            self._pending += _id(CLUSTER) + UNKNOWN_SIZE + _number(TIMESTAMP, step)
            self._cluster, relative = step, 0
        head = _size(number) + relative.to_bytes(2, "big", signed=True) + bytes([KEYFRAME])
        self._pending += _element(SIMPLE_BLOCK, head + packet)

    def flush(self) -> None:
        """Bring everything so far to the disk."""
        if self._pending and not self._file.closed:
            pending, self._pending = self._pending, bytearray()
            try:
                self._file.write(pending)
            except MediaError as error:
                self._error = error
                raise

    def leave(self) -> None:
        """End one track; with the last one the file is closed."""
        self._open -= 1
        self.flush()
        if not self._open:
            self.close()

    def close(self) -> None:
        """Finish the file. Idempotent."""
        self._file.finish(self.flush)

    def _tracks(self) -> bytes:
        tracks = _element(TRACKS, b"".join(self._entries))
        room = TRACKS_ROOM - len(tracks) - 9  # a Void of nine bytes is the shortest with this size
        if room < 0:
            raise MediaError(f"{self._file.name} has no room for another track")
        return tracks + _id(VOID) + (room | 1 << 56).to_bytes(8, "big") + bytes(room)


class MatroskaTrack:
    """The `Sink` of one user in a `MatroskaFile`. Gaps are what lies between timestamps."""

    def __init__(self, file: MatroskaFile, number: int, lead: int) -> None:
        self._file = file
        self._number = number
        self._position = lead
        self._toc = CELT_FRAMES[0][0] << 3 | STEREO
        self._closed = False

    @property
    def samples(self) -> int:
        """Where its last packet ends, in samples from the beginning of the file."""
        return max(0, self._position - PRE_SKIP)

    def write(self, opus: bytes) -> None:
        """Append one packet. Raises ``ValueError`` if it is not Opus."""
        duration = opus_duration(opus)
        if not duration:
            raise ValueError(f"{len(opus)} bytes that are no Opus packet")
        self._toc = opus[0] & ~3
        self._append(opus, duration)

    def conceal(self, samples: int, following: bytes = b"") -> None:
        """Stand in for lost packets, by packets of no length, which a decoder conceals."""
        duration = opus_duration(bytes([self._toc]))
        end = self._position + samples
        while end - self._position >= duration:
            self._append(bytes([self._toc]), duration)
        self._position = end

    def pause(self, samples: int) -> None:
        """Let time pass in which nothing was sent; a frame of silence ends what was before."""
        if samples >= CELT_FRAMES[0][1]:
            silence = bytes([CELT_FRAMES[0][0] << 3 | self._toc & STEREO]) + SILENT_FRAME
            self._file.add(self._number, self._position, silence)
        self._position += samples

    def flush(self) -> None:
        """Bring everything so far to the disk."""
        self._file.flush()

    def close(self) -> None:
        """End the track. Idempotent."""
        if not self._closed:
            self._closed = True
            self._file.leave()

    def _append(self, packet: bytes, duration: int) -> None:
        self._file.add(self._number, self._position, packet)
        self._position += duration


def _id(element: int) -> bytes:
    return element.to_bytes((element.bit_length() + 7) // 8, "big")


def _size(value: int) -> bytes:
    """An EBML number: as many leading zeros as bytes follow the first (RFC 8794 section 4)."""
    length = next(n for n in range(1, 9) if value < (1 << 7 * n) - 1)
    return (value | 1 << 7 * length).to_bytes(length, "big")


def _element(element: int, body: bytes) -> bytes:
    return _id(element) + _size(len(body)) + body


def _number(element: int, value: int) -> bytes:
    return _element(element, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def _float(value: float) -> bytes:
    return struct.pack(">d", value)
