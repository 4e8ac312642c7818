# The sending half of a session: what _session calls.

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from ._crypto cimport TransportCipher


@cython.final
cdef class Sender:
    cdef uint32_t ssrc
    cdef object dave            # None: frames go out as they are
    # Of the next packet.
    cdef uint16_t sequence
    cdef uint32_t timestamp
    # Of the last one, once there is one.
    cdef bint sent_any
    cdef uint16_t last_sequence
    cdef uint32_t last_timestamp
    # The media clock: when the next packet is due if audio goes on without a pause.
    cdef bint running
    cdef double due
    cdef double _slack
    cdef bint _is_clear         # what `admit` let through last is not end-to-end encrypted
    # Of the whole session.
    cdef uint64_t packets
    cdef uint64_t bytes
    cdef uint64_t clear
    # Of this SSRC alone, for sender reports; they wrap.
    cdef uint32_t ssrc_packets
    cdef uint32_t ssrc_octets

    cdef void restart(self, uint32_t ssrc, uint16_t sequence, uint32_t timestamp) noexcept

    # What to seal for an Opus packet, and its duration; None with a DROP_* in `reason`.
    cdef bytes admit(self, object opus, int* duration, int* reason)

    # Bring the timestamp to the media clock; whether a talk spurt begins with this packet.
    cdef bint follow_clock(self, double now) noexcept

    # Write a datagram of FIXED_HEADER + len(frame) + OVERHEAD bytes; a CRYPTO_* of _crypto.pxd.
    # Sequence and timestamp advance only if it is CRYPTO_OK.
    cdef int seal(self, TransportCipher cipher, uint8_t* out, bytes frame, int duration,
                  bint marker) noexcept

    # The RTP timestamp of the instant `now`.
    cdef uint32_t timestamp_at(self, double now) noexcept
