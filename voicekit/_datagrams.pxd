# Many datagrams in one piece of memory: what other Cython modules may call.

cimport cython
from libc.stdint cimport uint8_t, uint32_t


@cython.final
cdef class DatagramBatch:
    # `capacity` slots of `slot_size` bytes; datagram i begins at slot i and has sizes[i] bytes.
    # Whoever fills it from a socket writes slots, sizes and count; there are `count` of them.
    cdef uint8_t* arena
    cdef Py_ssize_t slot_size
    cdef int capacity
    cdef int count
    cdef uint32_t* sizes

    cdef inline uint8_t* at(self, Py_ssize_t index) noexcept nogil:
        return self.arena + index * self.slot_size
