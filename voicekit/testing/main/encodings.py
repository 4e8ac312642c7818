"""How messages of the main gateway are packed: as JSON text, or in one compressed stream.

https://discord.com/developers/docs/events/gateway#encoding-and-compression
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import parse_qs, urlsplit

from voicekit.outputs import SendBinary, SendText

__all__ = ["Pack", "pack_for"]

#: Makes the output that carries one message to a link.
Pack = Callable[[int, bytes], SendText | SendBinary]


def _plain() -> Pack:
    return lambda link, message: SendText(link, message.decode())


def _zlib_stream() -> Pack:
    stream = zlib.compressobj()

    def pack(link: int, message: bytes) -> SendBinary:
        return SendBinary(link, stream.compress(message) + stream.flush(zlib.Z_SYNC_FLUSH))

    return pack


#: RFC 8878 section 3.1.1: magic number; no content size, no checksum, no dictionary; a
#: window of 128 KiB, which is also the largest block.
_ZSTD_HEADER = bytes.fromhex("28b52ffd 00 38")
_ZSTD_BLOCK = 1 << 17


def _zstd_stream() -> Pack:
    # One frame of raw blocks: what decompressors take is what matters here, not the size.
    header = iter([_ZSTD_HEADER])

    def blocks(message: bytes) -> Iterator[bytes]:
        for start in range(0, len(message), _ZSTD_BLOCK):
            block = message[start : start + _ZSTD_BLOCK]
            yield (len(block) << 3).to_bytes(3, "little") + block

    def pack(link: int, message: bytes) -> SendBinary:
        return SendBinary(link, next(header, b"") + b"".join(blocks(message)))

    return pack


_COMPRESSIONS: Mapping[str, Callable[[], Pack]] = {
    "": _plain,
    "zlib-stream": _zlib_stream,
    "zstd-stream": _zstd_stream,
}
#: API versions that libraries still speak.
VERSIONS = frozenset({"9", "10"})


def pack_for(target: str) -> Pack | tuple[int, str]:
    """Return how to pack messages for a request target such as ``/?v=10&encoding=json``.

    Or the close code and the reason for one that is not understood.
    """
    try:
        query = parse_qs(urlsplit(target).query, max_num_fields=16)
    except ValueError:
        return 4002, "the query is malformed"
    version, encoding, compress = (
        query.get(name, [default])[-1]
        for name, default in (("v", "10"), ("encoding", "json"), ("compress", ""))
    )
    if version not in VERSIONS:
        return 4012, f"only API versions {' and '.join(sorted(VERSIONS))} are spoken here"
    if encoding != "json":
        return 4002, "only the encoding json is spoken here"
    make = _COMPRESSIONS.get(compress)
    return (4002, "this compression is not known") if make is None else make()
