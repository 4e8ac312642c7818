"""Packets of PyNaCl's and cryptography's own bindings, and ours for them."""

import random

import nacl.bindings
import pytest

from tests.independent.ciphers import Cipher
from voicekit._crypto import TransportCipher
from voicekit.errors import DecryptionFailed

from .backends import BACKENDS, KEY, XCHACHA

SIZES = [0, 1, 3, 15, 16, 17, 160, 1275, 4096, 65000]
HEADERS = [0, 8, 12, 16, 72]


def pynacl(mode: str, what: str):
    name = "xchacha20poly1305_ietf" if mode == XCHACHA else "aes256gcm"
    return getattr(nacl.bindings, f"crypto_aead_{name}_{what}")


def nonce_of(mode: str, packet: bytes) -> bytes:
    return packet[-4:] + bytes(20 if mode == XCHACHA else 8)


@pytest.mark.parametrize(("mode", "ask", "got"), BACKENDS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("header_size", HEADERS)
def test_they_agree_byte_for_byte(mode, ask, got, size, header_size):
    source = random.Random(size + header_size)
    header, payload = source.randbytes(header_size), source.randbytes(size)
    start = source.getrandbits(30)
    cipher = TransportCipher(mode, KEY, nonce_start=start, backend=ask)
    assert cipher.backend == got

    packet = cipher.seal(header, payload)

    assert packet == Cipher(mode, KEY).seal(header, payload, start)
    body = packet[header_size:-4]
    assert body == pynacl(mode, "encrypt")(payload, header, nonce_of(mode, packet), KEY)
    assert pynacl(mode, "decrypt")(body, header, nonce_of(mode, packet), KEY) == payload
    assert cipher.open(packet, header_size) == payload


@pytest.mark.parametrize("header_size", [0, 12, 20, 128, 129])
def test_one_function_and_its_parts_agree_at_any_size(header_size):
    source = random.Random(header_size)
    parts = TransportCipher(XCHACHA, KEY, nonce_start=77)
    whole = TransportCipher(XCHACHA, KEY, nonce_start=77, backend="combined")
    for size in range(1500):  # past what the parts are used for
        header, payload = source.randbytes(header_size), source.randbytes(size)
        packet = parts.seal(header, payload)
        assert packet == whole.seal(header, payload)
        assert parts.open(packet, header_size) == payload


@pytest.mark.parametrize("size", [0, 1, 160, 1472, 1473])
def test_a_bit_altered_anywhere_is_refused_by_the_parts_too(size):
    cipher = TransportCipher(XCHACHA, KEY)
    packet = cipher.seal(bytes(12), bytes(size))
    for place in range(0, len(packet), 1 + size // 100):
        altered = bytearray(packet)
        altered[place] ^= 1 << place % 8
        with pytest.raises(DecryptionFailed):
            cipher.open(bytes(altered), 12)


@pytest.mark.parametrize(("mode", "ask", "_"), BACKENDS)
@pytest.mark.parametrize("nonce", [0, 1, 2**31 - 1, 2**31, 2**32 - 1])
def test_any_nonce_of_a_stranger_is_read(mode, ask, _, nonce):
    packet = Cipher(mode, KEY).seal(b"head", b"body", nonce)
    assert TransportCipher(mode, KEY, backend=ask).open(packet, 4) == b"body"
