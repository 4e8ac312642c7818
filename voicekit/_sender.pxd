# The sending half of a session: what _session calls, and who seals from another thread.

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from ._atomic cimport vk_atomic
from ._crypto cimport TransportCipher
from ._frame_gate cimport FrameGate
from ._opus_toc cimport opus_duration_c


cdef enum:
    # RFC 6716 §3.2: at most 48 frames (R5) of 1 275 bytes (R2), lengths and padding aside.
    # Nothing larger is Opus, and this still fits a datagram.
    LARGEST_OPUS = 48 * 1275


# The duration of what can be sent, else 0.
cdef inline int sendable_duration(bytes opus) noexcept:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(opus)
    if size > LARGEST_OPUS:
        return 0
    return opus_duration_c(<const uint8_t*> PyBytes_AS_STRING(opus), size)


@cython.final
cdef class SendEpoch:
    cdef vk_atomic value


# Whoever seals and sends for a session from a thread of its own.
cdef class Borrower:
    # Returns once nothing of the session is in use any more.
    cdef int freeze(self) except -1
    # The end-to-end key changed: encrypt anew what has not been sent.
    cdef int renew(self) except -1


@cython.final
cdef class Sender:
    cdef uint32_t ssrc
    cdef object dave            # None: frames go out as they are
    cdef FrameGate gate         # its short way, or None
    cdef readonly SendEpoch epoch
    cdef readonly bint is_clear  # what `admit` let through last is not end-to-end encrypted
    # The media clock: samples sent and paused since `restart`, the RTP timestamp at its zero,
    # and its zero on the caller's clock.
    cdef vk_atomic _samples
    cdef uint32_t _first_timestamp
    cdef vk_atomic _origin      # a double; not a number: the clock does not run yet
    cdef double _slack
    # One writer at a time, any reader. Packets under this SSRC count the sequence, too.
    cdef uint16_t _first_sequence
    cdef vk_atomic _ssrc_packets
    cdef vk_atomic _ssrc_octets
    cdef vk_atomic _last_timestamp
    # Of the whole session.
    cdef vk_atomic _packets
    cdef vk_atomic _bytes
    cdef vk_atomic _clear

    cdef void restart(self, uint32_t ssrc, uint16_t sequence, uint32_t timestamp) noexcept

    # Whether all frames go out as they are.
    cdef inline bint sends_clear(self) noexcept:
        return self.dave is None or (self.gate is not None and self.gate.sends_clear())

    # What to seal for an Opus packet, its duration and `is_clear`; None with a DROP_* in
    # `reason`.
    cdef bytes admit(self, object opus, int* duration, int* reason)

    # Bring the timestamp to the media clock; whether a talk spurt begins with this packet.
    cdef bint follow_clock(self, double now) noexcept nogil
    # Say that the next packet is due at `due`: for who has a schedule of their own.
    cdef void set_due(self, double due) noexcept nogil
    # Advance the timestamp without a packet.
    cdef void skip(self, uint32_t samples) noexcept nogil

    # Write a datagram of FIXED_HEADER + size + OVERHEAD bytes; a CRYPTO_* of _crypto.pxd.
    # Sequence and timestamp advance only if it is CRYPTO_OK. One thread at a time.
    cdef int seal(self, TransportCipher cipher, uint8_t* out, const uint8_t* frame,
                  Py_ssize_t size, int duration, bint marker, bint is_clear) noexcept nogil

    # Count what was sealed, the last packet under `timestamp`.
    cdef void count(self, Py_ssize_t packets, Py_ssize_t octets, Py_ssize_t samples,
                    Py_ssize_t clear, uint32_t timestamp) noexcept nogil

    # Of the next packet.
    cdef uint16_t sequence(self) noexcept nogil
    cdef uint32_t timestamp(self) noexcept nogil
    cdef double due(self) noexcept nogil
    # The RTP timestamp of the instant `now`.
    cdef uint32_t timestamp_at(self, double now) noexcept nogil
