# How late packets come: what other Cython modules may call.

cdef enum:
    DELAY_BINS = 128


cdef class Delays:
    # The least transit time of this half of the window and of the one before, and the end of
    # this half.
    cdef double _least
    cdef double _least_before
    cdef double _turn
    cdef bint started
    # How often a packet was how much later than the least: newer ones weigh more.
    cdef float[DELAY_BINS] _weights
    cdef double _total
    cdef double _weight         # of the next packet
    cdef int _top               # no bin above it has any weight
    cdef double _width          # of a bin, in seconds
    cdef double _memory
    cdef double _late_share
    cdef readonly double quantile

    # One packet of `duration` seconds. `transit`: its arrival minus its media time.
    cdef void observe_c(self, double transit, double duration, double now) noexcept nogil
    # The least transit time of late.
    cdef double least_c(self) noexcept nogil
    cdef void _add(self, double delay, double weight) noexcept nogil
    cdef void _find_quantile(self) noexcept nogil
