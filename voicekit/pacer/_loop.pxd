# All streams of one pacer: what _native calls.

from libc.stdint cimport int64_t, uint8_t

from .._atomic cimport vk_atomic
from ._lateness cimport Histogram
from ._stream cimport Stream
from ._wheel cimport Entry, Wheel


cdef enum:
    LARGEST_DATAGRAM = 65536


cdef class Loop(Wheel):
    cdef readonly set streams
    cdef dict _past             # counts of streams that were removed
    cdef Histogram _past_lateness
    cdef uint8_t* _out          # room for one datagram, for whoever takes a turn
    cdef vk_atomic _turns

    # Serve all that is due at `now`; when the next is due.
    cdef int64_t turn(self, int64_t now) noexcept nogil
    cdef Entry* _serve_group(self, Entry* entry, int64_t now) noexcept nogil
    cdef int64_t _serve(self, Stream stream, int64_t now) noexcept nogil
    # Send one datagram: 0, or an error number.
    cdef int transmit(self, Stream stream, const uint8_t* data, Py_ssize_t size) noexcept nogil


cdef class PythonLoop(Loop):
    cdef public object alarm
    cdef object clock           # nanoseconds, in place of the monotonic clock; or None
