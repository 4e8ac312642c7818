"""The receive order, on sealed packets: what passes, and under which reason the rest drops.

Packets are sealed by an independent implementation, which seals any header over any
plaintext, so that each step is reached with everything before it in order.
"""

import pytest

from tests.reference import rtp as reference
from voicekit._crypto import TransportCipher
from voicekit._rtp import (
    DROP_REASONS,
    PAYLOAD_TYPE_OPUS,
    build_header,
    build_keepalive,
    open_packet,
    seal_packet,
)
from voicekit.codes import SILENCE_FRAME, DropReason
from voicekit.discovery import build_reply, build_request
from voicekit.errors import DecryptionFailed, InvalidPacket, LocalProtocolError, NonceExhausted

OVERHEAD = 16 + 4


def header(**options) -> bytes:
    return build_header(sequence=7, timestamp=960, ssrc=99, **options)


def reason(cipher: TransportCipher, data: bytes) -> DropReason:
    with pytest.raises(InvalidPacket) as caught:
        open_packet(cipher, data)
    return caught.value.reason


def test_opens_what_the_other_end_sealed(cipher, theirs):
    packet = open_packet(cipher, theirs.seal(header(), b"opus", 0x01020304))
    assert (packet.sequence, packet.timestamp, packet.ssrc) == (7, 960, 99)
    assert packet.payload == b"opus"
    assert packet.nonce == 0x01020304
    assert packet.header_size == 12


def test_the_other_end_opens_what_we_sealed(mode, theirs):
    cipher = TransportCipher(mode, bytes(range(32)), nonce_start=5)
    data = seal_packet(
        cipher,
        sequence=1,
        timestamp=2,
        ssrc=3,
        payload=b"opus",
        marker=True,
        csrcs=[8, 9],
        extensions=[(1, b"\x0c"), (9, b"\x02")],
        padding=4,
    )
    clear = bytes.fromhex("b2 f8 0001 00000002 00000003 00000008 00000009 bede 0001")
    assert data[:24] == clear
    assert theirs.open(data, 24) == bytes.fromhex("100c 9002") + b"opus" + b"\0\0\0\4"
    assert data[-4:] == bytes([0, 0, 0, 5])
    assert cipher.counter.value == 6


@pytest.mark.parametrize("csrcs", [0, 1, 15])
@pytest.mark.parametrize("words", [None, 0, 1, 9])
@pytest.mark.parametrize("profile", [0xBEDE, 0x1000])
@pytest.mark.parametrize("padding", [0, 1, 255])
def test_every_combination_of_options_opens(cipher, theirs, csrcs, words, profile, padding):
    sent = reference.Packet(
        7,
        960,
        99,
        csrcs=tuple(range(csrcs)),
        extension_profile=None if words is None else profile,
        extension_body=bytes(range(4 * (words or 0))),
        payload=b"opus",
        padding=padding,
    )
    data = theirs.seal(reference.build_clear(sent), reference.build_rest(sent), 1)
    packet = open_packet(cipher, data)
    assert packet.csrcs == sent.csrcs
    assert packet.extension_profile == sent.extension_profile
    assert packet.extension_body == sent.extension_body
    assert packet.payload == b"opus"
    assert packet.padding == padding


@pytest.mark.parametrize("size", range(12))
def test_below_the_fixed_header_everything_is_too_short(cipher, size):
    for first in (0x80, 0x00, 0xFF):
        assert reason(cipher, bytes([first, 0x78, *range(1, 20)])[:size]) is DropReason.TOO_SHORT


@pytest.mark.parametrize("size", range(12, 12 + OVERHEAD))
def test_a_header_without_room_for_the_tag_is_too_short(cipher, size):
    assert reason(cipher, header() + bytes(size - 12)) is DropReason.TOO_SHORT


@pytest.mark.parametrize("first", [0x00, 0x40, 0xC0])
@pytest.mark.parametrize("size", [12, 31, 32, 100, 65507])
def test_other_versions_drop_whatever_their_size(cipher, first, size):
    assert reason(cipher, bytes([first, 0x78]) + bytes([1]) * (size - 2)) is DropReason.BAD_VERSION


def test_datagrams_that_are_not_rtp_are_named(cipher):
    assert reason(cipher, build_keepalive(0x80)) is DropReason.KEEPALIVE
    assert reason(cipher, bytes.fromhex("1337f00d00000001")) is DropReason.KEEPALIVE
    assert reason(cipher, build_request(1)) is DropReason.DISCOVERY
    assert reason(cipher, build_reply(1, "127.0.0.1", 5)) is DropReason.DISCOVERY


@pytest.mark.parametrize("payload_type", set(range(128)) - {PAYLOAD_TYPE_OPUS})
def test_other_payload_types_drop_before_decryption(payload_type):
    cipher = TransportCipher("aead_xchacha20_poly1305_rtpsize", bytes(32))
    for marker in (False, True):
        data = header(payload_type=payload_type, marker=marker) + bytes(40)  # the tag is wrong
        assert reason(cipher, data) is DropReason.PAYLOAD_TYPE


def test_the_marker_bit_is_no_part_of_the_payload_type(cipher, theirs):
    packet = open_packet(cipher, theirs.seal(header(marker=True), b"opus", 1))
    assert (packet.marker, packet.payload_type) == (True, PAYLOAD_TYPE_OPUS)


@pytest.mark.parametrize("csrcs", range(1, 16))
def test_csrcs_past_the_end_are_a_bad_header(cipher, csrcs):
    data = bytes([0x80 | csrcs]) + header()[1:] + bytes(OVERHEAD)
    assert reason(cipher, data) is DropReason.BAD_HEADER


@pytest.mark.parametrize("missing", [1, 4, 16, 20])
def test_an_extension_preamble_past_the_end_is_a_bad_header(cipher, missing):
    data = header(csrcs=range(4), extension_profile=0xBEDE) + bytes(OVERHEAD - missing)
    assert reason(cipher, data) is DropReason.BAD_HEADER


def test_every_bit_of_the_packet_is_authenticated(cipher, theirs):
    sealed = theirs.seal(header(csrcs=[1]), b"opus", 1)
    for bit in range(8 * len(sealed)):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises((DecryptionFailed, InvalidPacket)):
            open_packet(cipher, altered)


def test_a_wrong_key_is_a_failed_decryption(mode, theirs):
    with pytest.raises(DecryptionFailed):
        open_packet(TransportCipher(mode, bytes(32)), theirs.seal(header(), b"opus", 1))


@pytest.mark.parametrize("words", [2, 3, 0xFFFF])
def test_an_extension_body_past_the_plaintext_drops(cipher, theirs, words):
    clear = header(extension_profile=0xBEDE, extension_words=words)
    assert reason(cipher, theirs.seal(clear, b"opus123", 1)) is DropReason.BAD_EXTENSION


@pytest.mark.parametrize(
    "plain",
    [
        pytest.param(b"", id="no byte to count in"),
        pytest.param(b"opus\x00", id="zero"),
        pytest.param(b"opus\x06", id="one more than there is"),
        pytest.param(b"opus\xff", id="255"),
    ],
)
def test_impossible_padding_drops(cipher, theirs, plain):
    assert reason(cipher, theirs.seal(header(padding=True), plain, 1)) is DropReason.BAD_PADDING


def test_padding_may_not_reach_into_the_extension(cipher, theirs):
    clear = header(extension_profile=0xBEDE, extension_words=1, padding=True)
    plain = bytes.fromhex("10859002") + b"\0\0\5"
    assert reason(cipher, theirs.seal(clear, plain, 1)) is DropReason.BAD_PADDING


def test_an_extension_that_ends_in_a_count_is_not_padding(cipher, theirs):
    clear = header(extension_profile=0xBEDE, extension_words=1, padding=True)
    assert reason(cipher, theirs.seal(clear, b"\0\0\0\1", 1)) is DropReason.BAD_PADDING


def test_nothing_but_padding_is_empty(cipher, theirs):
    assert reason(cipher, theirs.seal(header(padding=True), b"\0\0\3", 1)) is DropReason.EMPTY
    assert reason(cipher, theirs.seal(header(), b"", 1)) is DropReason.EMPTY
    clear = header(extension_profile=0xBEDE, extension_words=1, padding=True)
    assert reason(cipher, theirs.seal(clear, b"\x10\x85\0\0\1", 1)) is DropReason.EMPTY


def test_a_datagram_of_64_kib_opens(cipher, theirs):
    payload = bytes(range(256)) * 255
    sealed = theirs.seal(header(padding=True), payload + b"\1", 1)
    assert open_packet(cipher, sealed).payload == payload
    with pytest.raises(DecryptionFailed):
        open_packet(cipher, sealed[:-1] + b"\xff")


def test_the_silence_frame_survives(cipher, theirs):
    assert open_packet(cipher, theirs.seal(header(), SILENCE_FRAME, 1)).payload == SILENCE_FRAME


def test_a_closed_cipher_is_the_callers_mistake(cipher, theirs):
    data = theirs.seal(header(), b"opus", 1)
    cipher.close()
    with pytest.raises(LocalProtocolError):
        open_packet(cipher, data)
    with pytest.raises(LocalProtocolError):
        seal_packet(cipher, sequence=0, timestamp=0, ssrc=0, payload=b"opus")
    with pytest.raises(TypeError):
        open_packet(None, data)


def test_a_used_up_key_refuses_to_seal(mode):
    cipher = TransportCipher(mode, bytes(32), nonce_start=2**32 - 1)
    seal_packet(cipher, sequence=0, timestamp=0, ssrc=0, payload=b"opus")
    with pytest.raises(NonceExhausted):
        seal_packet(cipher, sequence=1, timestamp=960, ssrc=0, payload=b"opus")


def test_a_bad_argument_costs_no_nonce(mode):
    cipher = TransportCipher(mode, bytes(32), nonce_start=5)
    with pytest.raises(ValueError, match="sequence"):
        seal_packet(cipher, sequence=-1, timestamp=0, ssrc=0, payload=b"opus")
    assert cipher.counter.value == 5


def test_borrowed_buffers_may_be_of_any_kind_and_are_not_kept(cipher, theirs):
    sealed = theirs.seal(header(), b"opus", 1)
    for kind in (bytes, bytearray, lambda data: memoryview(bytearray(data))):
        buffer = kind(sealed)
        packet = open_packet(cipher, buffer)
        if not isinstance(buffer, bytes):
            buffer[:] = bytes(len(buffer))
        assert packet.payload == b"opus"
    grown = bytearray(sealed)
    open_packet(cipher, grown)
    grown.append(0)  # a buffer that were still held could not grow
    payload = bytearray(b"opus")
    data = seal_packet(cipher, sequence=0, timestamp=0, ssrc=0, payload=payload)
    payload[:] = b"...."
    assert open_packet(cipher, data).payload == b"opus"


def test_drop_codes_of_the_c_interface_are_the_drop_reasons(request):
    source = (request.config.rootpath / "voicekit" / "_rtp.pxd").read_text()
    names = source.partition("DROP_NONE = 0\n")[2].partition("DROP_COUNT")[0].split()
    assert [name.removeprefix("DROP_") for name in names] == list(DropReason.__members__)
    assert tuple(DropReason) == DROP_REASONS
