"""Ogg pages, slow and obvious: RFC 3533 section 6, checksum bit by bit."""

import struct
from dataclasses import dataclass

CONTINUED, BEGIN, END = 1, 2, 4


@dataclass(frozen=True)
class Page:
    flags: int
    granule: int
    serial: int
    number: int
    lacing: bytes
    body: bytes

    @property
    def packets(self) -> list[bytes]:
        """The packets; a page whose last one goes on is not expected here."""
        assert not self.lacing or self.lacing[-1] < 255
        out, at, size = [], 0, 0
        for value in self.lacing:
            size += value
            if value < 255:
                out.append(self.body[at : at + size])
                at, size = at + size, 0
        return out


def crc(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = value << 1 ^ 0x104C11DB7 if value & 0x80000000 else value << 1
    return value


def parse(data: bytes) -> list[Page]:
    """Every page of a file. Raises AssertionError for anything that is out of order."""
    pages, at = [], 0
    while at < len(data):
        magic, version, flags, granule, serial, number, checksum, segments = struct.unpack_from(
            "<4sBBqIIIB", data, at
        )
        assert magic == b"OggS", f"no page at {at}"
        assert version == 0
        lacing = data[at + 27 : at + 27 + segments]
        end = at + 27 + segments + sum(lacing)
        assert len(lacing) == segments, "the page is cut"
        assert end <= len(data), "the page is cut"
        blank = data[at : at + 22] + bytes(4) + data[at + 26 : end]
        assert crc(blank) == checksum, f"page {number} has a wrong checksum"
        assert number == len(pages)
        pages.append(Page(flags, granule, serial, number, lacing, data[at + 27 + segments : end]))
        at = end
    assert len({page.serial for page in pages}) <= 1
    return pages
