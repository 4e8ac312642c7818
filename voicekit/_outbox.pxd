# What waits to be polled, and the count of what was dropped.

cimport cython
from libc.stdint cimport int64_t, uint64_t

from ._rtp cimport DROP_COUNT


cdef enum:
    NO_SSRC = -1


@cython.final
cdef class Outbox:
    # Lists of (order, item): what gives way when there are too many, and what does not.
    cdef list _expendable
    cdef list _lasting
    cdef uint64_t _order
    cdef readonly Py_ssize_t size       # of what waits
    cdef Py_ssize_t _limit
    cdef bint _report
    cdef uint64_t[DROP_COUNT] _drops

    cdef int put(self, object item) except -1
    cdef object take(self)
    # Count a drop for a DROP_* of _rtp.pxd, and report it where that is wanted.
    cdef int drop(self, int reason, Py_ssize_t size, int64_t ssrc) except -1
    cdef dict drops(self)
