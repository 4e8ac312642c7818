# Many datagrams in one piece of memory: what other Cython modules may call.

cimport cython
from libc.stdint cimport uint8_t, uint32_t


# A datagram, wherever it lies.
cdef struct Datagram:
    const uint8_t* data
    Py_ssize_t size


@cython.final
cdef class DatagramBatch:
    # `capacity` slots of `slot_size` bytes; datagram i begins at slot i and has sizes[i] bytes.
    # Whoever fills it from a socket writes slots, sizes and count; there are `count` of them.
    cdef uint8_t* arena
    cdef Py_ssize_t slot_size
    cdef int capacity
    cdef int count
    cdef uint32_t* sizes
    cdef int readers            # not to be filled while there are any

    cdef int _check_unread(self) except -1

    cdef inline uint8_t* at(self, Py_ssize_t index) noexcept nogil:
        return self.arena + index * self.slot_size
