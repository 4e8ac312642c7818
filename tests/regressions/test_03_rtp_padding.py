"""RTP padding left on the frame: the same bug in five libraries in 2026, heard as stutter.

Of the packets of real clients 3 to 15 % carry padding. A DAVE frame is recognised by the
marker FAFA at its very end, so that any byte behind it makes the frame undecryptable.
Item 3 of the list of what users suffer from.
"""

import pytest

from tests.independent.ciphers import Cipher
from voicekit._crypto import TransportCipher
from voicekit._rtp import build_header, open_packet
from voicekit.codes import SILENCE_FRAME, DropReason
from voicekit.errors import InvalidPacket

MODE = "aead_xchacha20_poly1305_rtpsize"
KEY = bytes(range(32))
DAVE_FRAME = bytes.fromhex("fc0102030405060708") + bytes.fromhex("0011223344556677 07 0d fafa")


def received(header: bytes, plain: bytes, nonce: int = 1) -> bytes:
    """The frame that reaches the DAVE layer."""
    data = Cipher(MODE, KEY).seal(header, plain, nonce)
    return open_packet(TransportCipher(MODE, KEY), data).payload


def padded(frame: bytes, count: int) -> bytes:
    return frame + bytes(count - 1) + bytes([count]) if count else frame


def header(**options) -> bytes:
    return build_header(sequence=1, timestamp=960, ssrc=7, **options)


@pytest.mark.parametrize("count", [0, 1, 4, 24, 255])
def test_discord_net_3262_padding_is_removed_before_the_frame_is_decrypted(count):
    frame = received(header(padding=count > 0), padded(DAVE_FRAME, count))
    assert frame == DAVE_FRAME
    assert frame.endswith(b"\xfa\xfa")


@pytest.mark.parametrize("csrcs", [0, 3, 4, 5, 12, 15])
@pytest.mark.parametrize("count", [0, 5])
def test_disgo_593_the_padding_bit_is_0x20_and_0x04_counts_csrcs(csrcs, count):
    clear = header(csrcs=range(csrcs), padding=count > 0)
    assert bool(clear[0] & 0x20) == (count > 0)
    assert clear[0] & 0x0F == csrcs
    assert received(clear, padded(DAVE_FRAME, count)) == DAVE_FRAME


def test_disgo_594_the_count_is_read_after_decryption():
    # The last byte on the wire is the nonce's, the last one before the tag is ciphertext:
    # over these nonces both take all kinds of values, the count never changes.
    for nonce in range(256):
        assert received(header(padding=True), padded(DAVE_FRAME, 7), nonce) == DAVE_FRAME


@pytest.mark.parametrize("count", [0, len(DAVE_FRAME) + 2, 255])
def test_pycord_3386_an_impossible_count_drops_the_packet_instead_of_passing_it_on(count):
    with pytest.raises(InvalidPacket) as caught:
        received(header(padding=True), DAVE_FRAME + bytes([count]))
    assert caught.value.reason is DropReason.BAD_PADDING


@pytest.mark.parametrize("words", [0, 1, 2, 3, 9])
def test_hermes_11267_padding_and_extension_together(words):
    # The packets of that report all began with B0: P and X.
    clear = header(extension_profile=0xBEDE, extension_words=words, padding=True)
    assert clear[0] == 0xB0
    assert received(clear, bytes([0x10, 0x85, 0, 0]) * words + padded(DAVE_FRAME, 6)) == DAVE_FRAME


def test_pycord_3202_silence_in_clear_loses_its_padding_too():
    clear = header(extension_profile=0xBEDE, extension_words=3, padding=True)
    assert received(clear, bytes(12) + padded(SILENCE_FRAME, 9)) == SILENCE_FRAME


def test_bursts_of_nothing_but_padding_are_no_audio():
    # Discord.Net#3262 saw fifty in 100 ms.
    with pytest.raises(InvalidPacket) as caught:
        received(header(padding=True), padded(b"", 224))
    assert caught.value.reason is DropReason.EMPTY
