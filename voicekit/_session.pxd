# One RTP session: what other Cython modules may call.

cimport cython
from libc.stdint cimport uint8_t, uint64_t

from ._batches cimport OpenBatch
from ._crypto cimport NonceCounter, TransportCipher
from ._frame cimport AudioFrame
from ._outbox cimport Outbox
from ._receiver cimport Receiver
from ._rtp cimport PacketView
from ._sender cimport Borrower, Sender


@cython.final
cdef class RtpSession:
    cdef Outbox _outbox
    cdef Sender _sender
    cdef Receiver _receiver
    cdef TransportCipher _cipher        # None without a key
    cdef Borrower _lent                 # who seals and sends for us now; None: we do
    cdef bint _in_batch                 # a batch is under way without the GIL
    cdef object _random
    cdef bint _mark_spurts
    # The last key's fingerprint and counter, also after the cipher was closed.
    cdef bytes _fingerprint
    cdef NonceCounter _counter
    cdef double _wall_offset            # wall clock minus the caller's; not finite: unknown
    cdef uint64_t _rtcp_sent
    cdef uint64_t _rtcp_received

    # Like the Python methods of these names, without the call.
    cdef bytes seal_audio_c(self, object opus, double now)
    cdef list seal_many_c(self, object frames, double now)
    cdef AudioFrame receive_c(self, object data, double now)
    # A `DatagramBatch` is read in place.
    cdef list receive_many_c(self, object datagrams, double now)

    # Let somebody else seal and send, until `take_back_c`. Raises `LocalProtocolError` while
    # it is lent already. `seal_rtcp` stays ours; `close`, `reset` and `set_key` freeze the
    # borrower first, and it is lent still.
    cdef int lend_c(self, Borrower borrower) except -1
    cdef int take_back_c(self) except -1

    # Count what its owner dropped, a DROP_* of _rtp.pxd; with a report, or only the number.
    cdef int drop_c(self, int reason, Py_ssize_t size) except -1
    cdef int count_drop_c(self, int reason) except -1

    cdef int _freeze(self) except -1
    cdef AudioFrame _receive_at(self, const uint8_t* data, Py_ssize_t size, double now)
    cdef AudioFrame _take_opened(self, int answer, PacketView* view, const uint8_t* data,
                                 Py_ssize_t size, uint8_t* plain, double now)
    cdef list _receive_long(self, OpenBatch batch, double now)
    cdef int _receive_rtcp(self, const uint8_t* data, Py_ssize_t size, uint8_t* plain,
                           double now) except -1
    cdef int _drop_frame(self, int reason, object opus) except -1
    cdef int _check_ours(self) except -1
    cdef bytes _admit(self, object opus, int* duration)
    cdef int _start(self, ssrc, sequence, timestamp) except -1
    cdef bytes _seal_report(self, object report)
