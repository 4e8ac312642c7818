"""RTP packets (RFC 3550 §5.1), header extensions (RFC 8285), the receive order."""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

#: decrypt(nonce suffix, aad, ciphertext with tag) -> plaintext, or None for a wrong tag.
Decrypt = Callable[[bytes, bytes, bytes], bytes | None]

TAG = 16
SUFFIX = 4


class BadError(Exception):
    """The packet is dropped; ``reason`` is the name under which it is counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class Packet:
    sequence: int
    timestamp: int
    ssrc: int
    payload_type: int = 120
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extension_profile: int | None = None
    extension_body: bytes = b""
    payload: bytes = b""
    padding: int = 0
    nonce: int | None = None
    header_size: int = field(default=0, compare=False)


@dataclass
class Header:
    """The clear part, and what it announces."""

    packet: Packet
    padded: bool
    words: int


def bits(value: int, high: int, low: int) -> int:
    """Bits ``high`` to ``low`` of a byte, counted as the RFC's drawings do: 0 is leftmost."""
    text = f"{value:08b}"
    return int(text[high : low + 1], 2)


def parse_header(data: bytes) -> Header:
    if len(data) < 12:
        raise BadError("too_short")
    if bits(data[0], 0, 1) != 2:
        raise BadError("bad_version")
    sequence, timestamp, ssrc = struct.unpack("!HII", data[2:12])
    packet = Packet(
        sequence, timestamp, ssrc, bits(data[1], 1, 7), bits(data[1], 0, 0) == 1, header_size=12
    )
    csrc_bytes = data[12 : 12 + 4 * bits(data[0], 4, 7)]
    if len(csrc_bytes) != 4 * bits(data[0], 4, 7):
        raise BadError("bad_header")
    packet.csrcs = struct.unpack(f"!{len(csrc_bytes) // 4}I", csrc_bytes)
    packet.header_size += len(csrc_bytes)
    words = 0
    if bits(data[0], 3, 3):
        preamble = data[packet.header_size : packet.header_size + 4]
        if len(preamble) != 4:
            raise BadError("bad_header")
        packet.extension_profile, words = struct.unpack("!HH", preamble)
        packet.header_size += 4
    return Header(packet, bits(data[0], 2, 2) == 1, words)


def parse_rest(header: Header, rest: bytes) -> Packet:
    """Extension body, payload and padding: everything behind the clear header."""
    packet = header.packet
    if 4 * header.words > len(rest):
        raise BadError("bad_extension")
    packet.extension_body = rest[: 4 * header.words]
    packet.payload = rest[4 * header.words :]
    if header.padded:
        if not packet.payload:
            raise BadError("bad_padding")
        packet.padding = packet.payload[-1]
        if not 1 <= packet.padding <= len(packet.payload):
            raise BadError("bad_padding")
        packet.payload = packet.payload[: len(packet.payload) - packet.padding]
    return packet


def parse(data: bytes) -> Packet:
    header = parse_header(data)
    return parse_rest(header, data[header.packet.header_size :])


def demux(data: bytes) -> str:
    if len(data) == 8 and (data[4:] == bytes(4) or data[:4].hex() in ("1337cafe", "1337f00d")):
        return "KEEPALIVE"
    if len(data) >= 8 and data[:4] in (b"\x00\x01\x00\x46", b"\x00\x02\x00\x46"):
        return "DISCOVERY"
    if len(data) >= 8 and bits(data[0], 0, 1) == 2 and data[1] in range(192, 224):
        return "RTCP"
    if len(data) >= 12 and bits(data[0], 0, 1) == 2:
        return "RTP"
    return "UNKNOWN"


def open_packet(decrypt: Decrypt, data: bytes) -> Packet:
    """The receive order; RTCP and video are refused as the wrong payload type."""
    kind = demux(data)
    if kind == "KEEPALIVE":
        raise BadError("keepalive")
    if kind == "DISCOVERY":
        raise BadError("discovery")
    if kind == "RTCP":
        raise BadError("payload_type")
    if kind == "UNKNOWN":
        raise BadError("too_short" if len(data) < 12 else "bad_version")
    if len(data) < 12 + TAG + SUFFIX:
        raise BadError("too_short")
    if data[1] % 128 != 120:
        raise BadError("payload_type")
    header = parse_header(data)
    clear, rest = data[: header.packet.header_size], data[header.packet.header_size :]
    if len(rest) < TAG + SUFFIX:
        raise BadError("bad_header")
    plain = decrypt(rest[-SUFFIX:], clear, rest[:-SUFFIX])
    if plain is None:
        raise BadError("bad_tag")
    packet = parse_rest(header, plain)
    packet.nonce = int.from_bytes(rest[-SUFFIX:], "big")
    if not packet.payload:
        raise BadError("empty")
    return packet


def build_clear(packet: Packet) -> bytes:
    first = 2 << 6 | len(packet.csrcs)
    if packet.padding:
        first += 1 << 5
    if packet.extension_profile is not None:
        first += 1 << 4
    second = packet.payload_type + (128 if packet.marker else 0)
    out = struct.pack("!BBHII", first, second, packet.sequence, packet.timestamp, packet.ssrc)
    for csrc in packet.csrcs:
        out += struct.pack("!I", csrc)
    if packet.extension_profile is not None:
        out += struct.pack("!HH", packet.extension_profile, len(packet.extension_body) // 4)
    return out


def build_rest(packet: Packet) -> bytes:
    padding = bytes(packet.padding - 1) + bytes([packet.padding]) if packet.padding else b""
    return packet.extension_body + packet.payload + padding


def build(packet: Packet) -> bytes:
    return build_clear(packet) + build_rest(packet)


def parse_extensions(profile: int, body: bytes) -> tuple[tuple[int, bytes], ...]:
    elements = []
    rest = body
    while rest:
        if rest[0] == 0:
            rest = rest[1:]
            continue
        if profile == 0xBEDE:
            id, length, rest = rest[0] // 16, rest[0] % 16 + 1, rest[1:]
            if id in (0, 15):
                break
        elif profile // 16 == 0x100:
            if len(rest) < 2:
                break
            id, length, rest = rest[0], rest[1], rest[2:]
        else:
            break
        if length > len(rest):
            break
        elements.append((id, rest[:length]))
        rest = rest[length:]
    return tuple(elements)


def build_extensions(elements: Iterable[tuple[int, bytes]], profile: int) -> bytes:
    body = b""
    for id, data in elements:
        if profile == 0xBEDE:
            body += bytes([16 * id + len(data) - 1]) + data
        else:
            body += bytes([id, len(data)]) + data
    while len(body) % 4:
        body += b"\0"
    return body
