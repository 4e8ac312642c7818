# Frames that wait for their time: what _stream and _loop call.

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from .._atomic cimport vk_atomic
from .._sender cimport Borrower, SendEpoch, Sender
from .._session cimport RtpSession
from ._lateness cimport Histogram
from ._notifier cimport Note, Notifier
from ._wheel cimport Entry, Wheel


cdef enum:
    SILENCE_FRAMES = 5

cdef enum:
    SOCKET_FAILED = 0
    KEY_EXHAUSTED = 1
    UNDERRUN = 2
    FINISHED = 3
    EVENT_KINDS = 4

cdef enum:
    POLICY_REBASE = 0
    POLICY_SKIP = 1
    POLICY_CATCH_UP = 2

# A frame that waits. Both objects are `bytes`, owned by the slot.
cdef struct Slot:
    PyObject* plain             # NULL: an empty slot
    PyObject* frame             # what goes out; NULL: encryption lets nothing out
    const uint8_t* data         # in `frame`
    uint32_t size
    uint64_t epoch              # of end-to-end encryption when `frame` was made
    int duration                # samples
    bint is_clear

# What waits to be polled; errno for SOCKET_FAILED.
cdef struct Happening:
    int kind
    uint64_t position
    int error


cdef class Schedule(Borrower):
    cdef RtpSession _session
    cdef Sender _sender
    cdef SendEpoch _epoch
    cdef Wheel _wheel           # in fact a loop, which _loop.pxd could not say
    cdef Notifier _notifier
    cdef object _sock           # a duplicate of the caller's

    # In the wheel. From here to `_withheld` is what each packet touches: five cache lines.
    cdef Entry entry

    # Whoever has set it may touch what follows. The pacer's thread tries, and never waits.
    cdef vk_atomic busy
    cdef int fd
    cdef int _policy
    cdef double _clock_offset
    # The ring: numbers that only grow, a slot is number & mask.
    #   spent <= head <= tail:  [spent, head) was sent, [head, tail) waits
    cdef Slot* _slots
    cdef uint32_t _mask
    cdef uint32_t _spent
    cdef uint32_t _head
    cdef uint32_t _tail
    cdef int _queued            # samples that wait
    cdef int _depth             # samples that may wait
    cdef int _silence_next      # the first of `_silence` that was not sent yet
    cdef int _silence_owed      # how many end the talk spurt
    cdef int _since_refresh     # frames pushed since the silence was encrypted
    # The schedule, in nanoseconds.
    cdef int64_t _due           # of the next packet
    cdef int64_t _wake          # not before; later than _due only when catching up
    cdef int64_t _moved         # by how much it was moved since the last packet
    cdef int64_t _deadline      # of the packet in hand, as if it had not been moved
    # What it is told to do.
    cdef bint _active           # in the wheel, or about to be
    cdef bint _paused
    cdef bint _held             # what is pushed does not begin yet
    cdef bint _ending
    cdef bint _frozen
    cdef bint _removed
    cdef bint _starved
    cdef bint _told_low
    cdef bint _failing
    # Relaxed atomics, for anybody to read.
    cdef vk_atomic _first_deadline
    cdef vk_atomic _position
    cdef vk_atomic _frames
    cdef vk_atomic _silences
    cdef vk_atomic _unsent
    cdef vk_atomic _underruns
    cdef vk_atomic _rebases
    cdef vk_atomic _skipped
    cdef vk_atomic _withheld
    cdef readonly Histogram _lateness

    cdef Slot[SILENCE_FRAMES] _silence
    cdef Happening[EVENT_KINDS] _happened
    cdef int _happenings
    cdef Note _note             # on the notifier's stack

    # The pacer's thread, with `busy` set: have what `prepare` will read loaded into the cache,
    # in two steps, since the second follows pointers of the first.
    cdef void fetch(self) noexcept nogil
    cdef void fetch_more(self) noexcept nogil
    # With `busy` set: seal what is due at `now` into `out`. Returns
    # when to call again, NEVER included; `size` is of the datagram, 0: none.
    cdef int64_t prepare(self, int64_t now, uint8_t* out, Py_ssize_t* size) noexcept nogil
    # What became of it: an error number, or 0.
    cdef void done(self, int64_t now, int error) noexcept nogil

    cdef void _mind_lateness(self, int64_t now) noexcept nogil
    cdef void _move(self, int64_t late) noexcept nogil
    cdef int64_t _prepare_silence(self, int64_t now, uint8_t* out,
                                  Py_ssize_t* size) noexcept nogil
    cdef bint _seal(self, Slot* slot, uint8_t* out, Py_ssize_t* size) noexcept nogil
    cdef void _leave_slot(self, Slot* slot) noexcept nogil
    cdef int64_t _next(self, int64_t now, int duration) noexcept nogil
    cdef int64_t _fall_silent(self) noexcept nogil
    cdef void _conclude_if_idle(self) noexcept nogil
    cdef void _happen(self, int kind, int error) noexcept nogil

    # With the GIL. `_lock` waits for `busy`; vk_release gives it back.
    cdef int _lock(self) except -1
    cdef int _append(self, Slot* slot) except -1
    cdef int _grow(self) except -1
    cdef void _reap(self) noexcept
    cdef void _empty_all(self) noexcept
    cdef int _release_and_begin(self) except -1


cdef void empty_slot(Slot* slot) noexcept
cdef int nap() except -1
