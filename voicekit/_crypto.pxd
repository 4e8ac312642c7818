# Transport encryption: what other Cython modules may call.

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t


from ._atomic cimport vk_atomic
from ._sodium cimport SCHEDULE_SIZE, open_function, seal_function


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


# Raise what the Python methods raise for an answer that is not CRYPTO_OK.
cdef int raise_crypto(int answer) except -1


cdef enum:
    NONCE_SIZE_MAX = 24     # XChaCha20; AES-GCM reads the first 12
    SCHEDULE_ALIGNMENT = 16


# One packet of a batch. `out` begins with the header, which is the AAD; ciphertext, tag and
# nonce suffix go behind it.
cdef struct SealJob:
    uint8_t* out
    Py_ssize_t header_size
    const uint8_t* plain
    Py_ssize_t size


# The items as bytes objects that nobody else can change: a copy of what is not bytes yet.
cdef list pinned(object items)


@cython.final
cdef class NonceCounter:
    cdef vk_atomic _next
    cdef uint64_t _stop
    # The next value, or -1 when all are used. Atomic.
    cdef long long take(self) noexcept nogil
    # Up to `count` values in a row: the first, and in `count` how many there were.
    cdef uint64_t take_many(self, Py_ssize_t* count) noexcept nogil


@cython.final
cdef class TransportCipher:
    # Points into _room, at the key or its schedule; NULL once closed. tests/crypto read it
    # at this place, before all other attributes, to see that it is wiped.
    cdef uint8_t* _secret
    cdef seal_function _seal
    cdef open_function _open
    cdef vk_atomic _calls       # that use the key now and let other threads run meanwhile
    cdef bytes _key             # a copy of our own, of the bindings backend only
    cdef object _py_seal
    cdef object _py_open
    cdef Py_ssize_t _nonce_size
    cdef uint8_t[SCHEDULE_SIZE + SCHEDULE_ALIGNMENT] _room

    cdef readonly str mode
    cdef readonly str backend
    cdef readonly NonceCounter counter
    # The "bindings" backend: seal_c and open_c take the GIL, so a thread without it may wait.
    cdef readonly bint needs_gil
    cdef double _packet_seconds     # what one packet takes on a slow machine, and one byte
    cdef double _byte_seconds

    cdef str _choose_backend(self, str mode, str wanted)
    cdef int _use_key(self, object key) except -1
    cdef void _wipe(self) noexcept
    cdef int _seal_in_python(self, uint8_t* out, const uint8_t* aad, Py_ssize_t aad_len,
                             const uint8_t* plain, Py_ssize_t plain_len,
                             const uint8_t* nonce) noexcept with gil
    cdef Py_ssize_t _open_in_python(self, uint8_t* out, const uint8_t* aad, Py_ssize_t aad_len,
                                    const uint8_t* body, Py_ssize_t body_len,
                                    const uint8_t* nonce) noexcept with gil

    # out: plain_len + OVERHEAD bytes; receives ciphertext, tag, nonce suffix.
    # plain may equal out. Any thread; it must know that nobody closes the cipher meanwhile.
    cdef int seal_c(self, uint8_t* out, const uint8_t* aad, Py_ssize_t aad_len,
                    const uint8_t* plain, Py_ssize_t plain_len) noexcept nogil

    # The same with a nonce that was taken before.
    cdef int seal_with(self, uint32_t value, uint8_t* out, const uint8_t* aad,
                       Py_ssize_t aad_len, const uint8_t* plain,
                       Py_ssize_t plain_len) noexcept nogil
    # A batch, under nonces from `first` on; a CRYPTO_*.
    cdef int seal_jobs(self, SealJob* jobs, Py_ssize_t count, uint64_t first) noexcept nogil
    # Whether a batch takes a millisecond or more and can do without the GIL: single packets
    # and small batches never let it go, since getting it back can take 5 ms.
    cdef bint is_long(self, Py_ssize_t packets, Py_ssize_t octets) noexcept nogil

    # body: ciphertext, tag, nonce suffix. out: body_len - OVERHEAD bytes.
    # The length of the plaintext, or a negative answer of the enum above.
    cdef Py_ssize_t open_c(self, uint8_t* out, const uint8_t* aad, Py_ssize_t aad_len,
                           const uint8_t* body, Py_ssize_t body_len) noexcept nogil
