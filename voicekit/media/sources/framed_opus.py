"""Opus packets behind their lengths: what some Discord libraries store and stream.

framed   u32 little-endian length, packet, …         disgo's OpusReader and OpusWriter
DCA0     s16 little-endian length, packet, …
DCA1     "DCA1", s32 little-endian length of JSON, JSON, then as DCA0
"""

import json
import os
import struct
from collections.abc import Collection, Iterator, Mapping
from typing import Any, BinaryIO

from ..._rtp import SAMPLE_RATE, opus_duration
from ...errors import MediaError
from ..output_file import OutputFile
from .input_file import File, InputFile

__all__ = ["DCA_MAGIC", "FramedOpusReader", "FramedOpusWriter"]

DCA_MAGIC = b"DCA1"
_FRAMED_LENGTH = struct.Struct("<I")
_DCA_LENGTH = struct.Struct("<h")
_HEADER_LENGTH = struct.Struct("<i")
#: RFC 7845 section 3: the largest Opus packet that makes sense. A length beyond it is no length.
_MAX_PACKET = 61_298
#: The JSON may hold a cover picture.
_MAX_HEADER = 16 * 1024 * 1024
#: The texts of DCA1's "info" that other files have as tags.
_INFO = ("title", "artist", "album", "genre", "comments")


class FramedOpusReader:
    """Read packets behind their lengths; iterate, or `read` until None.

    ``dca`` for DCA0 and DCA1, which are told apart by the magic. A packet that is cut off at the
    end is left out. Raises `MediaError` for what can not be read, or is no length.
    """

    def __init__(self, file: File | InputFile, *, dca: bool = False) -> None:
        self.input = file if isinstance(file, InputFile) else InputFile(file)
        self.name = self.input.name
        self._length = _DCA_LENGTH if dca else _FRAMED_LENGTH
        self._at = 0
        self._first = 0
        #: ``"framed-opus"`` or ``"dca"``.
        self.container = "dca" if dca else "framed-opus"
        #: DCA1: the JSON, as it is there.
        self.header: Mapping[str, Any] = {}
        try:
            if self.input.stream is None:
                raise MediaError(f"{self.name}: Opus behind lengths is read from files, not URLs")
            self._stream = self.input.stream
            if dca and self.input.head == DCA_MAGIC:
                self.header = self._read_header()
            self._first = self._at
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.read, None)

    @property
    def metadata(self) -> Mapping[str, str]:
        """The tags of DCA1: title, artist, album, genre, comments."""
        info = self.header.get("info")
        info = info if isinstance(info, dict) else {}
        return {key: str(info[key]) for key in _INFO if info.get(key)}

    def read(self) -> bytes | None:
        """Return the next packet, or None at the end."""
        head = self._take(self._length.size)
        if len(head) < self._length.size:
            return None
        (length,) = self._length.unpack(head)
        if not 0 < length <= _MAX_PACKET:
            at = self._at - self._length.size
            raise MediaError(f"{self.name} is damaged at byte {at}: a packet of {length} bytes")
        packet = self._take(length)
        return packet if len(packet) == length else None

    def rewind(self) -> None:
        """Go back to the first packet. Raises `MediaError` if the stream can not."""
        self.input.rewind()
        self._at = 0
        self._take(self._first)

    def close(self) -> None:
        """Close the file, if it was opened here. Idempotent."""
        self.input.close()

    def _read_header(self) -> Mapping[str, Any]:
        self._take(len(DCA_MAGIC))
        size = self._take(_HEADER_LENGTH.size)
        length = _HEADER_LENGTH.unpack(size)[0] if len(size) == _HEADER_LENGTH.size else -1
        if not 0 <= length <= _MAX_HEADER:
            raise MediaError(f"{self.name} is damaged: DCA1 with {length} bytes of JSON")
        try:
            header = json.loads(self._take(length))
        except (ValueError, RecursionError) as error:
            raise MediaError(f"{self.name} is damaged: DCA1 with JSON that is none") from error
        return header if isinstance(header, dict) else {}

    def _take(self, size: int) -> bytes:
        """Return so many bytes, fewer only at the end; a pipe gives what it has."""
        parts = []
        while size and (part := self._stream.read(size)):
            parts.append(part)
            size -= len(part)
        self.input.check()
        data = b"".join(parts)
        self._at += len(data)
        return data


class FramedOpusWriter:
    """Write packets behind a u32 little-endian length, as disgo's OpusWriter does.

    ``file`` is a path, or a binary file object. ``users``: whose packets are written;
    None for everybody's. Raises `MediaError` when the file can not be written.
    """

    def __init__(
        self, file: str | os.PathLike[str] | BinaryIO, *, users: Collection[int] | None = None
    ) -> None:
        self._users = users
        #: Samples at 48 kHz so far.
        self.samples = 0
        self._file = OutputFile(file)

    def write(self, opus: bytes, user_id: int | None = None) -> bool:
        """Append one packet; False if it is of a user who is left out.

        Raises ``ValueError`` if it is not Opus.
        """
        if self._users is not None and user_id not in self._users:
            return False
        duration = opus_duration(opus)
        if not duration or len(opus) > _MAX_PACKET:
            raise ValueError(f"{len(opus)} bytes that are no Opus packet")
        self._file.write(_FRAMED_LENGTH.pack(len(opus)) + opus)
        self.samples += duration
        return True

    def close(self) -> None:
        """Close the file, if it was opened here. Idempotent."""
        if not self._file.closed:
            self._file.close()


def length_of(reader: FramedOpusReader) -> tuple[float, int]:
    """Read to the end; return the length in seconds and the bytes of Opus."""
    samples = size = 0
    for packet in reader:
        samples += opus_duration(packet)
        size += len(packet)
    return samples / SAMPLE_RATE, size
