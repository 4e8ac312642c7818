"""The half of a stream that the pacer's thread works on: ring, schedule, late policy.

```
      push                       the pacer's thread, at the deadline
        |                          |
        v                          v
   | f9 | f8 | f7 | f6 | f5 |  -> seal (sequence, timestamp, nonce) -> send
        <-- unsent slots -->     f4, f3: sent, their objects wait for the GIL to be freed
```

What both threads touch is guarded by `busy`, a flag that orders memory as a lock does: taken
with acquire, given back with release. So the ring needs no argument of its own: whoever has
the flag sees all that the one before did, and is alone. The pacer's thread tries to take it
once and otherwise comes back half a millisecond later, hence never waits for Python code; a
thread with the GIL waits for the duration of one send at most, and lets go of the GIL. A slot
owns its two `bytes` objects. The pacer's thread reads their bytes, which never change, and
touches no reference count; it moves `head` beyond a slot, and the next push, discard or
removal, under the GIL, drops the references between `spent` and `head`. Counters, the
histogram and the epoch are relaxed atomics with one writer: each stands for itself.
"""

import time

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.ref cimport Py_XDECREF
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memset

from .._atomic cimport vk_atomic_count, vk_atomic_load, vk_atomic_store, vk_release, vk_take
from .._crypto cimport CRYPTO_OK, OVERHEAD
from .._rtp cimport FIXED_HEADER
from .._sender cimport Borrower
from ._lateness cimport Histogram
from ._threads cimport VK_THREADS, vk_fetch, vk_nap
from ._wheel cimport NEVER, PERIOD, TICK

__all__ = ["Schedule"]

cdef enum:
    FIRST_SLOTS = 8
    # Opus durations are multiples of 2.5 ms (RFC 6716 §2.1.4).
    SAMPLES_PER_STEP = 120
    NS_PER_STEP = 2_500_000
    # How far CATCH_UP goes: what receivers hold in their jitter buffers.
    MOST_TO_CATCH_UP = 60_000_000
    BUSY_NAP = 20_000
    # Bytes: of a session or sender, of most frames, of a cipher with its key schedule.
    FETCHED_OBJECT = 192
    USUAL_BUCKETS = 24          # from 40 us on
    FETCHED_FRAME = 192
    FETCHED_CIPHER = 448


cdef inline int64_t nanoseconds(int samples) noexcept nogil:
    return <int64_t> (samples // SAMPLES_PER_STEP) * NS_PER_STEP


cdef class Schedule(Borrower):
    """Frames that wait, when each is due, and what follows when that is past."""

    def __cinit__(self, *arguments, **options):
        self.entry.slot = self.entry.phase = -1
        self.entry.wanted = NEVER
        self.entry.owner = <void*> self
        self._lateness = Histogram()
        self._slots = <Slot*> PyMem_Malloc(FIRST_SLOTS * sizeof(Slot))
        if self._slots == NULL:
            raise MemoryError
        memset(self._slots, 0, FIRST_SLOTS * sizeof(Slot))
        self._mask = FIRST_SLOTS - 1

    def __dealloc__(self):
        cdef int i
        if self._slots != NULL:
            self._empty_all()
            PyMem_Free(self._slots)
        for i in range(SILENCE_FRAMES):
            empty_slot(&self._silence[i])

    # -- the ring: with the GIL ------------------------------------------------------

    cdef int _lock(self) except -1:
        while not vk_take(&self.busy):
            nap()
        return 0

    cdef int _append(self, Slot* slot) except -1:
        """Take over a slot. `busy` is ours."""
        if self._tail - self._spent > self._mask:
            self._grow()
        self._slots[self._tail & self._mask] = slot[0]
        self._tail += 1
        self._queued += slot.duration
        return 0

    cdef int _grow(self) except -1:
        cdef uint32_t size = 2 * (self._mask + 1)
        cdef Slot* slots = <Slot*> PyMem_Malloc(size * sizeof(Slot))
        cdef uint32_t number = self._spent
        if slots == NULL:
            raise MemoryError
        memset(slots, 0, size * sizeof(Slot))
        while number != self._tail:
            slots[number & (size - 1)] = self._slots[number & self._mask]
            number += 1
        PyMem_Free(self._slots)
        self._slots = slots
        self._mask = size - 1
        return 0

    cdef void _reap(self) noexcept:
        """Drop the objects of what was sent."""
        while self._spent != self._head:
            empty_slot(&self._slots[self._spent & self._mask])
            self._spent += 1

    cdef void _empty_all(self) noexcept:
        cdef uint32_t number
        for number in range(self._mask + 1):
            empty_slot(&self._slots[number])
        self._spent = self._head = self._tail = 0
        self._queued = 0

    cdef int _release_and_begin(self) except -1:
        """Give `busy` back; begin a schedule if there is something to send and none."""
        cdef bint begins = not (
            self._active or self._paused or self._held or self._frozen
            or self._head == self._tail)
        if begins:
            self._active = True
        vk_release(&self.busy)
        if begins:
            self._wheel.begin(&self.entry, &self._due, &self._wake)
        return 0

    # -- the pacer's thread ------------------------------------------------------------

    cdef void fetch(self) noexcept nogil:
        vk_fetch(&self._slots[self._head & self._mask], sizeof(Slot))
        vk_fetch(<void*> self._session, FETCHED_OBJECT)
        vk_fetch(<void*> self._sender, FETCHED_OBJECT)
        vk_fetch(<void*> self._epoch, 1)
        vk_fetch(&self._lateness._buckets[USUAL_BUCKETS], FETCHED_OBJECT)

    cdef void fetch_more(self) noexcept nogil:
        vk_fetch(self._slots[self._head & self._mask].data, FETCHED_FRAME)
        if not self._frozen:  # else the session is changing
            vk_fetch(<void*> self._session._cipher, FETCHED_CIPHER)

    cdef int64_t prepare(self, int64_t now, uint8_t* out, Py_ssize_t* size) noexcept nogil:
        cdef Slot* slot
        size[0] = 0
        if self._frozen or self._removed:
            self._active = False
            return NEVER
        if now < self._wake:
            return self._wake
        if self._head != self._tail and not self._paused:
            self._mind_lateness(now)
        if self._head == self._tail or self._paused:
            return self._prepare_silence(now, out, size)
        if now < self._due:
            return self._due
        slot = &self._slots[self._head & self._mask]
        if slot.epoch != vk_atomic_load(&self._epoch.value):
            return now + TICK
        if slot.frame == NULL:
            self._sender.skip(slot.duration)
            vk_atomic_count(&self._withheld, 1)
        elif self._seal(slot, out, size):
            vk_atomic_count(&self._frames, 1)
        else:
            return NEVER
        self._starved = False
        self._silence_owed = SILENCE_FRAMES
        self._leave_slot(slot)
        return self._next(now, slot.duration)

    cdef void _mind_lateness(self, int64_t now) noexcept nogil:
        """The late policy, for frames that are late by their duration or more."""
        cdef Slot* slot = &self._slots[self._head & self._mask]
        cdef int64_t late = now - self._due
        if late < nanoseconds(slot.duration):
            return
        if self._policy == POLICY_SKIP:
            while self._head != self._tail:
                slot = &self._slots[self._head & self._mask]
                if now - self._due < nanoseconds(slot.duration):
                    break
                self._sender.skip(slot.duration)
                self._due += nanoseconds(slot.duration)
                self._leave_slot(slot)
                vk_atomic_count(&self._skipped, 1)
        elif self._policy == POLICY_REBASE:
            self._move(late)
            vk_atomic_count(&self._rebases, 1)
        elif late > MOST_TO_CATCH_UP:
            self._move(late - MOST_TO_CATCH_UP)
            vk_atomic_count(&self._rebases, 1)

    cdef void _move(self, int64_t late) noexcept nogil:
        """Move the schedule by as much, in whole periods.

        So after a stall the streams of a pacer are as spread over the period as before it,
        and not all due at once from then on.
        """
        late = (late + PERIOD - 1) // PERIOD * PERIOD
        self._due += late
        self._moved += late

    cdef int64_t _prepare_silence(self, int64_t now, uint8_t* out,
                                  Py_ssize_t* size) noexcept nogil:
        cdef Slot* slot
        if self._silence_owed == 0 or self._silence_next == SILENCE_FRAMES:
            return self._fall_silent()
        slot = &self._silence[self._silence_next]
        if slot.epoch != vk_atomic_load(&self._epoch.value):
            return now + TICK
        if now - self._due >= nanoseconds(slot.duration):
            self._move(now - self._due)
            if now < self._due:
                return self._due
        if self._silence_owed == SILENCE_FRAMES and not self._paused and not self._ending:
            self._starved = True
            vk_atomic_count(&self._underruns, 1)
            self._happen(UNDERRUN, 0)
        if slot.frame != NULL:
            if not self._seal(slot, out, size):
                return NEVER
            vk_atomic_count(&self._silences, 1)
        self._silence_next += 1
        self._silence_owed -= 1
        if self._silence_owed == 0:
            if size[0] == 0:
                return self._fall_silent()
            self._active = False  # `done` concludes
            return NEVER
        return self._next(now, slot.duration)

    cdef bint _seal(self, Slot* slot, uint8_t* out, Py_ssize_t* size) noexcept nogil:
        """Seal one frame; False: the key is used up, and the stream waits for another."""
        cdef bint spurt = self._sender.follow_clock(self._due / 1e9 + self._clock_offset)
        if self._sender.seal(
            self._session._cipher, out, slot.data, slot.size, slot.duration,
            spurt and self._session._mark_spurts, slot.is_clear,
        ) != CRYPTO_OK:
            self._frozen = True
            self._active = False
            self._happen(KEY_EXHAUSTED, 0)
            return False
        size[0] = FIXED_HEADER + slot.size + OVERHEAD
        self._deadline = self._due - self._moved
        self._moved = 0
        if vk_atomic_load(&self._first_deadline) == 0:
            vk_atomic_store(&self._first_deadline, self._deadline)
        return True

    cdef void _leave_slot(self, Slot* slot) noexcept nogil:
        self._head += 1
        self._queued -= slot.duration
        vk_atomic_count(&self._position, 1)
        if 2 * self._queued < self._depth and not self._told_low and not self._ending:
            self._told_low = True
            if self._notifier is not None:
                self._notifier.notify(&self._note)

    cdef int64_t _next(self, int64_t now, int duration) noexcept nogil:
        """Advance the schedule: by the frame, but never at more than twice the speed."""
        self._due += nanoseconds(duration)
        self._wake = max(self._due, now + nanoseconds(duration) // 2)
        return self._wake

    cdef void done(self, int64_t now, int error) noexcept nogil:
        self._lateness.add(now - self._deadline)
        if error:
            vk_atomic_count(&self._unsent, 1)
            if not self._failing:
                self._failing = True
                self._happen(SOCKET_FAILED, error)
        else:
            self._failing = False
        if not self._active:
            self._fall_silent()

    cdef int64_t _fall_silent(self) noexcept nogil:
        """Nothing is left to say, not even silence."""
        self._active = False
        self._starved = False
        self._silence_owed = 0
        self._conclude_if_idle()
        return NEVER

    cdef void _conclude_if_idle(self) noexcept nogil:
        """`Finished`, if that is what was waited for."""
        if self._ending and self._silence_owed == 0 and self._head == self._tail:
            self._ending = False
            self._happen(FINISHED, 0)

    # -- events --------------------------------------------------------------------

    cdef void _happen(self, int kind, int error) noexcept nogil:
        """Queue an event. One of its kind that waits already is brought up to date."""
        cdef int i
        for i in range(self._happenings):
            if self._happened[i].kind == kind:
                break
        else:
            i = self._happenings
            self._happenings += 1
            self._happened[i].kind = kind
            self._happened[i].error = error
        self._happened[i].position = vk_atomic_load(&self._position)
        if self._notifier is not None:
            self._notifier.notify(&self._note)


cdef void empty_slot(Slot* slot) noexcept:
    """Drop the objects of a slot. It may be empty already."""
    Py_XDECREF(slot.plain)
    Py_XDECREF(slot.frame)
    slot.plain = NULL
    slot.frame = NULL


cdef int nap() except -1:
    """Let the pacer's thread go on: it holds what we want for the length of one send."""
    if VK_THREADS:
        with nogil:
            vk_nap(BUSY_NAP)
    else:
        time.sleep(BUSY_NAP / 1e9)
    return 0
