"""Transport encryption: two AEAD modes, one nonce counter per key and direction.

```
 clear                             encrypted               clear
+---------------------------------+-----------------------+-----------+--------------+
| header (authenticated, AAD)     | payload               | tag (16)  | nonce (4)    |
+---------------------------------+-----------------------+-----------+--------------+
```

The nonce of the cipher is those last four bytes, then zeros: 12 bytes in all for
AES-256-GCM, 24 for XChaCha20-Poly1305. Their order is free, ours is big-endian.
https://discord.com/developers/docs/topics/voice-connections#transport-encryption-modes

`TransportCipher.backend` names the way to libsodium that is in use: `voicekit._sodium`.
"""

import secrets

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy

from ._atomic cimport vk_atomic_add, vk_atomic_cas, vk_atomic_load, vk_atomic_store
from ._sodium cimport (
    KEY_SIZE,
    aes_open,
    aes_open_scheduled,
    aes_schedule,
    aes_seal,
    aes_seal_scheduled,
    can_schedule,
    memzero,
    xchacha_open,
    xchacha_seal,
)
from ._wire cimport load_be32, store_be32
from ._xchacha cimport can_compose, xchacha_open_composed, xchacha_seal_composed

from ._sodium import AES, BINDINGS, XCHACHA
from .errors import DecryptionFailed, LocalProtocolError, ModeUnavailable, NonceExhausted

__all__ = [
    "MODES",
    "NonceCounter",
    "TransportCipher",
    "available_modes",
    "choose_mode",
]

#: Every mode that is implemented, best first.
MODES = (AES, XCHACHA)

# Both directions of a connection share the key, so each counts in a half of its own.
# A start below 2**30 leaves a client at least 2**30 packets: 248 days at 50 a second.
CLIENT_START_LIMIT = 1 << 30
HALF = 1 << 31


# -- modes ---------------------------------------------------------------------


def available_modes():
    """Return the modes that work here, best first.

    AES-256-GCM needs a processor with AES instructions and PyNaCl 1.6 or newer.
    """
    return tuple([mode for mode in MODES if mode in BINDINGS])


def choose_mode(offered, allowed=None):
    """Return the mode to ask for: the best one that both sides have.

    ``offered`` is the server's list. ``allowed`` narrows and orders our own; None is
    everything available. Raises `ModeUnavailable`, which names both lists.
    """
    offered = tuple(offered)
    ours = available_modes()
    if allowed is not None:
        ours = tuple([mode for mode in allowed if mode in ours])
    for mode in ours:
        if mode in offered:
            return mode
    raise ModeUnavailable(
        f"no transport encryption mode in common: the server offers {_listed(offered)};"
        f" available here: {_listed(ours)}"
    )


def _listed(modes):
    """Join names for an error text; a server's list may be absurdly long."""
    text = ", ".join([str(mode)[:64] for mode in modes[:16]])
    return text or "none"


# -- the counter ---------------------------------------------------------------


@cython.final
cdef class NonceCounter:
    """Hands out each value from ``start`` to ``stop - 1`` once, to any number of threads.

    Raises `ValueError` unless 0 <= start <= stop <= 2**32.
    """

    def __init__(self, start, stop=1 << 32):
        if not 0 <= start <= stop <= 1 << 32:
            raise ValueError(f"a nonce counter runs within 0 and 2**32, not {start} to {stop}")
        if self._stop != 0:
            raise LocalProtocolError("a nonce counter is never set back")
        self._stop = stop
        vk_atomic_store(&self._next, start)

    cdef long long take(self) noexcept nogil:
        cdef uint64_t value
        while True:
            value = vk_atomic_load(&self._next)
            if value >= self._stop:
                return -1
            if vk_atomic_cas(&self._next, value, value + 1):
                return <long long> value

    cdef uint64_t take_many(self, Py_ssize_t* count) noexcept nogil:
        cdef uint64_t value
        while True:
            value = vk_atomic_load(&self._next)
            count[0] = min(count[0], <Py_ssize_t> (self._stop - value))
            if vk_atomic_cas(&self._next, value, value + <uint64_t> count[0]):
                return value

    def next(self):
        """Return the next value, and never again. Raises `NonceExhausted` after the last."""
        cdef long long value = self.take()
        if value < 0:
            raise_crypto(CRYPTO_EXHAUSTED)
        return value

    @property
    def value(self):
        """What `next` would return, or the end of the range."""
        return vk_atomic_load(&self._next)

    def __repr__(self):
        return f"NonceCounter({self.value}, {self._stop})"

    def __reduce__(self):
        raise TypeError("a copy of a nonce counter would repeat its nonces")


# -- batches -------------------------------------------------------------------

# Seconds per packet and per byte: (AES with hardware, XChaCha20). Rough, and rather high.
cdef double[2] PACKET_SECONDS = [60e-9, 400e-9]
cdef double[2] BYTE_SECONDS = [0.3e-9, 2e-9]
# What a batch must take before the GIL is let go for it.
cdef double LONG = 1e-3


cdef bytes copied(object data):
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return PyBytes_FromStringAndSize(<const char*> view.buf, view.len)
    finally:
        PyBuffer_Release(&view)


cdef list pinned(object items):
    return [item if type(item) is bytes else copied(item) for item in items]


# -- the cipher ----------------------------------------------------------------


@cython.final
@cython.no_gc_clear  # the wipe needs _key
cdef class TransportCipher:
    """Seals and opens packets under one key.

    ``nonce_start`` is the first nonce to seal with. None: a random one in a client's
    half of the range, which ends at 2**31. Servers pass 2**31 and end at 2**32.
    ``counter`` draws from an existing counter instead: the same key, set up again.

    ``backend`` "auto" takes the fastest way to libsodium; "combined" and "bindings"
    force a slower one (see the module's text).

    Raises `ValueError` for a wrong key length or start, `ModeUnavailable` for a mode or
    a backend that does not exist here.
    """

    def __init__(self, mode, key, *, nonce_start=None, backend="auto",
                 NonceCounter counter=None):
        if self.counter is not None:
            raise LocalProtocolError("a cipher is not set up twice")
        if mode not in BINDINGS:
            raise ModeUnavailable(
                f"{mode!r} is not available here; there is {_listed(available_modes())}")
        if counter is None:
            if nonce_start is None:
                nonce_start = secrets.randbelow(CLIENT_START_LIMIT)
            counter = NonceCounter(nonce_start, HALF if nonce_start < HALF else 2 * HALF)
        self._secret = <uint8_t*> (
            (<uintptr_t> &self._room[0] + SCHEDULE_ALIGNMENT - 1)
            & ~<uintptr_t> (SCHEDULE_ALIGNMENT - 1)
        )
        self.backend = self._choose_backend(mode, backend)
        self.needs_gil = self.backend == "bindings"
        self._packet_seconds = PACKET_SECONDS[mode != AES]
        self._byte_seconds = BYTE_SECONDS[mode != AES]
        self._use_key(key)
        self.mode = mode
        self.counter = counter

    cdef str _choose_backend(self, str mode, str wanted):
        cdef bint aes = mode == AES
        if wanted not in ("auto", "combined", "bindings"):
            raise ModeUnavailable(f"there is no backend {wanted!r}")
        self._py_seal, self._py_open, self._nonce_size = BINDINGS[mode]
        if wanted == "bindings":
            return "bindings"
        self._seal = aes_seal if aes else xchacha_seal
        self._open = aes_open if aes else xchacha_open
        if wanted == "auto" and aes and can_schedule:
            self._seal = aes_seal_scheduled
            self._open = aes_open_scheduled
            return "afternm"
        if wanted == "auto" and not aes and can_compose:
            self._seal = xchacha_seal_composed
            self._open = xchacha_open_composed
            return "composed"
        if self._seal != NULL and self._open != NULL:
            return "combined"
        if wanted == "combined":
            raise ModeUnavailable("this PyNaCl does not let its C functions be called")
        return "bindings"

    cdef int _use_key(self, object key) except -1:
        cdef Py_buffer given
        PyObject_GetBuffer(key, &given, PyBUF_SIMPLE)
        try:
            if given.len != KEY_SIZE:
                raise ValueError(f"a key has {KEY_SIZE} bytes, not {given.len}")
            if self.backend == "afternm":
                aes_schedule(self._secret, <const uint8_t*> given.buf)
            elif self.backend != "bindings":
                memcpy(self._secret, given.buf, KEY_SIZE)
            else:
                self._key = PyBytes_FromStringAndSize(<const char*> given.buf, KEY_SIZE)
        finally:
            PyBuffer_Release(&given)
        return 0

    def __dealloc__(self):
        self._wipe()

    cdef void _wipe(self) noexcept:
        # _key is a copy that nobody else was given, so its bytes can be overwritten.
        memzero(&self._room[0], sizeof(self._room))
        if self._key is not None:
            memzero(PyBytes_AS_STRING(self._key), KEY_SIZE)
        self._secret = NULL

    def close(self):
        """Wipe the copies of the key. Sealing and opening raise from now on."""
        if vk_atomic_load(&self._calls):
            raise LocalProtocolError("another thread is using this cipher")
        self._wipe()
        self._key = None

    # -- from Python -------------------------------------------------------------

    def seal(self, header, payload):
        """Return ``header``, the encrypted ``payload``, its tag and the nonce.

        Raises `NonceExhausted` when the counter is at its end, `LocalProtocolError` after
        `close`.
        """
        cdef bytes head = header if type(header) is bytes else copied(header)
        cdef bytes body = payload if type(payload) is bytes else copied(payload)
        cdef bytes packet
        cdef SealJob job
        packet = _new_packet(head, body, &job)
        cdef int answer = self.seal_c(
            job.out + job.header_size, job.out, job.header_size, job.plain, job.size)
        if answer != CRYPTO_OK:
            raise_crypto(answer)
        return packet

    def seal_many(self, packets):
        """`seal` for ``(header, payload)`` pairs: a list of sealed packets in their order.

        Other threads run while a batch of a millisecond or more is sealed; `close` raises
        meanwhile. With too few nonces left, `NonceExhausted` is raised and none is sealed.
        """
        cdef tuple given = tuple(packets)
        cdef Py_ssize_t count = len(given)
        cdef Py_ssize_t granted = count
        cdef Py_ssize_t octets = 0
        cdef Py_ssize_t index
        cdef list sealed = [None] * count
        cdef list held = []     # what nobody else holds
        cdef bytes head, body
        cdef uint64_t first
        cdef int answer
        cdef SealJob* jobs
        if self._secret == NULL:
            raise_crypto(CRYPTO_CLOSED)
        jobs = <SealJob*> PyMem_Malloc(count * sizeof(SealJob))
        if jobs == NULL:
            raise MemoryError
        vk_atomic_add(&self._calls, 1)
        try:
            for index in range(count):
                header, payload = given[index]
                head = header if type(header) is bytes else copied(header)
                body = payload if type(payload) is bytes else copied(payload)
                if body is not payload or type(given[index]) is not tuple:
                    held.append(body)
                sealed[index] = _new_packet(head, body, &jobs[index])
                octets += jobs[index].size
            first = self.counter.take_many(&granted)
            if granted < count:
                raise_crypto(CRYPTO_EXHAUSTED)
            if self.is_long(count, octets):
                with nogil:
                    answer = self.seal_jobs(jobs, count, first)
            else:
                answer = self.seal_jobs(jobs, count, first)
        finally:
            vk_atomic_add(&self._calls, -1)
            PyMem_Free(jobs)
        if answer != CRYPTO_OK:
            raise_crypto(answer)
        return sealed

    def open(self, packet, Py_ssize_t header_size):
        """Return the decrypted payload of ``packet``, whose first ``header_size`` bytes are clear.

        Raises `DecryptionFailed` if it was altered, is too short or has another key,
        `LocalProtocolError` after `close`.
        """
        cdef bytes data = packet if type(packet) is bytes else copied(packet)
        cdef const uint8_t* start = <const uint8_t*> PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data) - header_size
        cdef bytes plain
        if header_size < 0:
            raise ValueError("header_size is below 0")
        if size < OVERHEAD:
            raise DecryptionFailed(f"{len(data)} bytes are less than header, tag and nonce")
        plain = PyBytes_FromStringAndSize(NULL, size - OVERHEAD)
        size = self.open_c(
            <uint8_t*> PyBytes_AS_STRING(plain), start, header_size, start + header_size, size)
        if size < 0:
            raise_crypto(<int> size)
        return plain

    def open_many(self, packets, Py_ssize_t header_size):
        """`open` for several packets: a list of payloads in their order, None where it failed.

        Other threads run while a batch of a millisecond or more is opened; `close` raises
        meanwhile.
        """
        cdef list held = pinned(packets)
        cdef list opened = []
        cdef Py_ssize_t count = len(held)
        cdef Py_ssize_t octets = 0
        cdef Py_ssize_t index, size
        cdef OpenJob* jobs
        if header_size < 0:
            raise ValueError("header_size is below 0")
        if self._secret == NULL:
            raise_crypto(CRYPTO_CLOSED)
        jobs = <OpenJob*> PyMem_Malloc(count * sizeof(OpenJob))
        if jobs == NULL:
            raise MemoryError
        vk_atomic_add(&self._calls, 1)
        try:
            for index in range(count):
                size = PyBytes_GET_SIZE(held[index])
                plain = PyBytes_FromStringAndSize(NULL, max(size - header_size - OVERHEAD, 0))
                opened.append(plain)
                jobs[index].data = <const uint8_t*> PyBytes_AS_STRING(held[index])
                jobs[index].size = size
                jobs[index].out = <uint8_t*> PyBytes_AS_STRING(plain)
                octets += size
            if self.is_long(count, octets):
                with nogil:
                    _open_jobs(self, jobs, count, header_size)
            else:
                _open_jobs(self, jobs, count, header_size)
            for index in range(count):
                if jobs[index].answer < 0:
                    opened[index] = None
        finally:
            vk_atomic_add(&self._calls, -1)
            PyMem_Free(jobs)
        return opened

    # -- from C --------------------------------------------------------------------

    cdef bint is_long(self, Py_ssize_t packets, Py_ssize_t octets) noexcept nogil:
        cdef double seconds = packets * self._packet_seconds + octets * self._byte_seconds
        return seconds >= LONG and not self.needs_gil

    cdef int seal_jobs(self, SealJob* jobs, Py_ssize_t count, uint64_t first) noexcept nogil:
        cdef uint8_t[NONCE_SIZE_MAX] nonce
        cdef uint32_t value
        cdef SealJob* job
        cdef uint8_t* body
        cdef int answer = CRYPTO_OK
        if self._secret == NULL:
            return CRYPTO_CLOSED
        _set_nonce(nonce, 0)
        for index in range(count):
            job = &jobs[index]
            body = job.out + job.header_size
            value = <uint32_t> (first + <uint64_t> index)
            if self.needs_gil:
                answer = self.seal_with(
                    value, body, job.out, job.header_size, job.plain, job.size)
            else:
                store_be32(nonce, value)
                store_be32(body + job.size + TAG_SIZE, value)
                answer = self._seal(body, NULL, job.plain, job.size, job.out, job.header_size,
                                    NULL, nonce, self._secret)
            if answer != CRYPTO_OK:
                return CRYPTO_FAILED
        return CRYPTO_OK

    cdef int seal_c(self, uint8_t* out, const uint8_t* aad, Py_ssize_t aad_len,
                    const uint8_t* plain, Py_ssize_t plain_len) noexcept nogil:
        cdef long long value
        if self._secret == NULL:
            return CRYPTO_CLOSED
        value = self.counter.take()
        if value < 0:
            return CRYPTO_EXHAUSTED
        return self.seal_with(<uint32_t> value, out, aad, aad_len, plain, plain_len)

    cdef int seal_with(self, uint32_t value, uint8_t* out, const uint8_t* aad,
                       Py_ssize_t aad_len, const uint8_t* plain,
                       Py_ssize_t plain_len) noexcept nogil:
        cdef uint8_t[NONCE_SIZE_MAX] nonce
        _set_nonce(nonce, value)
        store_be32(out + plain_len + TAG_SIZE, value)
        if self.needs_gil:
            return self._seal_in_python(out, aad, aad_len, plain, plain_len, nonce)
        if self._seal(out, NULL, plain, plain_len, aad, aad_len, NULL, nonce, self._secret):
            return CRYPTO_FAILED
        return CRYPTO_OK

    cdef Py_ssize_t open_c(self, uint8_t* out, const uint8_t* aad, Py_ssize_t aad_len,
                           const uint8_t* body, Py_ssize_t body_len) noexcept nogil:
        cdef uint8_t[NONCE_SIZE_MAX] nonce
        if self._secret == NULL:
            return CRYPTO_CLOSED
        if body_len < OVERHEAD:
            return CRYPTO_BAD_TAG
        body_len -= NONCE_SUFFIX_SIZE
        _set_nonce(nonce, load_be32(body + body_len))
        if self.needs_gil:
            return self._open_in_python(out, aad, aad_len, body, body_len, nonce)
        if self._open(out, NULL, NULL, body, body_len, aad, aad_len, nonce, self._secret):
            return CRYPTO_BAD_TAG
        return body_len - TAG_SIZE

    cdef int _seal_in_python(self, uint8_t* out, const uint8_t* aad, Py_ssize_t aad_len,
                             const uint8_t* plain, Py_ssize_t plain_len,
                             const uint8_t* nonce) noexcept with gil:
        cdef bytes sealed
        vk_atomic_add(&self._calls, 1)
        try:
            sealed = self._py_seal(
                plain[:plain_len], aad[:aad_len], nonce[:self._nonce_size], self._key)
            if len(sealed) != plain_len + TAG_SIZE:
                return CRYPTO_FAILED
            memcpy(out, PyBytes_AS_STRING(sealed), len(sealed))
            return CRYPTO_OK
        except Exception:
            return CRYPTO_FAILED
        finally:
            vk_atomic_add(&self._calls, -1)

    cdef Py_ssize_t _open_in_python(self, uint8_t* out, const uint8_t* aad, Py_ssize_t aad_len,
                                    const uint8_t* body, Py_ssize_t body_len,
                                    const uint8_t* nonce) noexcept with gil:
        cdef bytes plain
        vk_atomic_add(&self._calls, 1)
        try:
            plain = self._py_open(
                body[:body_len], aad[:aad_len], nonce[:self._nonce_size], self._key)
            if len(plain) != body_len - TAG_SIZE:
                return CRYPTO_FAILED
            memcpy(out, PyBytes_AS_STRING(plain), len(plain))
            return len(plain)
        except Exception:
            return CRYPTO_BAD_TAG
        finally:
            vk_atomic_add(&self._calls, -1)

    def __repr__(self):
        return f"<TransportCipher {self.mode}{'' if self._secret else ', closed'}>"

    def __reduce__(self):
        raise TypeError("a copy of a cipher would repeat its nonces")


cdef struct OpenJob:
    const uint8_t* data
    Py_ssize_t size
    uint8_t* out
    Py_ssize_t answer


cdef void _open_jobs(TransportCipher cipher, OpenJob* jobs, Py_ssize_t count,
                     Py_ssize_t header_size) noexcept nogil:
    cdef OpenJob* job
    for index in range(count):
        job = &jobs[index]
        job.answer = CRYPTO_BAD_TAG
        if job.size >= header_size + OVERHEAD:
            job.answer = cipher.open_c(
                job.out, job.data, header_size, job.data + header_size, job.size - header_size)


cdef inline bytes _new_packet(bytes header, bytes payload, SealJob* job):
    """A packet to be sealed: its header is there, the rest is the job's."""
    cdef Py_ssize_t header_size = PyBytes_GET_SIZE(header)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
    cdef bytes packet = PyBytes_FromStringAndSize(NULL, header_size + size + OVERHEAD)
    job.out = <uint8_t*> PyBytes_AS_STRING(packet)
    job.header_size = header_size
    job.plain = <const uint8_t*> PyBytes_AS_STRING(payload)
    job.size = size
    memcpy(job.out, PyBytes_AS_STRING(header), header_size)
    return packet


cdef inline void _set_nonce(uint8_t* nonce, uint32_t value) noexcept nogil:
    store_be32(nonce, value)
    for i in range(NONCE_SUFFIX_SIZE, NONCE_SIZE_MAX):
        nonce[i] = 0


cdef int raise_crypto(int answer) except -1:
    if answer == CRYPTO_BAD_TAG:
        raise DecryptionFailed("the tag does not match: altered, or the wrong key")
    if answer == CRYPTO_EXHAUSTED:
        raise NonceExhausted("all nonces of this key are used; it must be renegotiated")
    if answer == CRYPTO_CLOSED:
        raise LocalProtocolError("this cipher is closed, its key wiped")
    raise LocalProtocolError("libsodium refused to encrypt")
