"""What the work costs at least: loops in C over the bare calls of the libraries.

Each loop does what one packet needs of the library and nothing besides: a nonce that counts,
one call, no allocation, no Python. `bench.libraries` finds the functions; they come as
addresses, so that the very library is measured that voicekit calls.

Every loop returns its seconds. The GIL is released meanwhile.
"""

from time import perf_counter

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset

__all__ = [
    "OpensslAead",
    "Packets",
    "SodiumAead",
    "opus_decode",
    "opus_encode",
    "receive_datagrams",
    "send_on_time",
]

cdef enum:
    HEADER = 12             # RTP without extension
    TAG = 16
    NONCE_SUFFIX = 4
    NONCE_MAX = 24
    LARGEST = 2048          # of one packet
    SCHEDULE = 512
    ALIGNMENT = 16
    # openssl/evp.h
    EVP_CTRL_AEAD_SET_IVLEN = 0x9
    EVP_CTRL_AEAD_GET_TAG = 0x10
    EVP_CTRL_AEAD_SET_TAG = 0x11


@cython.final
cdef class Packets:
    """Datagrams to be opened, one behind the other in memory, as recvmmsg would leave them."""

    cdef uint8_t* _bytes
    cdef Py_ssize_t _slot
    cdef uint32_t* _sizes
    cdef int _count

    def __cinit__(self, packets):
        cdef bytes packet
        cdef int i
        self._count = len(packets)
        self._slot = max(map(len, packets), default=0)
        self._bytes = <uint8_t*> PyMem_Malloc(max(1, self._count * self._slot))
        self._sizes = <uint32_t*> PyMem_Malloc(max(1, self._count) * sizeof(uint32_t))
        if self._bytes == NULL or self._sizes == NULL:
            raise MemoryError
        for i in range(self._count):
            packet = packets[i]
            memcpy(self._bytes + i * self._slot, PyBytes_AS_STRING(packet), len(packet))
            self._sizes[i] = <uint32_t> len(packet)

    def __dealloc__(self):
        PyMem_Free(self._bytes)
        PyMem_Free(self._sizes)


# -- libsodium -----------------------------------------------------------------

ctypedef int (*sodium_schedule)(uint8_t* schedule, const uint8_t* key) noexcept nogil
ctypedef int (*sodium_seal)(
    uint8_t* out, unsigned long long* out_len,
    const uint8_t* plain, unsigned long long plain_len,
    const uint8_t* aad, unsigned long long aad_len,
    const uint8_t* nsec, const uint8_t* nonce, const void* secret) noexcept nogil
ctypedef int (*sodium_open)(
    uint8_t* out, unsigned long long* out_len, uint8_t* nsec,
    const uint8_t* body, unsigned long long body_len,
    const uint8_t* aad, unsigned long long aad_len,
    const uint8_t* nonce, const void* secret) noexcept nogil


@cython.final
cdef class SodiumAead:
    """One key in libsodium. ``schedule`` is 0 where the functions take the key itself."""

    cdef sodium_seal _seal
    cdef sodium_open _open
    cdef uint8_t* _secret
    cdef uint8_t[SCHEDULE + ALIGNMENT] _room

    def __init__(self, uintptr_t seal, uintptr_t open, uintptr_t schedule, bytes key):
        if len(key) != 32:
            raise ValueError("a key has 32 bytes")
        self._seal = <sodium_seal> seal
        self._open = <sodium_open> open
        self._secret = <uint8_t*> (
            (<uintptr_t> &self._room[0] + ALIGNMENT - 1) & ~<uintptr_t> (ALIGNMENT - 1))
        if schedule:
            (<sodium_schedule> schedule)(self._secret, <const uint8_t*> PyBytes_AS_STRING(key))
        else:
            memcpy(self._secret, PyBytes_AS_STRING(key), 32)

    def seal(self, bytes payload, uint64_t n):
        """Seal ``payload`` behind a 12-byte header, ``n`` times."""
        cdef uint8_t[LARGEST] out
        cdef uint8_t[NONCE_MAX] nonce
        cdef const uint8_t* plain = <const uint8_t*> PyBytes_AS_STRING(payload)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
        cdef uint64_t i
        if size > LARGEST - HEADER - TAG:
            raise ValueError("too large")
        memset(nonce, 0, NONCE_MAX)
        memset(out, 0, HEADER)
        start = perf_counter()
        with nogil:
            for i in range(n):
                memcpy(nonce, &i, NONCE_SUFFIX)
                self._seal(out + HEADER, NULL, plain, size, out, HEADER, NULL, nonce, self._secret)
        return perf_counter() - start

    def open(self, Packets packets, uint64_t n, Py_ssize_t header=HEADER):
        """Open ``packets`` in turn, ``n`` in all. Raises `ValueError` if one does not open."""
        cdef uint8_t[LARGEST] out
        cdef uint8_t[NONCE_MAX] nonce
        cdef const uint8_t* packet
        cdef Py_ssize_t size
        cdef uint64_t _
        cdef uint64_t failed = 0
        cdef int at = 0
        if packets._slot > LARGEST or packets._count == 0:
            raise ValueError("too large, or nothing")
        memset(nonce, 0, NONCE_MAX)
        start = perf_counter()
        with nogil:
            for _ in range(n):
                packet = packets._bytes + at * packets._slot
                size = packets._sizes[at] - NONCE_SUFFIX
                memcpy(nonce, packet + size, NONCE_SUFFIX)
                failed += self._open(out, NULL, NULL, packet + header, size - header,
                                     packet, header, nonce, self._secret) != 0
                at = at + 1 if at + 1 < packets._count else 0
        seconds = perf_counter() - start
        if failed:
            raise ValueError(f"{failed} packets did not open")
        return seconds

    def seal_after(self, encrypt, kind, ssrc, bytes opus, uint64_t n):
        """Encrypt ``opus`` end to end and seal what comes of it, ``n`` times.

        ``encrypt`` is the method of libdave's Encryptor: Python, like everything it lets be
        called. The GIL is held.
        """
        cdef uint8_t[LARGEST] out
        cdef uint8_t[NONCE_MAX] nonce
        cdef bytes frame
        cdef uint64_t i
        memset(nonce, 0, NONCE_MAX)
        memset(out, 0, HEADER)
        start = perf_counter()
        for i in range(n):
            frame = encrypt(kind, ssrc, opus)
            memcpy(nonce, &i, NONCE_SUFFIX)
            self._seal(out + HEADER, NULL, <const uint8_t*> PyBytes_AS_STRING(frame),
                       min(PyBytes_GET_SIZE(frame), LARGEST - HEADER - TAG), out, HEADER,
                       NULL, nonce, self._secret)
        return perf_counter() - start

    def open_before(self, Packets packets, decrypt, kind):
        """Open ``packets`` and decrypt what comes of each, end to end: once each.

        ``decrypt`` is the method of libdave's Decryptor. Raises `ValueError` if a packet does
        not open or a frame is refused. The GIL is held.
        """
        cdef uint8_t[LARGEST] out
        cdef uint8_t[NONCE_MAX] nonce
        cdef const uint8_t* packet
        cdef Py_ssize_t size
        cdef int i
        cdef uint64_t failed = 0
        if packets._slot > LARGEST:
            raise ValueError("too large")
        memset(nonce, 0, NONCE_MAX)
        start = perf_counter()
        for i in range(packets._count):
            packet = packets._bytes + i * packets._slot
            size = packets._sizes[i] - NONCE_SUFFIX
            memcpy(nonce, packet + size, NONCE_SUFFIX)
            if self._open(out, NULL, NULL, packet + HEADER, size - HEADER, packet, HEADER,
                          nonce, self._secret):
                failed += 1
                continue
            frame = PyBytes_FromStringAndSize(<const char*> out, size - HEADER - TAG)
            if decrypt(kind, frame) is None:
                failed += 1
        seconds = perf_counter() - start
        if failed:
            raise ValueError(f"{failed} packets did not open")
        return seconds


# -- OpenSSL -------------------------------------------------------------------

ctypedef void* (*evp_new)() noexcept nogil
ctypedef void (*evp_free)(void* context) noexcept nogil
ctypedef int (*evp_init)(
    void* context, const void* cipher, void* engine, const uint8_t* key, const uint8_t* iv
) noexcept nogil
ctypedef int (*evp_update)(
    void* context, uint8_t* out, int* out_len, const uint8_t* data, int size) noexcept nogil
ctypedef int (*evp_final)(void* context, uint8_t* out, int* out_len) noexcept nogil
ctypedef int (*evp_ctrl)(void* context, int request, int number, void* data) noexcept nogil


@cython.final
cdef class OpensslAead:
    """One key in OpenSSL's EVP, its schedule computed once.

    ``functions``: the addresses of the functions of libcrypto by name; ``cipher``: the
    address of an EVP_CIPHER with a nonce of 12 bytes and a tag of 16.
    """

    cdef void* _sealing
    cdef void* _opening
    cdef evp_free _free
    cdef evp_init _seal_init
    cdef evp_init _open_init
    cdef evp_update _seal_update
    cdef evp_update _open_update
    cdef evp_final _seal_final
    cdef evp_final _open_final
    cdef evp_ctrl _ctrl

    def __init__(self, dict functions, uintptr_t cipher, bytes key):
        cdef dict at = functions
        cdef evp_new make = <evp_new> <uintptr_t> at["EVP_CIPHER_CTX_new"]
        self._free = <evp_free> <uintptr_t> at["EVP_CIPHER_CTX_free"]
        self._seal_init = <evp_init> <uintptr_t> at["EVP_EncryptInit_ex"]
        self._open_init = <evp_init> <uintptr_t> at["EVP_DecryptInit_ex"]
        self._seal_update = <evp_update> <uintptr_t> at["EVP_EncryptUpdate"]
        self._open_update = <evp_update> <uintptr_t> at["EVP_DecryptUpdate"]
        self._seal_final = <evp_final> <uintptr_t> at["EVP_EncryptFinal_ex"]
        self._open_final = <evp_final> <uintptr_t> at["EVP_DecryptFinal_ex"]
        self._ctrl = <evp_ctrl> <uintptr_t> at["EVP_CIPHER_CTX_ctrl"]
        self._sealing = make()
        self._opening = make()
        cdef const uint8_t* secret = <const uint8_t*> PyBytes_AS_STRING(key)
        if len(key) != 32 or not (
            self._seal_init(self._sealing, <void*> cipher, NULL, NULL, NULL)
            and self._ctrl(self._sealing, EVP_CTRL_AEAD_SET_IVLEN, 12, NULL)
            and self._seal_init(self._sealing, NULL, NULL, secret, NULL)
            and self._open_init(self._opening, <void*> cipher, NULL, NULL, NULL)
            and self._ctrl(self._opening, EVP_CTRL_AEAD_SET_IVLEN, 12, NULL)
            and self._open_init(self._opening, NULL, NULL, secret, NULL)
        ):
            raise ValueError("OpenSSL does not take this cipher or key")

    def __dealloc__(self):
        if self._sealing != NULL:
            self._free(self._sealing)
        if self._opening != NULL:
            self._free(self._opening)

    def seal(self, bytes payload, uint64_t n):
        """Seal ``payload`` behind a 12-byte header, ``n`` times."""
        cdef uint8_t[LARGEST] out
        cdef uint8_t[NONCE_MAX] nonce
        cdef const uint8_t* plain = <const uint8_t*> PyBytes_AS_STRING(payload)
        cdef int size = <int> PyBytes_GET_SIZE(payload)
        cdef int written = 0
        cdef uint64_t i
        cdef bint fine = True
        if size > LARGEST - HEADER - TAG:
            raise ValueError("too large")
        memset(nonce, 0, NONCE_MAX)
        memset(out, 0, HEADER)
        start = perf_counter()
        with nogil:
            for i in range(n):
                memcpy(nonce, &i, NONCE_SUFFIX)
                fine = (
                    fine
                    and self._seal_init(self._sealing, NULL, NULL, NULL, nonce)
                    and self._seal_update(self._sealing, NULL, &written, out, HEADER)
                    and self._seal_update(self._sealing, out + HEADER, &written, plain, size)
                    and self._seal_final(self._sealing, out + HEADER + written, &written)
                    and self._ctrl(
                        self._sealing, EVP_CTRL_AEAD_GET_TAG, TAG, out + HEADER + size)
                )
        seconds = perf_counter() - start
        if not fine:
            raise ValueError("OpenSSL did not seal")
        return seconds

    def open(self, Packets packets, uint64_t n, Py_ssize_t header=HEADER):
        """Open ``packets`` in turn, ``n`` in all. Raises `ValueError` if one does not open."""
        cdef uint8_t[LARGEST] out
        cdef uint8_t[NONCE_MAX] nonce
        cdef uint8_t* packet
        cdef int size
        cdef int written = 0
        cdef uint64_t _
        cdef int at = 0
        cdef bint fine = True
        if packets._slot > LARGEST or packets._count == 0:
            raise ValueError("too large, or nothing")
        memset(nonce, 0, NONCE_MAX)
        start = perf_counter()
        with nogil:
            for _ in range(n):
                packet = packets._bytes + at * packets._slot
                size = <int> (packets._sizes[at] - NONCE_SUFFIX - TAG)
                memcpy(nonce, packet + size + TAG, NONCE_SUFFIX)
                fine = (
                    fine
                    and self._open_init(self._opening, NULL, NULL, NULL, nonce)
                    and self._open_update(
                        self._opening, NULL, &written, packet, <int> header)
                    and self._open_update(
                        self._opening, out, &written, packet + header, size - <int> header)
                    and self._ctrl(self._opening, EVP_CTRL_AEAD_SET_TAG, TAG, packet + size)
                    and self._open_final(self._opening, out + written, &written)
                )
                at = at + 1 if at + 1 < packets._count else 0
        seconds = perf_counter() - start
        if not fine:
            raise ValueError("OpenSSL did not open a packet")
        return seconds


# -- libopus -------------------------------------------------------------------

ctypedef int32_t (*encode_function)(
    void* state, const void* pcm, int samples, uint8_t* out, int32_t size) noexcept nogil
ctypedef int (*decode_function)(
    void* state, const uint8_t* data, int32_t size, void* pcm, int samples, int fec
) noexcept nogil


def opus_encode(uintptr_t function, uintptr_t state, Packets frames, int samples, uint64_t n):
    """Encode ``frames`` (int16 PCM of ``samples`` per channel each) in turn, ``n`` in all."""
    cdef encode_function encode = <encode_function> function
    cdef uint8_t[LARGEST] out
    cdef uint64_t _
    cdef int at = 0
    cdef int32_t worst = 0
    cdef int32_t size
    if frames._count == 0:
        raise ValueError("nothing to encode")
    start = perf_counter()
    with nogil:
        for _ in range(n):
            size = encode(<void*> state, frames._bytes + at * frames._slot, samples, out, LARGEST)
            worst = size if size < worst else worst
            at = at + 1 if at + 1 < frames._count else 0
    seconds = perf_counter() - start
    if worst < 0:
        raise ValueError(f"libopus: error {worst}")
    return seconds


def opus_decode(
    uintptr_t function, uintptr_t state, Packets packets, int samples, int channels, uint64_t n
):
    """Decode ``packets`` in turn, ``n`` in all, to int16 PCM of ``samples`` per channel."""
    cdef decode_function decode = <decode_function> function
    cdef void* pcm = PyMem_Malloc(max(1, samples * channels) * 2)
    cdef uint64_t _
    cdef int at = 0
    cdef int worst = 0
    cdef int got
    if pcm == NULL:
        raise MemoryError
    if packets._count == 0:
        PyMem_Free(pcm)
        raise ValueError("nothing to decode")
    start = perf_counter()
    with nogil:
        for _ in range(n):
            got = decode(<void*> state, packets._bytes + at * packets._slot,
                         <int32_t> packets._sizes[at], pcm, samples, 0)
            worst = got if got < worst else worst
            at = at + 1 if at + 1 < packets._count else 0
    seconds = perf_counter() - start
    PyMem_Free(pcm)
    if worst < 0:
        raise ValueError(f"libopus: error {worst}")
    return seconds


# -- the socket ----------------------------------------------------------------

cdef extern from * nogil:
    """
    #if defined(__linux__)
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <errno.h>
    #include <string.h>
    #include <sys/prctl.h>
    #include <sys/socket.h>
    #include <time.h>
    #define BENCH_BATCH 64
    #define BENCH_SLOT 2048
    /* Take what is there, 64 at a time; how many, or -errno. */
    static int bench_receive(int fd, unsigned char* arena, unsigned int* sizes)
    {
        struct mmsghdr messages[BENCH_BATCH];
        struct iovec parts[BENCH_BATCH];
        int got;
        memset(messages, 0, sizeof messages);
        for (int i = 0; i < BENCH_BATCH; i++) {
            parts[i].iov_base = arena + i * BENCH_SLOT;
            parts[i].iov_len = BENCH_SLOT;
            messages[i].msg_hdr.msg_iov = &parts[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        got = recvmmsg(fd, messages, BENCH_BATCH, MSG_DONTWAIT, NULL);
        if (got < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
        for (int i = 0; i < got; i++)
            sizes[i] = messages[i].msg_len;
        return got;
    }
    /* Wake when the time has come, not up to 50 us later. */
    static void bench_be_punctual(void) { prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); }
    static void bench_sleep_until(long long due)
    {
        struct timespec when = { due / 1000000000, due % 1000000000 };
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
            ;
    }
    static int bench_send(int fd, const unsigned char* data, size_t size)
    {
        return send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
    }
    #else
    #define BENCH_BATCH 64
    #define BENCH_SLOT 2048
    static int bench_receive(int fd, unsigned char* arena, unsigned int* sizes)
    {
        (void) fd; (void) arena; (void) sizes;
        return -1;
    }
    static void bench_be_punctual(void) {}
    static void bench_sleep_until(long long due) { (void) due; }
    static int bench_send(int fd, const unsigned char* data, size_t size)
    {
        (void) fd; (void) data; (void) size;
        return -1;
    }
    #endif
    """
    enum:
        BENCH_BATCH
        BENCH_SLOT
    int bench_receive(int fd, uint8_t* arena, unsigned int* sizes)
    void bench_be_punctual()
    void bench_sleep_until(int64_t due)
    int bench_send(int fd, const uint8_t* data, size_t size)


def receive_datagrams(int fd, uint64_t n, SodiumAead aead=None, Py_ssize_t header=HEADER):
    """Receive ``n`` datagrams that wait in the socket, by recvmmsg; open them with ``aead``.

    Raises `OSError`, also where fewer than ``n`` are there, and `ValueError` if one does not
    open. Linux only.
    """
    cdef uint8_t[LARGEST] out
    cdef uint8_t[NONCE_MAX] nonce
    cdef uint8_t* arena = <uint8_t*> PyMem_Malloc(BENCH_BATCH * BENCH_SLOT)
    cdef unsigned int[BENCH_BATCH] sizes
    cdef const uint8_t* packet
    cdef Py_ssize_t size
    cdef uint64_t taken = 0
    cdef uint64_t failed = 0
    cdef int got = 0
    cdef int i
    if arena == NULL:
        raise MemoryError
    memset(nonce, 0, NONCE_MAX)
    start = perf_counter()
    with nogil:
        while taken < n:
            got = bench_receive(fd, arena, sizes)
            if got <= 0:
                break
            taken += got
            if aead is None:
                continue
            for i in range(got):
                packet = arena + i * BENCH_SLOT
                size = <Py_ssize_t> sizes[i] - NONCE_SUFFIX
                memcpy(nonce, packet + size, NONCE_SUFFIX)
                failed += aead._open(out, NULL, NULL, packet + header, size - header,
                                     packet, header, nonce, aead._secret) != 0
    seconds = perf_counter() - start
    PyMem_Free(arena)
    if got < 0:
        raise OSError(-got, "recvmmsg failed")
    if taken < n:
        raise OSError(0, f"{taken} datagrams were there, not {n}")
    if failed:
        raise ValueError(f"{failed} datagrams did not open")
    return seconds


@cython.boundscheck(False)
def send_on_time(const int[::1] fds, bytes packet, int64_t begin, int64_t tick, int64_t period,
                 uint64_t periods):
    """Send ``packet`` on each of ``fds`` once a period, and nothing besides: no sealing, no ring.

    Stream n has SSRC n + 1; its packet k, sequence number k, is due at ``begin`` (nanoseconds of
    the monotonic clock) + k periods + its own place in the period, in steps of a ``tick``, over
    which the streams are spread evenly. Raises `OSError`. Linux only.
    """
    cdef uint8_t[LARGEST] out
    cdef Py_ssize_t size = len(packet)
    cdef int64_t steps = period // tick
    cdef int64_t step
    cdef uint64_t k
    cdef Py_ssize_t n
    cdef int error = 0
    if not HEADER <= size <= LARGEST:
        raise ValueError(f"a packet has {HEADER} to {LARGEST} bytes")
    memcpy(out, PyBytes_AS_STRING(packet), size)
    start = perf_counter()
    with nogil:
        bench_be_punctual()
        for k in range(periods):
            out[2], out[3] = k >> 8 & 0xFF, k & 0xFF
            for step in range(steps):
                bench_sleep_until(begin + <int64_t> k * period + step * tick)
                for n in range(fds.shape[0] * step // steps, fds.shape[0] * (step + 1) // steps):
                    out[8], out[9] = (n + 1) >> 24 & 0xFF, (n + 1) >> 16 & 0xFF
                    out[10], out[11] = (n + 1) >> 8 & 0xFF, (n + 1) & 0xFF
                    error = bench_send(fds[n], out, size) or error
    if error:
        raise OSError(-error, "send failed")
    return perf_counter() - start
