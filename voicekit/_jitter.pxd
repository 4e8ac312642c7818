# The jitter buffer: what other Cython modules may call.

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint32_t

from ._delays cimport Delays
from ._frame cimport AudioFrame


cdef struct Slot:
    PyObject* frame         # an AudioFrame, owned; NULL: gone, or never there
    int64_t sequence        # of what is or was here
    double media            # when it was spoken, in seconds of the sender's clock
    double duration         # seconds


# What comes next.
cdef struct Step:
    Slot* head              # the first frame that waits
    int64_t missing         # packets before it, each of `each` seconds
    double each
    double media            # where they, or else the frame, begin
    bint is_spurt           # behind a pause
    double anchor           # of playout, from here on
    double due


cdef class JitterBuffer:
    cdef readonly object config
    cdef double _minimum
    cdef double _maximum
    cdef Py_ssize_t _max_packets
    cdef Delays _delays

    # The ring: a packet is at its sequence number modulo `_capacity`, a power of two.
    cdef Slot* _slots
    cdef Py_ssize_t _capacity
    cdef Py_ssize_t _count
    cdef int64_t _lowest            # sequence numbers of those that wait
    cdef int64_t _highest

    # The sender's clock. Media time is the RTP time in seconds plus `_shift`: what the sender
    # left out of its RTP time, from `_shift_from` on. Before, it was `_old_shift`.
    cdef double _shift
    cdef double _old_shift
    cdef int64_t _shift_from
    cdef int64_t _newest            # the highest sequence number so far
    cdef bint _newest_is_silence

    # Playout: media time plus `_anchor` is when a frame is due. Meaningless before `_started`.
    cdef bint _started
    cdef double _anchor
    cdef int64_t _next              # sequence number and media time that follow what was
    cdef double _next_media         # handed out last
    cdef double _last_duration
    cdef bint _catching_up
    cdef double _last_skip

    cdef uint32_t _ssrc
    cdef int64_t _pushed
    cdef int64_t _played
    cdef int64_t _late
    cdef int64_t _duplicates
    cdef int64_t _invalid
    cdef int64_t _skipped
    cdef int64_t _overflowed
    cdef int64_t _lost
    cdef int64_t _underruns
    cdef int64_t _spurts
    cdef double _stretched
    cdef double _waited

    # Take a frame; whether it will be played.
    cdef bint push_c(self, AudioFrame frame) except -1
    # The next AudioFrame or Lost, or None.
    cdef object pop_c(self, double now)
    # The delay that playout ought to have.
    cdef double target_c(self) noexcept nogil

    # Parts of push_c: media time of a frame; a place in the ring; a late frame to be played.
    cdef double _place(self, AudioFrame frame) noexcept
    cdef bint _is_numbered_before_shift(self, AudioFrame frame) noexcept
    cdef bint _make_room(self, int64_t sequence) except -1
    cdef bint _grow(self) except -1
    cdef void _stretch(self, double media, double arrived) noexcept
    # Parts of pop_c.
    cdef void _look_ahead(self, Step* step) noexcept
    cdef object _report_lost(self, Step* step, double now)
    cdef bint _is_to_be_skipped(self, Slot* head, double now) noexcept
    cdef AudioFrame _take(self, Slot* head)
    cdef Slot* _at(self, int64_t sequence) noexcept
