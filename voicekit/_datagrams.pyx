"""Datagrams that came in one go, side by side in one piece of memory: `DatagramBatch`."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from .errors import LocalProtocolError

__all__ = ["DatagramBatch"]

cdef enum:
    # No UDP datagram is larger, so none is ever cut off.
    LARGEST_DATAGRAM = 65536


@cython.final
@cython.auto_pickle(False)
cdef class DatagramBatch:
    """Room for up to ``capacity`` datagrams of up to ``slot_size`` bytes each.

    Filled from a socket, or by `append`; read as a sequence of `bytes`. One batch serves a
    process: its memory is reserved, but only the pages that datagrams reach are ever used.
    """

    def __cinit__(self, int capacity=64, Py_ssize_t slot_size=LARGEST_DATAGRAM):
        if capacity < 1 or not 1 <= slot_size <= LARGEST_DATAGRAM:
            raise ValueError("a batch has at least one slot, of 1 to 65536 bytes")
        # Not through Python: what it hands out is touched, where it is debugged.
        self.arena = <uint8_t*> malloc(capacity * slot_size)
        self.sizes = <uint32_t*> malloc(capacity * sizeof(uint32_t))
        if self.arena == NULL or self.sizes == NULL:
            raise MemoryError
        self.capacity = capacity
        self.slot_size = slot_size

    def __dealloc__(self):
        free(self.arena)
        free(self.sizes)

    def __len__(self):
        return self.count

    def __getitem__(self, Py_ssize_t index):
        """Return a copy of one datagram; below 0 counts from the end."""
        if index < 0:
            index += self.count
        if not 0 <= index < self.count:
            raise IndexError("there is no such datagram in the batch")
        return PyBytes_FromStringAndSize(<const char*> self.at(index), self.sizes[index])

    def __repr__(self):
        return f"<DatagramBatch {self.count} of {self.capacity}>"

    def append(self, data, /):
        """Copy one datagram into the next slot.

        Raises `ValueError` when the batch is full, or the datagram larger than a slot, and
        `LocalProtocolError` while the batch is being read.
        """
        cdef Py_buffer view
        self._check_unread()
        if self.count == self.capacity:
            raise ValueError(f"the batch is full: {self.capacity} datagrams")
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            if view.len > self.slot_size:
                raise ValueError(f"{view.len} bytes are more than a slot of {self.slot_size}")
            memcpy(self.at(self.count), view.buf, view.len)
            self.sizes[self.count] = <uint32_t> view.len
            self.count += 1
        finally:
            PyBuffer_Release(&view)

    def clear(self):
        """Forget all datagrams. Raises `LocalProtocolError` while the batch is being read."""
        self._check_unread()
        self.count = 0

    cdef int _check_unread(self) except -1:
        if self.readers:
            raise LocalProtocolError("the batch is being read")
        return 0
