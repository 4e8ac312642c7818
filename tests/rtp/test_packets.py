"""Plain RTP packets: written by hand from RFC 3550 §5.1, read back, and refused."""

import pytest

from voicekit._rtp import (
    HEADER_SIZE,
    ONE_BYTE_PROFILE,
    TWO_BYTE_PROFILE,
    RtpPacket,
    build_header,
    build_packet,
    parse_packet,
)
from voicekit.codes import DropReason
from voicekit.errors import InvalidPacket

# V=2, no P X CC | M=0 PT=120 | sequence | timestamp | SSRC
PLAIN = bytes.fromhex("80 78 0102 03040506 0708090a") + b"opus"
# V=2, P X CC=2 | M=1 PT=111 | ... | two CSRCs | BEDE, 2 words | id 1 L=0, id 9 L=0, id 3 L=2
# and padding | payload | three bytes of padding
FULL = (
    bytes.fromhex("b2 ef ffff ffffffff 00000001 0000000a 0000000b")
    + bytes.fromhex("bede 0002 10 85 90 02 32 aabbcc")
    + b"opus"
    + bytes.fromhex("000003")
)


def test_reads_a_packet_without_options():
    packet = parse_packet(PLAIN)
    assert (packet.marker, packet.payload_type, packet.sequence) == (False, 120, 0x0102)
    assert (packet.timestamp, packet.ssrc) == (0x03040506, 0x0708090A)
    assert packet.csrcs == ()
    assert packet.extension_profile is None
    assert packet.extension_body == b""
    assert packet.extensions == ()
    assert (packet.payload, packet.padding) == (b"opus", 0)
    assert packet.nonce is None
    assert packet.header_size == HEADER_SIZE == 12


def test_reads_a_packet_with_every_option():
    packet = parse_packet(FULL)
    assert (packet.marker, packet.payload_type, packet.sequence) == (True, 111, 0xFFFF)
    assert (packet.timestamp, packet.ssrc) == (0xFFFF_FFFF, 1)
    assert packet.csrcs == (10, 11)
    assert packet.extension_profile == ONE_BYTE_PROFILE
    assert packet.extension_body == bytes.fromhex("1085900232aabbcc")
    assert packet.extensions == ((1, b"\x85"), (9, b"\x02"), (3, b"\xaa\xbb\xcc"))
    assert (packet.payload, packet.padding) == (b"opus", 3)
    assert packet.header_size == 12 + 8 + 4


def test_builds_what_it_reads():
    assert (
        build_packet(sequence=0x0102, timestamp=0x03040506, ssrc=0x0708090A, payload=b"opus")
        == PLAIN
    )
    assert (
        build_packet(
            sequence=0xFFFF,
            timestamp=0xFFFF_FFFF,
            ssrc=1,
            payload_type=111,
            marker=True,
            csrcs=[10, 11],
            extensions=[(1, b"\x85"), (9, b"\x02"), (3, b"\xaa\xbb\xcc")],
            padding=3,
            payload=b"opus",
        )
        == FULL
    )


def test_header_alone_is_the_clear_part_of_a_packet():
    header = build_header(
        sequence=0xFFFF,
        timestamp=0xFFFF_FFFF,
        ssrc=1,
        payload_type=111,
        marker=True,
        csrcs=(10, 11),
        extension_profile=ONE_BYTE_PROFILE,
        extension_words=2,
        padding=True,
    )
    assert header == FULL[:24]


def test_an_extension_may_be_empty():
    header = build_header(sequence=0, timestamp=0, ssrc=0, extension_profile=TWO_BYTE_PROFILE)
    packet = parse_packet(header + b"opus")
    assert (packet.extension_profile, packet.extension_body) == (TWO_BYTE_PROFILE, b"")
    assert packet.payload == b"opus"


def test_a_plain_packet_may_be_empty_or_all_padding():
    assert parse_packet(PLAIN[:12]).payload == b""
    packet = parse_packet(build_packet(sequence=0, timestamp=0, ssrc=0, padding=255))
    assert (packet.payload, packet.padding) == (b"", 255)


@pytest.mark.parametrize("size", range(12))
def test_anything_below_the_fixed_header_is_too_short(size):
    with pytest.raises(InvalidPacket) as caught:
        parse_packet(PLAIN[:size])
    assert caught.value.reason is DropReason.TOO_SHORT


@pytest.mark.parametrize("version", [0, 1, 3])
def test_other_versions_are_refused(version):
    with pytest.raises(InvalidPacket) as caught:
        parse_packet(bytes([version << 6 | PLAIN[0] & 0x3F]) + PLAIN[1:])
    assert caught.value.reason is DropReason.BAD_VERSION


@pytest.mark.parametrize("size", range(12, 24))
def test_csrcs_and_preamble_must_fit(size):
    with pytest.raises(InvalidPacket) as caught:
        parse_packet(FULL[:size])
    assert caught.value.reason is DropReason.BAD_HEADER


@pytest.mark.parametrize("size", range(24, 32))
def test_the_extension_body_must_fit(size):
    with pytest.raises(InvalidPacket) as caught:
        parse_packet(FULL[:size])
    assert caught.value.reason is DropReason.BAD_EXTENSION


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(b"", id="no byte to count in"),
        pytest.param(b"opus\x00", id="zero"),
        pytest.param(b"opus\x06", id="one more than there is"),
        pytest.param(b"opus\xff", id="255"),
    ],
)
def test_impossible_padding_is_refused(tail):
    header = build_header(sequence=0, timestamp=0, ssrc=0, padding=True)
    with pytest.raises(InvalidPacket) as caught:
        parse_packet(header + tail)
    assert caught.value.reason is DropReason.BAD_PADDING


def test_the_largest_extension_round_trips():
    elements = [(id % 255 + 1, bytes([id % 256]) * 255) for id in range(1020)]
    data = build_packet(
        sequence=0,
        timestamp=0,
        ssrc=0,
        extensions=elements,
        extension_profile=TWO_BYTE_PROFILE,
        payload=b"opus",
    )
    packet = parse_packet(data)
    assert packet.extensions == tuple(elements)
    assert packet.payload == b"opus"


@pytest.mark.parametrize(
    ("field", "limit"),
    [
        ("sequence", 0xFFFF),
        ("timestamp", 0xFFFF_FFFF),
        ("ssrc", 0xFFFF_FFFF),
        ("payload_type", 127),
        ("padding", 255),
    ],
)
def test_a_number_that_does_not_fit_its_field_is_a_value_error(field, limit):
    numbers = {"sequence": 1, "timestamp": 1, "ssrc": 1}
    build_packet(**{**numbers, field: limit})
    for wrong in (-1, limit + 1, 2**64, -(2**64)):
        with pytest.raises(ValueError, match=field):
            build_packet(**{**numbers, field: wrong})
    with pytest.raises(TypeError):
        build_packet(**{**numbers, field: "1"})


def test_other_wrong_arguments_are_value_errors():
    numbers = {"sequence": 1, "timestamp": 1, "ssrc": 1}
    with pytest.raises(ValueError, match="15 csrcs"):
        build_packet(**numbers, csrcs=range(16))
    with pytest.raises(ValueError, match="csrc"):
        build_packet(**numbers, csrcs=[2**32])
    with pytest.raises(ValueError, match="profile"):
        build_packet(**numbers, extensions=[(1, b"a")], extension_profile=0x2000)
    with pytest.raises(ValueError, match="extension_profile"):
        build_header(**numbers, extension_words=1)
    with pytest.raises(ValueError, match="extension_words"):
        build_header(**numbers, extension_profile=ONE_BYTE_PROFILE, extension_words=2**16)


def test_the_repr_shows_no_payload():
    packet = parse_packet(FULL)
    assert "opus" not in repr(packet)
    assert "4 bytes" in repr(packet)


def test_a_packet_can_not_be_made_or_changed_by_hand():
    with pytest.raises(TypeError):
        RtpPacket()
    with pytest.raises(AttributeError):
        parse_packet(PLAIN).sequence = 1
