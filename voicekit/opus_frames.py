"""Opus packets taken apart and put together, without decoding: RFC 6716 section 3.2.

A packet is a TOC byte, how many frames follow, their lengths, and the frames. Frames of one
configuration can be regrouped freely: two packets of 10 ms are one of 20 ms, and one of 60 ms
that holds three frames is three of 20 ms. A single frame of 40 or 60 ms can not be cut.

    code 0   TOC, frame
    code 1   TOC, two frames of one size
    code 2   TOC, length, two frames
    code 3   TOC, v p M, [padding length], [M - 1 lengths if v], M frames, [padding]
"""

from collections.abc import Sequence

from ._rtp import opus_duration

__all__ = ["join_frames", "split_frames"]

_COUNT_CODE = 0x03
_FRAME_COUNT = 0x3F
_PADDED = 0x40
_VARIABLE = 0x80
#: Lengths from here on have a second byte, worth four times as much (section 3.2.1).
_LONG_LENGTH = 252
_MAX_FRAME = 1275
_MAX_SAMPLES = 5760


def split_frames(packet: bytes) -> list[bytes]:
    """Return the frames of a packet, each as a packet of its own.

    Raises ``ValueError`` for what breaks one of the rules R1 to R7 (section 3.4).
    """
    if not opus_duration(packet):
        raise _bad(packet)
    toc, code = packet[0] & ~_COUNT_CODE, packet[0] & _COUNT_CODE
    at, end = 1, len(packet)
    count, variable = (1, False) if code == 0 else (2, code == 2)
    if code == 3:
        count, variable = packet[1] & _FRAME_COUNT, bool(packet[1] & _VARIABLE)
        at = 2
        if packet[1] & _PADDED:
            at, padding = _padding(packet, at)
            end -= padding
    lengths = []
    if variable:
        for _ in range(count - 1):
            at, length = _length(packet, at)
            lengths.append(length)
        lengths.append(end - at - sum(lengths))
    else:
        size, rest = divmod(end - at, count)
        if rest:
            raise _bad(packet)
        lengths = [size] * count
    if any(not 0 <= length <= _MAX_FRAME for length in lengths):
        raise _bad(packet)
    head = bytes([toc])
    frames = []
    for length in lengths:
        frames.append(head + packet[at : at + length])
        at += length
    return frames


def join_frames(packets: Sequence[bytes]) -> bytes:
    """Return one packet of several that hold a frame each, as `split_frames` returns them.

    Raises ``ValueError`` if they differ in configuration or channels, or pass 120 ms.
    """
    if not packets or any(packet[:1] != packets[0][:1] for packet in packets):
        raise ValueError("frames of one packet have one configuration")
    if packets[0][0] & _COUNT_CODE:
        raise ValueError("packets to join hold one frame each: split them first")
    if opus_duration(packets[0]) * len(packets) > _MAX_SAMPLES:
        raise ValueError("an Opus packet holds at most 120 ms")
    if len(packets) == 1:
        return packets[0]
    toc, frames = packets[0][0], [packet[1:] for packet in packets]
    same = len({len(frame) for frame in frames}) == 1
    lengths = b"" if same else b"".join(_length_bytes(len(frame)) for frame in frames[:-1])
    if len(frames) == 2:
        head = bytes([toc | (1 if same else 2)])
    else:
        head = bytes([toc | 3, len(frames) | (0 if same else _VARIABLE)])
    return b"".join((head, lengths, *frames))


def _padding(packet: bytes, at: int) -> tuple[int, int]:
    """Return where the padding's length ends, and the padding's size: 255 is 254 and go on."""
    size = 0
    while True:
        if at >= len(packet):
            raise _bad(packet)
        byte = packet[at]
        at += 1
        size += min(byte, 254)
        if byte != 255:
            return at, size


def _length(packet: bytes, at: int) -> tuple[int, int]:
    if at >= len(packet):
        raise _bad(packet)
    first = packet[at]
    if first < _LONG_LENGTH:
        return at + 1, first
    if at + 1 >= len(packet):
        raise _bad(packet)
    return at + 2, first + 4 * packet[at + 1]


def _length_bytes(length: int) -> bytes:
    if length < _LONG_LENGTH:
        return bytes([length])
    first = _LONG_LENGTH + (length & 3)
    return bytes([first, (length - first) // 4])


def _bad(packet: bytes) -> ValueError:
    return ValueError(f"{len(packet)} bytes that are no Opus packet")
