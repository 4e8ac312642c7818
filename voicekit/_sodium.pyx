"""libsodium out of PyNaCl: the addresses of its AEAD functions.

libsodium is the one inside PyNaCl, called in C. The ways to it are tried in this order,
and `TransportCipher.backend` names the one in use:

``afternm``   AES only: the key schedule is computed once, not per packet. libsodium
              exports these functions, but PyNaCl does not declare them.
``composed``  XChaCha20 only: put together from its parts (`voicekit._xchacha`), which
              libsodium exports as well.
``combined``  the functions that PyNaCl declares.
``bindings``  `nacl.bindings`, in Python: slow, but a public interface.
"""

import nacl.bindings  # runs sodium_init

from libc.stdint cimport uint8_t, uintptr_t

__all__ = ["AES", "BINDINGS", "XCHACHA"]

AES = "aead_aes256_gcm_rtpsize"
XCHACHA = "aead_xchacha20_poly1305_rtpsize"


cdef void overwrite(void* p, size_t n) noexcept nogil:
    """Stand in for sodium_memzero where it can not be had."""
    cdef volatile uint8_t* byte = <volatile uint8_t*> p
    cdef size_t i
    for i in range(n):
        byte[i] = 0


cdef uintptr_t _declared(name):
    """Address of a function that PyNaCl declares; 0 where there is none.

    ``nacl._sodium`` is private: whatever happens to it, the public bindings remain.
    """
    try:
        from nacl._sodium import ffi, lib
        return int(ffi.cast("uintptr_t", ffi.addressof(lib, name)))
    except Exception:
        return 0


cdef uintptr_t exported(name):
    """Address of a function that PyNaCl's shared library only exports; 0 where not."""
    if VK_PORTABLE:
        return 0
    try:
        import ctypes

        from nacl import _sodium
        function = getattr(ctypes.CDLL(_sodium.__file__), name)
        return ctypes.cast(function, ctypes.c_void_p).value or 0
    except Exception:
        return 0


xchacha_seal = <seal_function> _declared(
    "crypto_aead_xchacha20poly1305_ietf_encrypt")
xchacha_open = <open_function> _declared(
    "crypto_aead_xchacha20poly1305_ietf_decrypt")
aes_seal = <seal_function> _declared("crypto_aead_aes256gcm_encrypt")
aes_open = <open_function> _declared("crypto_aead_aes256gcm_decrypt")
aes_schedule = <schedule_function> exported(
    "crypto_aead_aes256gcm_beforenm")
aes_seal_scheduled = <seal_function> exported(
    "crypto_aead_aes256gcm_encrypt_afternm")
aes_open_scheduled = <open_function> exported(
    "crypto_aead_aes256gcm_decrypt_afternm")
cdef size_function aes_schedule_size = <size_function> exported(
    "crypto_aead_aes256gcm_statebytes")
memzero = <memzero_function> _declared("sodium_memzero")
if memzero == NULL:
    memzero = overwrite

can_schedule = (
    aes_schedule != NULL and aes_seal_scheduled != NULL and aes_open_scheduled != NULL
    and aes_schedule_size != NULL and aes_schedule_size() <= SCHEDULE_SIZE
)

# Mode: (public seal, public open, bytes of nonce). AES-GCM came with PyNaCl 1.6.
BINDINGS = {
    XCHACHA: (
        nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt,
        nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt,
        24,
    ),
}
if hasattr(nacl.bindings, "crypto_aead_aes256gcm_encrypt"):
    try:  # it says so if the processor has no AES instructions
        nacl.bindings.crypto_aead_aes256gcm_encrypt(b"", b"", bytes(12), bytes(KEY_SIZE))
    except Exception:
        pass
    else:
        BINDINGS[AES] = (
            nacl.bindings.crypto_aead_aes256gcm_encrypt,
            nacl.bindings.crypto_aead_aes256gcm_decrypt,
            12,
        )
