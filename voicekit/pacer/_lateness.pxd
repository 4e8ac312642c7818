# How late packets left.

cimport cython
from libc.stdint cimport int64_t, uint32_t

from .._atomic cimport vk_atomic


cdef enum:
    BUCKETS = 144


@cython.final
cdef class Histogram:
    cdef uint32_t[BUCKETS] _buckets
    cdef vk_atomic _max         # nanoseconds

    cdef void add(self, int64_t ns) noexcept nogil
