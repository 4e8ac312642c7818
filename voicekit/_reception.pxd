# Statistics of received streams: what other Cython modules may call.

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t


# What Reception.update_c says of a packet. From RECEPTION_DUPLICATE on: drop it.
cdef enum VerdictCode:
    RECEPTION_NEXT          # ahead of all before it (the first packet, too)
    RECEPTION_REORDERED     # late, but not seen before
    RECEPTION_RESTARTED     # the sender began a new count; this is its second packet
    RECEPTION_DUPLICATE     # seen before
    RECEPTION_STALE         # too far from the highest number: too late, or a new count's first


# The same packet on counters that do not wrap.
cdef struct Position:
    int64_t sequence
    int64_t timestamp
    int64_t missing         # RECEPTION_NEXT: packets missing just before it, else 0


cdef class ExtendedCounter:
    cdef int64_t _span
    cdef bint _started
    cdef readonly int64_t highest
    cdef int64_t update_c(self, uint32_t value) noexcept nogil


cdef class Reception:
    cdef readonly uint32_t ssrc
    cdef readonly int64_t received
    cdef readonly int64_t duplicates
    cdef readonly int64_t reordered
    cdef readonly int64_t restarts
    cdef readonly int64_t first_sequence
    cdef readonly int64_t highest_sequence
    cdef readonly int64_t highest_timestamp
    cdef readonly double last_arrival
    cdef readonly double jitter
    cdef double _transit
    # Bit n of the 128: highest_sequence - n was received.
    cdef uint64_t _seen
    cdef uint64_t _seen_before
    cdef int64_t _expected_before   # packets expected of counts before the last restart
    cdef int64_t _suspect           # the number that would confirm a restart, or NO_SUSPECT
    cdef int64_t _reported_expected
    cdef int64_t _reported_received
    cdef uint32_t _last_sr
    cdef double _last_sr_arrival

    cdef VerdictCode update_c(self, uint16_t sequence, uint32_t timestamp, double now,
                              Position* position) noexcept nogil
    cdef int64_t expected_c(self) noexcept nogil
    # Parts of update_c.
    cdef VerdictCode _judge(self, Position* position) noexcept nogil
    cdef void _shift_window(self, int64_t by) noexcept nogil
    cdef bint _was_seen(self, int64_t behind) noexcept nogil
    cdef void _measure_jitter(self, VerdictCode verdict, int64_t timestamp,
                              double now) noexcept nogil
