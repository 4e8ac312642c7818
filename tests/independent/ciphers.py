"""The two transport encryption modes, from `cryptography` and plain Python.

An RTP packet on the wire, and what is authenticated and encrypted of it:

    | header (clear, authenticated) | ciphertext | tag, 16 bytes | nonce, 4 bytes |

The nonce of the AEAD is those last 4 bytes followed by zeros: 12 in all for AES-256-GCM,
24 for XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03).
"""

import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

AES = "aead_aes256_gcm_rtpsize"
XCHACHA = "aead_xchacha20_poly1305_rtpsize"
MODES = (AES, XCHACHA)

NONCE_SIZE = 4
TAG_SIZE = 16
_M32 = 0xFFFF_FFFF
_SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def _quarter_round(x: list[int], a: int, b: int, c: int, d: int) -> None:
    """RFC 8439 §2.1."""
    for p, q, r, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        x[p] = (x[p] + x[q]) & _M32
        t = x[r] ^ x[p]
        x[r] = (t << bits | t >> (32 - bits)) & _M32


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """Derive the subkey of ``key`` (32 bytes) and ``nonce`` (16 bytes); draft §2.2."""
    x = [*_SIGMA, *struct.unpack("<8I", key), *struct.unpack("<4I", nonce)]
    for _ in range(10):
        for column in range(4):
            _quarter_round(x, column, column + 4, column + 8, column + 12)
        for row in range(4):
            _quarter_round(x, row, 4 + (row + 1) % 4, 8 + (row + 2) % 4, 12 + (row + 3) % 4)
    return struct.pack("<8I", *x[:4], *x[12:])


class XChaCha20Poly1305:
    """The AEAD with a 24-byte nonce: ChaCha20-Poly1305 under the key of `hchacha20`."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt(self, nonce: bytes, data: bytes, aad: bytes) -> bytes:
        return self._inner(nonce).encrypt(bytes(4) + nonce[16:], data, aad)

    def decrypt(self, nonce: bytes, data: bytes, aad: bytes) -> bytes:
        return self._inner(nonce).decrypt(bytes(4) + nonce[16:], data, aad)

    def _inner(self, nonce: bytes) -> ChaCha20Poly1305:
        return ChaCha20Poly1305(hchacha20(self._key, nonce[:16]))


class Cipher:
    """One key in one mode."""

    def __init__(self, mode: str, key: bytes) -> None:
        self._aead = AESGCM(key) if mode == AES else XChaCha20Poly1305(key)
        self._padding = bytes((12 if mode == AES else 24) - NONCE_SIZE)

    def seal(self, header: bytes, plain: bytes, nonce: int) -> bytes:
        """Return the packet; ``header`` stays clear."""
        suffix = struct.pack(">I", nonce)
        return header + self._aead.encrypt(suffix + self._padding, plain, header) + suffix

    def open(self, packet: bytes, header_size: int) -> bytes | None:
        """Return the plaintext, or None where the tag does not match."""
        header, body, suffix = packet[:header_size], packet[header_size:-4], packet[-4:]
        try:
            return self._aead.decrypt(suffix + self._padding, body, header)
        except InvalidTag:
            return None
