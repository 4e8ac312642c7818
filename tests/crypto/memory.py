"""A look into the C structure of a `TransportCipher`, past its Python interface.

`_crypto.pxd` lays out, behind the object header and the method table: the address of the
key (or its schedule), then the function that seals, then the one that opens.
"""

import ctypes
import sys
from pathlib import Path

import pytest

from voicekit._crypto import TransportCipher

WORD = ctypes.sizeof(ctypes.c_void_p)

linux_only = pytest.mark.skipif(
    not Path("/proc/self/mem").exists(), reason="memory is read through /proc"
)

#: int f(out, out_len*, plain, u64 plain_len, aad, u64 aad_len, nsec, nonce, secret)
Seal = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_char_p, ctypes.c_void_p,
    ctypes.c_char_p, ctypes.c_ulonglong,
    ctypes.c_char_p, ctypes.c_ulonglong,
    ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p,
)  # fmt: skip
#: int f(out, out_len*, nsec, body, u64 body_len, aad, u64 aad_len, nonce, secret)
Open = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p,
    ctypes.c_char_p, ctypes.c_ulonglong,
    ctypes.c_char_p, ctypes.c_ulonglong,
    ctypes.c_char_p, ctypes.c_void_p,
)  # fmt: skip


def _word(cipher: TransportCipher, index: int) -> int:
    address = id(cipher) + object.__basicsize__ + WORD + index * WORD
    return int.from_bytes(ctypes.string_at(address, WORD), sys.byteorder)


def secret_address(cipher: TransportCipher) -> int:
    return _word(cipher, 0)


def seal_with(cipher: TransportCipher, nonce: bytes, aad: bytes, plain: bytes) -> bytes:
    """Call the C function of a cipher under its own key, with a nonce of our choice."""
    out = ctypes.create_string_buffer(len(plain) + 16)
    answer = Seal(_word(cipher, 1))(
        ctypes.cast(out, ctypes.c_char_p), None, plain, len(plain), aad, len(aad),
        None, nonce, secret_address(cipher),
    )  # fmt: skip
    assert answer == 0
    return out.raw


def open_with(cipher: TransportCipher, nonce: bytes, aad: bytes, sealed: bytes) -> bytes:
    out = ctypes.create_string_buffer(max(len(sealed) - 16, 1))
    answer = Open(_word(cipher, 2))(
        ctypes.cast(out, ctypes.c_char_p), None, None, sealed, len(sealed), aad, len(aad),
        nonce, secret_address(cipher),
    )  # fmt: skip
    assert answer == 0
    return out.raw[: len(sealed) - 16]


def read_memory(address: int, size: int) -> bytes:
    """Bytes at an address; none where it is not (or no longer) ours to read."""
    try:
        with Path("/proc/self/mem").open("rb", buffering=0) as memory:
            memory.seek(address)
            return memory.read(size)
    except OSError:
        return b""
