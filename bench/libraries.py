"""Addresses of the libraries' functions, for the loops in C.

libsodium is the one inside PyNaCl and libopus the one that voicekit found: the same machine
code that voicekit calls. OpenSSL is the one that Python itself is linked to.
"""

import ctypes
import ctypes.util
from functools import cache

from ._limit import OpensslAead, SodiumAead

__all__ = ["CIPHERS", "libcrypto", "openssl", "openssl_version", "opus_function", "sodium"]

#: Our short names of the two modes, and the mode each stands for.
CIPHERS = {
    "aes": "aead_aes256_gcm_rtpsize",
    "xchacha": "aead_xchacha20_poly1305_rtpsize",
}

_SODIUM_NAMES = {
    "aes": "crypto_aead_aes256gcm",
    "xchacha": "crypto_aead_xchacha20poly1305_ietf",
}
#: XChaCha20 is not in OpenSSL. ChaCha20 is the same but for the derivation of a subkey, one
#: block of HChaCha20 a packet.
_OPENSSL_CIPHERS = {"aes": "EVP_aes_256_gcm", "chacha": "EVP_chacha20_poly1305"}
_EVP = (
    "EVP_CIPHER_CTX_new",
    "EVP_CIPHER_CTX_free",
    "EVP_CIPHER_CTX_ctrl",
    "EVP_EncryptInit_ex",
    "EVP_EncryptUpdate",
    "EVP_EncryptFinal_ex",
    "EVP_DecryptInit_ex",
    "EVP_DecryptUpdate",
    "EVP_DecryptFinal_ex",
)


def _address(library: ctypes.CDLL, name: str) -> int:
    """Return the address of a function, or 0."""
    try:
        function = getattr(library, name)
    except AttributeError:
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@cache
def _libsodium() -> ctypes.CDLL:
    from nacl import _sodium

    return ctypes.CDLL(_sodium.__file__)


def sodium(cipher: str, key: bytes, *, scheduled: bool = True) -> SodiumAead:
    """Return a key in libsodium, ``cipher`` being "aes" or "xchacha".

    ``scheduled``: compute the key schedule of AES once, the fastest that libsodium has.
    Raises `LookupError` where PyNaCl's library does not export the functions.
    """
    library, name = _libsodium(), _SODIUM_NAMES[cipher]
    suffix = "_afternm" if cipher == "aes" and scheduled else ""
    schedule = _address(library, f"{name}_beforenm") if suffix else 0
    seal = _address(library, f"{name}_encrypt{suffix}")
    open_ = _address(library, f"{name}_decrypt{suffix}")
    if not seal or not open_ or (suffix and not schedule):
        raise LookupError(f"this PyNaCl does not export {name}_encrypt{suffix}")
    return SodiumAead(seal, open_, schedule, key)


@cache
def libcrypto() -> ctypes.CDLL | None:
    """Return OpenSSL's libcrypto; None where it can not be reached."""
    import _ssl

    # Python's own module first: its symbols are those of the library it is linked to.
    for path in (getattr(_ssl, "__file__", None), ctypes.util.find_library("crypto")):
        if path:
            try:
                library = ctypes.CDLL(path)
            except OSError:
                continue
            if _address(library, "EVP_CIPHER_CTX_new"):
                return library
    return None


def openssl_version() -> str:
    """Return the version of that library; empty without one."""
    library = libcrypto()
    if library is None:
        return ""
    library.OpenSSL_version.restype = ctypes.c_char_p
    words = library.OpenSSL_version(0).decode().split()
    return " ".join(words[1:2])


def openssl(cipher: str, key: bytes) -> OpensslAead:
    """Return a key in OpenSSL, ``cipher`` being "aes" or "chacha".

    Raises `LookupError` where libcrypto can not be reached.
    """
    library = libcrypto()
    if library is None:
        raise LookupError("libcrypto can not be reached from here")
    make = getattr(library, _OPENSSL_CIPHERS[cipher])
    make.restype = ctypes.c_void_p
    return OpensslAead({name: _address(library, name) for name in _EVP}, make(), key)


def opus_function(name: str) -> int:
    """Return the address of one of libopus's functions. Raises `LookupError`."""
    import voicekit.opus  # makes opuslib load the libopus that was found

    assert voicekit.opus
    import opuslib.api

    address = _address(opuslib.api.libopus, name)
    if not address:
        raise LookupError(f"this libopus has no {name}")
    return address
