# A mixing bus: frames of several signals are added, their sum is taken.

from libc.stdint cimport int16_t


cdef class Bus:
    cdef float* _sum                # interleaved, int16 scale
    cdef Py_ssize_t _samples        # of one frame, per channel
    cdef float _knee[2]             # where the curve bends now, by channel

    # `pcm` has as many samples as the bus; gains are finite and at least 0.
    cdef void add_c(self, const int16_t* pcm, double before, double after) noexcept nogil
    cdef void take_c(self, int16_t* out) noexcept nogil
