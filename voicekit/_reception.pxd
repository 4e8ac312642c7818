# Statistics of received streams: what other Cython modules may call.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


# What Reception.update_c says of a packet. From RECEPTION_DUPLICATE on: drop it.
cdef enum Outcome:
    RECEPTION_NEXT          # ahead of all before it (the first packet, too)
    RECEPTION_REORDERED     # late, but not seen before
    RECEPTION_RESTARTED     # the sender started its numbers anew
    RECEPTION_DUPLICATE     # seen before
    RECEPTION_STALE         # too far from the highest number: too late, or a restart to come


# The same packet on counters that do not wrap.
cdef struct Arrival:
    int64_t sequence
    int64_t timestamp
    int64_t missing         # RECEPTION_NEXT: packets missing just before it


cdef class ExtendedCounter:
    cdef int64_t _span
    cdef int64_t _highest
    cdef bint _started
    cdef int64_t update_c(self, uint32_t value) noexcept nogil


cdef class Reception:
    cdef readonly uint32_t ssrc
    cdef readonly int64_t received       # duplicates not counted
    cdef readonly int64_t duplicates     # seen before, or stale
    cdef readonly int64_t reordered
    cdef readonly int64_t restarts
    cdef readonly int64_t first_sequence
    cdef readonly int64_t highest_sequence
    cdef readonly int64_t highest_timestamp
    cdef readonly double last_arrival
    cdef readonly double jitter          # seconds
    cdef double _transit
    cdef uint64_t _seen[2]               # bit n: highest_sequence - n was received
    cdef int64_t _before                 # expected before the last restart
    cdef int64_t _suspect                # the number that would confirm a restart, or -1
    cdef int64_t _reported_expected
    cdef int64_t _reported_received
    cdef uint32_t _last_sr
    cdef double _last_sr_arrival

    cdef Outcome update_c(self, uint16_t sequence, uint32_t timestamp, double now,
                          Arrival* arrival) noexcept nogil
