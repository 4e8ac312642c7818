"""Published test vectors, through the very C functions and keys that packets go through."""

from dataclasses import dataclass

import nacl.bindings
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.independent.ciphers import XChaCha20Poly1305
from voicekit._crypto import TransportCipher

from .backends import AES, BACKENDS, MODES, XCHACHA
from .memory import open_with, seal_with


@dataclass(frozen=True)
class Vector:
    name: str
    mode: str
    key: bytes
    nonce: bytes
    aad: bytes
    plain: bytes
    sealed: bytes

    def __str__(self) -> str:
        return self.name


def _vector(name: str, mode: str, *fields: str) -> Vector:
    return Vector(name, mode, *(bytes.fromhex(field) for field in fields))


_GCM_KEY = "feffe9928665731c6d6a8f9467308308" * 2
_GCM_NONCE = "cafebabefacedbaddecaf888"
_GCM_PLAIN = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
)
_GCM_SEALED = (
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
)

VECTORS = [
    _vector(
        "draft-irtf-cfrg-xchacha A.3.1",
        XCHACHA,
        "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
        "404142434445464748494a4b4c4d4e4f5051525354555657",
        "50515253c0c1c2c3c4c5c6c7",
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for"
        b" the future, sunscreen would be it.".hex(),
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
        "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
        "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
        "21f9664c97637da9768812f615c68b13b52e"
        "c0875924c1c7987947deafd8780acf49",
    ),
    # McGrew and Viega, The Galois/Counter Mode of Operation, appendix B: 256-bit keys.
    _vector("GCM 13", AES, "00" * 32, "00" * 12, "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
    _vector(
        "GCM 14",
        AES,
        "00" * 32,
        "00" * 12,
        "",
        "00" * 16,
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
    ),
    _vector(
        "GCM 15",
        AES,
        _GCM_KEY,
        _GCM_NONCE,
        "",
        _GCM_PLAIN,
        _GCM_SEALED + "b094dac5d93471bdec1a502270e3cc6c",
    ),
    _vector(
        "GCM 16",
        AES,
        _GCM_KEY,
        _GCM_NONCE,
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        _GCM_PLAIN[:120],
        _GCM_SEALED[:120] + "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
]


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_the_vectors_are_typed_correctly(vector):
    aead = AESGCM(vector.key) if vector.mode == AES else XChaCha20Poly1305(vector.key)
    assert aead.encrypt(vector.nonce, vector.plain, vector.aad) == vector.sealed


@pytest.mark.parametrize("vector", VECTORS, ids=str)
@pytest.mark.parametrize("backend", ["auto", "combined"])
def test_the_c_functions_reproduce_them(vector, backend):
    if vector.mode not in MODES:
        pytest.skip("this PyNaCl, or this processor, has no AES-256-GCM")
    cipher = TransportCipher(vector.mode, vector.key, backend=backend)
    assert seal_with(cipher, vector.nonce, vector.aad, vector.plain) == vector.sealed
    assert open_with(cipher, vector.nonce, vector.aad, vector.sealed) == vector.plain


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_the_public_bindings_reproduce_them(vector):
    if vector.mode not in MODES:
        pytest.skip("this PyNaCl, or this processor, has no AES-256-GCM")
    seal = {
        XCHACHA: "crypto_aead_xchacha20poly1305_ietf_encrypt",
        AES: "crypto_aead_aes256gcm_encrypt",
    }[vector.mode]
    sealed = getattr(nacl.bindings, seal)(vector.plain, vector.aad, vector.nonce, vector.key)
    assert sealed == vector.sealed


@pytest.mark.parametrize("ask", [ask for mode, ask, _ in BACKENDS if mode == AES])
@pytest.mark.parametrize("vector", VECTORS[1:3], ids=str)
def test_a_whole_packet_with_nonce_zero_is_the_vector(vector, ask):
    cipher = TransportCipher(AES, vector.key, nonce_start=0, backend=ask)
    assert cipher.seal(b"", vector.plain) == vector.sealed + bytes(4)
