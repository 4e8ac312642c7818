# What happens per packet in a connection: what other Cython modules may call.

cimport cython

from ._atomic cimport vk_atomic
from ._session cimport RtpSession


cdef class Datapath:
    cdef vk_atomic _busy
    cdef readonly RtpSession _rtp
    # Set by the connection after each mutation, for the next packet.
    cdef bint _clear_to_send        # a session, Speaking announced, no silence to be sent
    cdef long long _usable_link     # whose datagrams are media; 0: no socket's yet
    cdef double _due                # the earliest timeout of all parts but the session
    cdef readonly double _audio_at  # when a frame of ours was last sealed
    # What waits to be polled.
    cdef list _pending
    cdef Py_ssize_t _max_pending

    # One caller at a time; a second one raises `LocalProtocolError`. Each `enter` is followed
    # by one `leave`.
    cdef int enter(self) except -1
    cdef void leave(self) noexcept

    # Within `enter` and `leave`.
    cdef bint _may_seal(self, object opus, double now) except -1
    cdef bytes _seal(self, object opus, double now)
    cdef int _report_sealing(self, bint was_clear, bytes datagram, double now) except -1
    cdef int _report_opening(self) except -1
    cdef int _put(self, object item) except -1


@cython.final
cdef class Mutation:
    cdef Datapath _path
    cdef object _now
