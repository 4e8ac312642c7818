# Many packets at once: what _session calls.

cimport cython
from libc.stdint cimport uint8_t, uint64_t

from ._crypto cimport NonceCounter, SealJob, TransportCipher
from ._datagrams cimport Datagram, DatagramBatch
from ._outbox cimport Outbox
from ._rtp cimport PacketView
from ._sender cimport Sender


# A frame that end-to-end encryption let through.
cdef struct Frame:
    int duration
    bint is_clear


@cython.final
cdef class SealBatch:
    cdef readonly list packets
    cdef Py_ssize_t count           # of packets
    cdef Py_ssize_t octets          # to be encrypted
    cdef tuple _given               # these two hold what the jobs point at
    cdef list _held
    cdef Frame* _frames
    cdef SealJob* _jobs
    cdef uint64_t _first_nonce

    # In this order. What is left out is counted in `outbox`.
    cdef int admit(self, object opus, Sender sender, Outbox outbox) except -1
    cdef int number(self, Sender sender, NonceCounter counter, Outbox outbox, bint mark,
                    double now) except -1
    cdef int seal(self, TransportCipher cipher) noexcept nogil     # a CRYPTO_*


@cython.final
cdef class OpenBatch:
    cdef Py_ssize_t count
    cdef Py_ssize_t octets
    cdef Datagram* datagrams
    cdef list _held
    cdef DatagramBatch _read        # its slots are what the datagrams are
    # Once opened: an answer of open_packet_c and a view for each, and their scratch.
    cdef PacketView* views
    cdef int* answers
    cdef uint8_t* plain

    cdef int hold(self, object datagrams) except -1
    cdef int read(self, DatagramBatch batch) except -1
    cdef int _allocate(self, Py_ssize_t count) except -1
    cdef int make_room(self) except -1
    cdef void open(self, TransportCipher cipher) noexcept nogil
