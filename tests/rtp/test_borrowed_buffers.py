"""Buffers are borrowed for the call: never kept, never locked, and of any kind."""

import array

import pytest

from voicekit._crypto import TransportCipher
from voicekit._extensions import parse_extensions
from voicekit._rtcp import build_compound, open_rtcp, parse_compound, seal_rtcp
from voicekit._rtp import build_packet, demux, open_packet, opus_duration, parse_packet, seal_packet
from voicekit.discovery import build_reply, build_request, parse_reply, parse_request
from voicekit.rtcp import AppPacket, Goodbye, SdesChunk, SourceDescription

CIPHER = TransportCipher("aead_xchacha20_poly1305_rtpsize", bytes(32))
NUMBERS = {"sequence": 1, "timestamp": 2, "ssrc": 3}
ELEMENTS = [(1, b"\x05"), (9, b"\x02")]
COMPOUND = build_compound(
    [
        SourceDescription((SdesChunk(1, ((1, b"name"),)),)),
        AppPacket(1, 2, b"name", b"data"),
        Goodbye((1,), b"reason"),
    ]
)


def fields(packet):
    return (packet.payload, packet.extensions, packet.csrcs, packet.ssrc)


READERS = {
    "demux": (demux, COMPOUND),
    "parse_packet": (
        lambda data: fields(parse_packet(data)),
        build_packet(**NUMBERS, csrcs=[4], extensions=ELEMENTS, payload=b"opus", padding=3),
    ),
    "open_packet": (
        lambda data: fields(open_packet(CIPHER, data)),
        seal_packet(CIPHER, **NUMBERS, csrcs=[4], extensions=ELEMENTS, payload=b"opus"),
    ),
    "parse_extensions": (lambda data: parse_extensions(0xBEDE, data), b"\x10\x05\x90\x02"),
    "opus_duration": (opus_duration, b"\xf8\xff\xfe"),
    "parse_compound": (parse_compound, COMPOUND),
    "open_rtcp": (lambda data: open_rtcp(CIPHER, data), seal_rtcp(CIPHER, COMPOUND)),
    "parse_reply": (lambda data: parse_reply(data, 7), build_reply(7, "192.0.2.1", 5)),
    "parse_request": (parse_request, build_request(7)),
}


@pytest.mark.parametrize("name", READERS)
def test_what_is_read_survives_its_buffer(name):
    read, data = READERS[name]
    expected = read(data)
    buffer = bytearray(data)
    found = read(buffer)
    buffer[:] = b"\xaa" * len(buffer)
    buffer.append(0)  # a buffer that were still held could not grow
    assert found == expected
    assert read(memoryview(data)) == expected
    assert read(memoryview(b"x" + data + b"x")[1:-1]) == expected


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_buffer_is_a_type_error(name):
    read, _ = READERS[name]
    for wrong in (None, 5, "text"):
        with pytest.raises(TypeError):
            read(wrong)


def test_what_is_built_survives_its_buffer():
    payload = bytearray(b"opus")
    plain = build_packet(**NUMBERS, payload=payload)
    sealed = seal_packet(CIPHER, **NUMBERS, payload=payload)
    compound = bytearray(COMPOUND)
    rtcp = seal_rtcp(CIPHER, compound)
    payload[:], compound[:] = b"....", bytes(len(compound))
    payload.append(0)
    compound.append(0)
    assert parse_packet(plain).payload == open_packet(CIPHER, sealed).payload == b"opus"
    assert open_rtcp(CIPHER, rtcp) == COMPOUND


def test_items_wider_than_a_byte_count_as_their_bytes():
    words = array.array("I", b"\x80\x78\0\1" + bytes(8) + b"opus")
    assert parse_packet(words).payload == b"opus"
