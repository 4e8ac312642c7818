import copy
import pickle

import pytest

from voicekit._crypto import NonceCounter, TransportCipher
from voicekit.errors import (
    DecryptionFailed,
    LocalProtocolError,
    ModeUnavailable,
    NonceExhausted,
)

from .backends import BACKENDS, KEY, MODES, XCHACHA

every_backend = pytest.mark.parametrize(("mode", "ask"), [row[:2] for row in BACKENDS])

HEADER = bytes(range(12))
PAYLOAD = b"sixteen bytes and some"


@every_backend
def test_a_changed_bit_anywhere_fails(mode, ask):
    cipher = TransportCipher(mode, KEY, backend=ask)
    packet = cipher.seal(HEADER, PAYLOAD)
    for position in range(len(packet)):
        changed = bytearray(packet)
        changed[position] ^= 1 << position % 8
        with pytest.raises(DecryptionFailed):
            cipher.open(changed, len(HEADER))


@every_backend
def test_another_key_fails(mode, ask):
    packet = TransportCipher(mode, KEY, backend=ask).seal(HEADER, PAYLOAD)
    with pytest.raises(DecryptionFailed):
        TransportCipher(mode, bytes(32), backend=ask).open(packet, len(HEADER))


@every_backend
def test_a_shifted_header_fails(mode, ask):
    cipher = TransportCipher(mode, KEY, backend=ask)
    packet = cipher.seal(HEADER, PAYLOAD)
    for header_size in (0, 8, 11, 13, 16):
        with pytest.raises(DecryptionFailed):
            cipher.open(packet, header_size)


@every_backend
@pytest.mark.parametrize("size", range(32))
def test_what_is_too_short_fails(mode, ask, size):
    with pytest.raises(DecryptionFailed):
        TransportCipher(mode, KEY, backend=ask).open(bytes(size), 12)


def test_a_header_size_beyond_the_packet_fails_and_a_negative_one_is_our_mistake():
    cipher = TransportCipher(XCHACHA, KEY)
    with pytest.raises(DecryptionFailed):
        cipher.open(bytes(100), 2**62)
    with pytest.raises(ValueError, match="below 0"):
        cipher.open(bytes(100), -1)


@every_backend
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_is_taken_and_none_is_kept(mode, ask, kind):
    sealer = TransportCipher(mode, KEY, backend=ask, nonce_start=7)
    header, payload = bytearray(HEADER), bytearray(PAYLOAD)
    packet = sealer.seal(kind(header), kind(payload))
    header[:] = payload[:] = b""  # no export is left behind, else this raises
    received = bytearray(packet)
    plain = sealer.open(kind(received), len(HEADER))
    received[:] = bytes(len(received))
    assert type(packet) is bytes
    assert type(plain) is bytes
    assert plain == PAYLOAD


def test_a_strided_view_is_refused():
    with pytest.raises(BufferError):
        TransportCipher(XCHACHA, KEY).seal(memoryview(bytes(24))[::2], b"")


@every_backend
def test_the_counter_is_in_the_last_four_bytes_and_counts_up(mode, ask):
    cipher = TransportCipher(mode, KEY, nonce_start=254, backend=ask)
    suffixes = [cipher.seal(HEADER, PAYLOAD)[-4:].hex() for _ in range(3)]
    assert suffixes == ["000000fe", "000000ff", "00000100"]
    assert cipher.counter.value == 257


@every_backend
def test_sealing_refuses_to_wrap(mode, ask):
    cipher = TransportCipher(mode, KEY, nonce_start=2**32 - 1, backend=ask)
    assert cipher.seal(HEADER, b"")[-4:] == b"\xff\xff\xff\xff"
    for _ in range(2):
        with pytest.raises(NonceExhausted):
            cipher.seal(HEADER, b"")
    assert cipher.counter.value == 2**32


def test_clients_stay_out_of_the_servers_half():
    cipher = TransportCipher(XCHACHA, KEY, nonce_start=2**31 - 1)
    cipher.seal(HEADER, b"")
    with pytest.raises(NonceExhausted):
        cipher.seal(HEADER, b"")


def test_a_client_starts_at_random_with_room_for_a_billion_packets():
    starts = [TransportCipher(XCHACHA, KEY).counter.value for _ in range(20)]
    assert len(set(starts)) > 15
    assert max(starts) < 2**30


def test_a_cipher_set_up_again_can_go_on_counting():
    first = TransportCipher(XCHACHA, KEY, nonce_start=5)
    first.seal(HEADER, b"")
    second = TransportCipher(XCHACHA, KEY, counter=first.counter)
    assert second.seal(HEADER, b"")[-4:] == b"\0\0\0\x06"


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_keys_have_32_bytes(size):
    with pytest.raises(ValueError, match="32 bytes"):
        TransportCipher(XCHACHA, bytes(size))


@pytest.mark.parametrize("mode", ["", "xsalsa20_poly1305", "AEAD_AES256_GCM_RTPSIZE"])
def test_a_mode_that_is_not_there_is_named(mode):
    with pytest.raises(ModeUnavailable, match=repr(mode)):
        TransportCipher(mode, KEY)


def test_a_backend_that_is_not_there_is_named():
    with pytest.raises(ModeUnavailable, match="'openssl'"):
        TransportCipher(XCHACHA, KEY, backend="openssl")


@pytest.mark.parametrize("start", [-1, 2**32 + 1])
def test_a_nonce_start_outside_of_32_bits_is_refused(start):
    with pytest.raises(ValueError, match="nonce"):
        TransportCipher(XCHACHA, KEY, nonce_start=start)


@every_backend
def test_nothing_works_after_close(mode, ask):
    cipher = TransportCipher(mode, KEY, backend=ask)
    packet = cipher.seal(HEADER, PAYLOAD)
    cipher.close()
    cipher.close()
    with pytest.raises(LocalProtocolError, match="closed"):
        cipher.seal(HEADER, PAYLOAD)
    with pytest.raises(LocalProtocolError, match="closed"):
        cipher.open(packet, len(HEADER))
    assert "closed" in repr(cipher)


@every_backend
def test_the_repr_shows_the_mode_only(mode, ask):
    cipher = TransportCipher(mode, KEY, backend=ask)
    assert repr(cipher) == f"<TransportCipher {mode}>"


@pytest.mark.parametrize("mode", MODES)
def test_a_cipher_is_never_copied(mode):
    cipher = TransportCipher(mode, KEY)
    for thing in (cipher, cipher.counter):
        for copier in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="nonces"):
                copier(thing)
    with pytest.raises(LocalProtocolError):
        cipher.__init__(mode, KEY)
    with pytest.raises(LocalProtocolError):
        cipher.counter.__init__(0)


def test_one_that_was_never_set_up_is_closed():
    cipher = TransportCipher.__new__(TransportCipher)
    with pytest.raises(LocalProtocolError):
        cipher.seal(b"", b"")
    with pytest.raises(NonceExhausted):
        NonceCounter.__new__(NonceCounter).next()
