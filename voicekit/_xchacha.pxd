# XChaCha20-Poly1305 for packets, with the signatures of libsodium's own functions.

from libc.stdint cimport uint8_t


# Whether the functions below may be called.
cdef bint can_compose

cdef int xchacha_seal_composed(
    uint8_t* out, unsigned long long* out_len,
    const uint8_t* plain, unsigned long long plain_len,
    const uint8_t* aad, unsigned long long aad_len,
    const uint8_t* nsec, const uint8_t* nonce, const void* secret) noexcept nogil
cdef int xchacha_open_composed(
    uint8_t* out, unsigned long long* out_len, uint8_t* nsec,
    const uint8_t* body, unsigned long long body_len,
    const uint8_t* aad, unsigned long long aad_len,
    const uint8_t* nonce, const void* secret) noexcept nogil
