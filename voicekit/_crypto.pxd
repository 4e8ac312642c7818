# Transport encryption: what other Cython modules may call.

from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef extern from "_platform.h" nogil:
    ctypedef uint64_t vk_atomic
    uint64_t vk_atomic_load(vk_atomic* a)
    bint vk_atomic_cas(vk_atomic* a, uint64_t old, uint64_t new)
    void vk_atomic_store(vk_atomic* a, uint64_t v)


# Bytes that sealing adds behind the plaintext: 16 of tag, 4 of nonce.
cdef enum:
    TAG_SIZE = 16
    NONCE_SUFFIX_SIZE = 4
    OVERHEAD = 20

# Answers of seal_c and open_c.
cdef enum:
    CRYPTO_OK = 0
    CRYPTO_BAD_TAG = -1     # open: altered, or the wrong key
    CRYPTO_CLOSED = -2      # the key was wiped
    CRYPTO_EXHAUSTED = -3   # seal: no nonce left
    CRYPTO_FAILED = -4      # libsodium said no; should not happen


cdef class NonceCounter:
    cdef vk_atomic _next
    cdef uint64_t _stop
    # The next value, or -1 when all are used. Atomic.
    cdef long long take(self) noexcept


cdef class TransportCipher:
    cdef readonly str mode
    cdef readonly str backend
    cdef readonly NonceCounter counter

    # out: plain_len + OVERHEAD bytes; receives ciphertext, tag, nonce suffix.
    # plain may equal out. Needs the GIL (the fallback calls Python).
    cdef int seal_c(self, uint8_t* out, const uint8_t* aad, Py_ssize_t aad_len,
                    const uint8_t* plain, Py_ssize_t plain_len) noexcept

    # body: ciphertext, tag, nonce suffix. out: body_len - OVERHEAD bytes.
    # The length of the plaintext, or a negative answer of the enum above.
    cdef Py_ssize_t open_c(self, uint8_t* out, const uint8_t* aad, Py_ssize_t aad_len,
                           const uint8_t* body, Py_ssize_t body_len) noexcept
