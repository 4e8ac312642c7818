# libsodium's AEAD functions, by their addresses; NULL where there is none.

from libc.stdint cimport uint8_t, uintptr_t


cdef extern from "_platform.h" nogil:
    const bint VK_PORTABLE


cdef enum:
    KEY_SIZE = 32
    SCHEDULE_SIZE = 512     # crypto_aead_aes256gcm_statebytes()


# One signature for every AEAD of libsodium: the last argument is the key, or for the
# *_afternm functions the key schedule made from it.
ctypedef int (*seal_function)(
    uint8_t* out, unsigned long long* out_len,
    const uint8_t* plain, unsigned long long plain_len,
    const uint8_t* aad, unsigned long long aad_len,
    const uint8_t* nsec, const uint8_t* nonce, const void* secret) noexcept nogil
ctypedef int (*open_function)(
    uint8_t* out, unsigned long long* out_len, uint8_t* nsec,
    const uint8_t* body, unsigned long long body_len,
    const uint8_t* aad, unsigned long long aad_len,
    const uint8_t* nonce, const void* secret) noexcept nogil
ctypedef int (*schedule_function)(uint8_t* schedule, const uint8_t* key) noexcept nogil
ctypedef size_t (*size_function)() noexcept nogil
ctypedef void (*memzero_function)(void* p, size_t n) noexcept nogil


# Address of a function that PyNaCl's libsodium only exports; 0 where not.
cdef uintptr_t exported(name)

cdef seal_function xchacha_seal
cdef open_function xchacha_open
cdef seal_function aes_seal
cdef open_function aes_open
# With a key schedule that was computed before; `can_schedule`: all of them are there.
cdef schedule_function aes_schedule
cdef seal_function aes_seal_scheduled
cdef open_function aes_open_scheduled
cdef bint can_schedule
# Never NULL.
cdef memzero_function memzero
