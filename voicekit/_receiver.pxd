# The receiving half of a session: what _session calls.

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ._frame cimport AudioFrame
from ._frame_gate cimport FrameGate
from ._outbox cimport Outbox
from ._reception cimport Reception
from ._rtp cimport PacketView


cdef enum Owner:
    OWNER_UNKNOWN       # packets are held until somebody claims the SSRC
    OWNER_KNOWN
    OWNER_LEFT          # packets still on their way are dropped


@cython.final
cdef class Stream:
    cdef uint32_t ssrc
    cdef Owner owner
    cdef uint64_t user_id       # of OWNER_KNOWN
    cdef double since           # when the owner became what it is
    cdef Reception reception
    cdef list held              # AudioFrames of OWNER_UNKNOWN, oldest first
    cdef list keyless           # AudioFrames of OWNER_KNOWN that no key opens yet, oldest first
    cdef bint speaking
    cdef double voice_at        # of OWNER_KNOWN: when they were last heard to speak
    cdef double reported_at     # when a receiver report named it last
    cdef uint64_t bytes         # of Opus
    cdef uint64_t held_ever
    cdef uint64_t keyless_ever
    cdef uint64_t undecryptable

    cdef double last_activity(self) noexcept
    cdef object stats(self)


@cython.final
cdef class Receiver:
    cdef Outbox _outbox
    cdef object dave            # None: frames come as they are
    cdef FrameGate gate         # its short way, or None
    cdef dict streams           # by SSRC
    cdef dict _named            # the SSRC that was named last for each user with a stream
    cdef Stream _latest         # whose packet came last: mostly its next one follows
    cdef double next_check      # no stream needs a look before it; infinity: none does
    cdef Py_ssize_t _held_bytes
    cdef Py_ssize_t _max_streams
    cdef Py_ssize_t _hold_packets
    cdef Py_ssize_t _hold_bytes
    cdef double _hold_time
    cdef double _key_hold_time
    cdef double _speaking_timeout
    # Packets that became frames, and the bytes of their datagrams.
    cdef uint64_t packets
    cdef uint64_t bytes

    # One opened packet of `size` bytes: the frame to hand on, or None.
    cdef AudioFrame receive(self, PacketView* view, Py_ssize_t size, double now)
    cdef Stream claim(self, uint32_t ssrc, uint64_t user_id, double now)
    cdef int remove_user(self, uint64_t user_id, double now) except -1
    # There are new keys: try the frames that wait for one. What opens goes to the outbox.
    cdef int retry(self, double now) except -1
    cdef int set_speaking(self, Stream stream, bint speaking, double now) except -1
    cdef int handle_timeout(self, double now) except -1
    cdef int forget_all(self) except -1
    # Blocks of streams heard since their last report, the longest unreported first.
    cdef list report_blocks(self, double now)

    cdef int _name(self, Stream stream) except -1
    cdef int _unname(self, Stream stream) except -1
    cdef Stream _find(self, uint32_t ssrc)
    cdef Stream _add(self, uint32_t ssrc, double now)
    cdef int _remove(self, Stream stream) except -1
    cdef int _evict(self) except -1
    cdef int _abandon(self, Stream stream) except -1
    cdef int _hold(self, Stream stream, AudioFrame frame) except -1
    cdef bytes _decrypt(self, Stream stream, AudioFrame frame, double now)
    cdef AudioFrame _deliver(self, Stream stream, AudioFrame frame, double now)
    cdef int _drop_held(self, Stream stream, double now) except -1
    cdef AudioFrame _count(self, Stream stream, AudioFrame frame, bytes opus, double now)
    cdef int _await_key(self, Stream stream, AudioFrame frame) except -1
    cdef int _give_up(self, Stream stream, AudioFrame frame) except -1
    cdef AudioFrame _take_expired(self, list waiting, double hold_time, double now)
    cdef int _drop_keyless(self, Stream stream, double now) except -1
    cdef double _deadline(self, Stream stream) noexcept
    cdef bint _expire(self, Stream stream, double now) except -1
