"""RTCP: packets written by hand from RFC 3550 §6, and everything a stranger may send."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.independent.ciphers import Cipher
from tests.reference import rtcp as reference
from voicekit._crypto import TransportCipher
from voicekit._rtcp import RtcpPacket, build_compound, open_rtcp, parse_compound, seal_rtcp
from voicekit.codes import DropReason
from voicekit.errors import DecryptionFailed, InvalidPacket, LocalProtocolError, NonceExhausted
from voicekit.rtcp import (
    AppPacket,
    Feedback,
    Goodbye,
    ReceiverReport,
    ReportBlock,
    SdesChunk,
    SenderReport,
    SourceDescription,
    UnknownRtcp,
)

from .strategies import mutations, u8, u32

BLOCK = ReportBlock(
    ssrc=0x01020304,
    fraction_lost=0x40,
    lost=-2,
    highest_sequence=0x0001_0203,
    jitter=480,
    last_sr=0xAABBCCDD,
    delay=0x0001_8000,
)
BLOCK_BYTES = "01020304 40fffffe 00010203 000001e0 aabbccdd 00018000"

#: Each kind of packet, and its bytes.
VECTORS = [
    pytest.param(
        SenderReport(
            ssrc=9,
            ntp=0x83AA7E80_80000000,
            rtp_time=960,
            packets=50,
            octets=8000,
            reports=(BLOCK,),
            extension=b"more",
        ),
        "81c8 000d 00000009 83aa7e80 80000000 000003c0 00000032 00001f40"
        + BLOCK_BYTES
        + "6d6f7265",
        id="sender report",
    ),
    pytest.param(
        ReceiverReport(ssrc=9, reports=(BLOCK, BLOCK)),
        "82c9 000d 00000009" + BLOCK_BYTES + BLOCK_BYTES,
        id="receiver report",
    ),
    pytest.param(ReceiverReport(ssrc=9), "80c9 0001 00000009", id="empty receiver report"),
    pytest.param(
        SourceDescription(
            (
                SdesChunk(1, ((1, b"cname"), (2, b""))),
                SdesChunk(2),
                SdesChunk(3, ((8, b"12345"),)),
            )
        ),
        "83ca 0009 00000001 01 05 636e616d65 02 00 00 0000"
        "00000002 00000000 00000003 08 05 3132333435 00",
        id="source description",
    ),
    pytest.param(SourceDescription(), "80ca 0000", id="no chunk"),
    pytest.param(Goodbye((1, 2)), "82cb 0002 00000001 00000002", id="goodbye"),
    pytest.param(
        Goodbye((1,), b"leaving"), "81cb 0003 00000001 07 6c656176696e67", id="goodbye, reason"
    ),
    pytest.param(Goodbye(), "80cb 0000", id="goodbye of nobody"),
    pytest.param(
        AppPacket(5, 1, b"qtsi", b"\1\2\3\4"), "85cc 0003 00000001 71747369 01020304", id="app"
    ),
    pytest.param(
        Feedback(205, 15, 1, 2, b"\0\0\0\1"), "8fcd 0003 00000001 00000002 00000001", id="rtpfb"
    ),
    pytest.param(Feedback(206, 1, 1, 2), "81ce 0002 00000001 00000002", id="psfb"),
    pytest.param(UnknownRtcp(207, 31, b"\0\0\0\1"), "9fcf 0001 00000001", id="unknown type"),
]


@pytest.mark.parametrize(("packet", "text"), VECTORS)
def test_reads_and_builds(packet, text):
    data = bytes.fromhex(text)
    assert parse_compound(data) == (packet,)
    assert build_compound([packet]) == data


def test_reads_and_builds_all_of_them_in_one_compound_packet():
    packets = tuple(param.values[0] for param in VECTORS)
    data = b"".join(bytes.fromhex(param.values[1]) for param in VECTORS)
    assert parse_compound(data) == packets
    assert build_compound(packets) == data


def test_the_union_names_every_kind():
    assert {type(param.values[0]) for param in VECTORS} == set(RtcpPacket.__args__)


def test_padding_of_the_last_packet_is_removed():
    plain = bytes.fromhex("80c9 0001 00000009")
    padded = bytes.fromhex("a0c9 0003 00000009 00000000 00000008")
    assert parse_compound(padded) == parse_compound(plain)
    assert parse_compound(plain + padded) == parse_compound(plain) * 2


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("80c900", id="three bytes"),
        pytest.param("00c9 0001 00000009", id="version 0"),
        pytest.param("40c9 0001 00000009", id="version 1"),
        pytest.param("c0c9 0001 00000009", id="version 3"),
        pytest.param("80c9 0002 00000009", id="a word short"),
        pytest.param("80c9 0001 00000009 00", id="a byte over"),
        pytest.param("80c9 0001 00000009 80c9 ffff", id="second packet of 64 kilowords"),
        pytest.param("80c9 0000", id="receiver report without SSRC"),
        pytest.param("81c9 0006 00000009" + BLOCK_BYTES[:-9], id="block cut off"),
        pytest.param("9fc9 0007 00000009" + BLOCK_BYTES, id="31 blocks announced, one there"),
        pytest.param("80c8 0005" + "00000009" * 5, id="sender info cut off"),
        pytest.param("81ca 0000", id="chunk without SSRC"),
        pytest.param("81ca 0001 00000001", id="chunk without end"),
        pytest.param("81ca 0002 00000001 01020304", id="item without end"),
        pytest.param("81ca 0002 00000001 01ff6161", id="item past the end"),
        pytest.param("81ca 0002 00000001 01 02 6161", id="items without end"),
        pytest.param("82ca 0002 00000001 00000000", id="second chunk missing"),
        pytest.param("82cb 0001 00000001", id="second goodbye missing"),
        pytest.param("81cb 0002 00000001 04616161", id="reason past the end"),
        pytest.param("80cc 0001 00000001", id="app without name"),
        pytest.param("80cd 0001 00000001", id="feedback without media SSRC"),
        pytest.param("a0c9 0002 00000009 00000004 80c9 0001 00000009", id="padding before the end"),
        pytest.param("a0ca 0000", id="padding without a byte"),
        pytest.param("a0c9 0002 00000009 00000000", id="padding of 0"),
        pytest.param("a0c9 0002 00000009 00000003", id="padding of 3"),
        pytest.param("a0c9 0002 00000009 0000000c", id="padding longer than the packet"),
        pytest.param("a0c9 0002 00000009 00000008", id="padding over the SSRC"),
    ],
)
def test_malformed_packets_are_refused_whole(text):
    with pytest.raises(InvalidPacket) as caught:
        parse_compound(bytes.fromhex(text))
    assert caught.value.reason is DropReason.BAD_RTCP


@pytest.mark.parametrize(
    "packet",
    [
        SenderReport(2**32, 0, 0, 0, 0),
        SenderReport(0, 2**64, 0, 0, 0),
        SenderReport(0, 0, -1, 0, 0),
        SenderReport(0, 0, 0, 0, 0, extension=b"123"),
        ReceiverReport(0, (BLOCK,) * 32),
        ReceiverReport(0, (msgspec.structs.replace(BLOCK, fraction_lost=256),)),
        ReceiverReport(0, (msgspec.structs.replace(BLOCK, lost=2**23),)),
        ReceiverReport(0, (msgspec.structs.replace(BLOCK, lost=-(2**23) - 1),)),
        SourceDescription((SdesChunk(0, ((0, b"a"),)),)),
        SourceDescription((SdesChunk(0, ((256, b"a"),)),)),
        SourceDescription((SdesChunk(0, ((1, b"a" * 256),)),)),
        SourceDescription((SdesChunk(0),) * 32),
        Goodbye((0,) * 32),
        Goodbye((), b"a" * 256),
        AppPacket(32, 0, b"name"),
        AppPacket(0, 0, b"names"),
        AppPacket(0, 0, b"name", b"odd"),
        AppPacket(0, 0, b"name", bytes(4 * 0x10000)),
        Feedback(204, 0, 0, 0),
        Feedback(205, 32, 0, 0),
        UnknownRtcp(256, 0),
        UnknownRtcp(207, -1),
    ],
)
def test_what_does_not_fit_is_a_value_error(packet):
    with pytest.raises(ValueError):  # noqa: PT011 - each has a text of its own
        build_compound([packet])


def test_something_else_is_a_type_error():
    with pytest.raises(TypeError, match="str"):
        build_compound(["hello"])


# -- sealed -------------------------------------------------------------------------

PLAIN = build_compound([ReceiverReport(9, (BLOCK,)), Goodbye((9,))])


def test_the_first_eight_bytes_stay_clear(mode: str, theirs: Cipher):
    cipher = TransportCipher(mode, bytes(range(32)), nonce_start=5)
    sealed = seal_rtcp(cipher, PLAIN)
    assert sealed[:8] == PLAIN[:8]
    assert len(sealed) == len(PLAIN) + 20
    assert theirs.open(sealed, 8) == PLAIN[8:]
    assert sealed[-4:] == bytes([0, 0, 0, 5])
    assert cipher.counter.value == 6


def test_opens_what_the_other_end_sealed(cipher: TransportCipher, theirs: Cipher):
    for kind in (bytes, bytearray, memoryview):
        sealed = kind(theirs.seal(PLAIN[:8], PLAIN[8:], 77))
        assert open_rtcp(cipher, sealed) == PLAIN
    bare = PLAIN[:8]
    assert open_rtcp(cipher, theirs.seal(bare, b"", 78)) == bare


def test_altered_packets_do_not_open(cipher: TransportCipher):
    sealed = seal_rtcp(cipher, PLAIN)
    for at in range(2, len(sealed)):
        altered = bytearray(sealed)
        altered[at] ^= 1
        with pytest.raises(DecryptionFailed):
            open_rtcp(cipher, altered)


@pytest.mark.parametrize("size", range(28))
def test_too_few_bytes_for_a_tag(cipher: TransportCipher, size: int):
    with pytest.raises(InvalidPacket) as caught:
        open_rtcp(cipher, seal_rtcp(cipher, PLAIN)[:size])
    expected = DropReason.TOO_SHORT if size >= 8 else DropReason.BAD_RTCP
    assert caught.value.reason is expected


def test_rtp_is_no_rtcp(cipher: TransportCipher):
    with pytest.raises(InvalidPacket) as caught:
        open_rtcp(cipher, b"\x80\x78" + bytes(range(1, 60)))
    assert caught.value.reason is DropReason.BAD_RTCP
    for data in (b"", PLAIN[:7], b"\x80\x78" + bytes(range(1, 60))):
        with pytest.raises(LocalProtocolError):
            seal_rtcp(cipher, data)


def test_a_closed_or_used_up_cipher(cipher: TransportCipher, mode: str):
    sealed = seal_rtcp(cipher, PLAIN)
    cipher.close()
    with pytest.raises(LocalProtocolError):
        seal_rtcp(cipher, PLAIN)
    with pytest.raises(LocalProtocolError):
        open_rtcp(cipher, sealed)
    last = TransportCipher(mode, bytes(32), nonce_start=2**32 - 1)
    seal_rtcp(last, PLAIN)
    with pytest.raises(NonceExhausted):
        seal_rtcp(last, PLAIN)


# -- against the reference -----------------------------------------------------------


def parsed(data: bytes):
    try:
        return [plain(packet) for packet in parse_compound(data)]
    except InvalidPacket:
        return None


def plain(value):
    """Structs as the reference's tuples: the packet's name, then its fields."""
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if not isinstance(value, msgspec.Struct):
        return value
    fields = tuple(plain(item) for item in msgspec.structs.astuple(value))
    return fields if isinstance(value, ReportBlock | SdesChunk) else (type(value).__name__, *fields)


def reference_parsed(data: bytes):
    try:
        return reference.parse_compound(data)
    except reference.MalformedError:
        return None


blocks = st.builds(ReportBlock, u32, u8, st.integers(-(2**23), 2**23 - 1), u32, u32, u32, u32)
reports = st.lists(blocks, max_size=3).map(tuple)
words = st.binary(max_size=5).map(lambda data: data * 4)
texts = st.tuples(st.integers(1, 255), st.binary(max_size=40))
chunks = st.builds(SdesChunk, u32, st.lists(texts, max_size=3).map(tuple))
rtcp_packets = st.one_of(
    st.builds(SenderReport, u32, st.integers(0, 2**64 - 1), u32, u32, u32, reports, words),
    st.builds(ReceiverReport, u32, reports, words),
    st.builds(SourceDescription, st.lists(chunks, max_size=3).map(tuple)),
    st.builds(Goodbye, st.lists(u32, max_size=5).map(tuple), st.binary(max_size=255)),
    st.builds(AppPacket, st.integers(0, 31), u32, st.binary(min_size=4, max_size=4), words),
    st.builds(Feedback, st.sampled_from([205, 206]), st.integers(0, 31), u32, u32, words),
    st.builds(UnknownRtcp, st.integers(207, 223), st.integers(0, 31), words),
)
compounds = st.lists(rtcp_packets, min_size=1, max_size=4)


@given(compounds)
def test_what_is_built_is_read(packets):
    data = build_compound(packets)
    assert parse_compound(data) == tuple(packets)
    assert parsed(data) == reference_parsed(data)


@given(compounds.map(build_compound).flatmap(mutations))
def test_altered_compounds_read_as_the_reference_reads_them(data):
    assert parsed(data) == reference_parsed(data)


@given(st.integers(200, 208), st.integers(0, 255), st.binary(max_size=64))
def test_any_body_reads_as_the_reference_reads_it(kind, first, body):
    body = body[: len(body) // 4 * 4]
    data = bytes([0x80 | first % 64, kind, 0, len(body) // 4]) + body
    assert parsed(data) == reference_parsed(data)
