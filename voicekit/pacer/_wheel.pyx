"""A timer wheel: who is due when, in ticks of half a millisecond.

```
  slot    0    1    2    3   ...  255        an entry due at t is in slot ceil(t / tick) % 256
          |         |    |                   bit n of `_filled`: there is something in slot n
          a         c    d
          |                                  The cursor is the last tick that was collected.
          b
```

The lock is held for a few list operations at a time, never over a call to anything else, so
both the pacer's thread and threads with the GIL may wait for it. What is due is taken out
(`collect`), served without the lock, and put back with its next time (`put_back`).
"""

import time

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from ._threads cimport (
    VK_THREADS,
    vk_lock,
    vk_lock_destroy,
    vk_lock_init,
    vk_now,
    vk_signal,
    vk_unlock,
)

__all__ = ["Wheel"]


cdef class Wheel:
    """Entries by the time when they are due."""

    def __cinit__(self):
        vk_lock_init(&self._lock)
        memset(self._slots, 0, sizeof(self._slots))
        memset(self._filled, 0, sizeof(self._filled))
        memset(self._phases, 0, sizeof(self._phases))
        self._virtual_now = -1
        self._sleeping_until = NEVER
        self._cursor = self.now() // TICK

    def __dealloc__(self):
        vk_lock_destroy(&self._lock)

    cdef int64_t now(self) noexcept nogil:
        if self._virtual_now >= 0:
            return self._virtual_now
        return vk_now() if VK_THREADS else _monotonic()

    cdef void wake(self) noexcept nogil:
        vk_signal(&self._lock)

    cdef int begin(self, Entry* entry, int64_t* due, int64_t* wake) except -1:
        cdef int64_t now = self.now()  # perhaps Python's clock: not under the lock
        cdef int64_t first
        cdef bint asleep
        vk_lock(&self._lock)
        first = self._emptiest(now)
        due[0] = first
        wake[0] = first
        if entry.in_hand:
            entry.wanted = first
        else:
            self._insert(entry, first)
        asleep = first < self._sleeping_until
        vk_unlock(&self._lock)
        if asleep:
            self.wake()
        return 0

    cdef bint withdraw(self, Entry* entry) noexcept nogil:
        cdef bint out
        vk_lock(&self._lock)
        out = not entry.in_hand
        if out:
            self._unlink(entry)
            self._count_phase(entry, -1)
        vk_unlock(&self._lock)
        return out

    cdef Entry* collect(self, int64_t now) noexcept nogil:
        cdef Entry* taken = NULL
        cdef Entry** last = &taken
        cdef Entry* entry
        cdef Entry* following
        cdef int64_t until = now // TICK
        cdef int64_t tick
        vk_lock(&self._lock)
        # After a long sleep each slot is looked at once.
        tick = max(self._cursor + 1, until - SLOTS + 1)
        while tick <= until:
            entry = self._slots[tick % SLOTS]
            while entry != NULL:
                following = entry.next
                if entry.due <= now:
                    self._unlink(entry)
                    entry.in_hand = True
                    entry.wanted = NEVER
                    entry.next = NULL
                    last[0] = entry
                    last = &entry.next
                entry = following
            tick += 1
        self._cursor = max(self._cursor, until)
        vk_unlock(&self._lock)
        return taken

    cdef int64_t put_back(self, Entry* entry) noexcept nogil:
        cdef Entry* following
        cdef int64_t due
        vk_lock(&self._lock)
        while entry != NULL:
            following = entry.next
            entry.in_hand = False
            due = min(entry.due, entry.wanted)
            if due == NEVER:
                self._count_phase(entry, -1)
            else:
                self._insert(entry, due)
            entry = following
        due = self.next_due()
        vk_unlock(&self._lock)
        return due

    cdef int64_t next_due(self) noexcept nogil:
        cdef int64_t tick = self._cursor + 1
        cdef int64_t end = tick + SLOTS
        cdef uint64_t word
        while tick < end:
            word = self._filled[(tick % SLOTS) // 64] >> (tick % 64)
            if word == 0:
                tick += 64 - tick % 64
                continue
            while not word & 1:
                word >>= 1
                tick += 1
            return tick * TICK
        return NEVER

    # -- lists -------------------------------------------------------------------

    cdef void _insert(self, Entry* entry, int64_t due) noexcept nogil:
        # Rounded up: who is woken for a slot finds everything in it due.
        cdef int64_t tick = max((due + TICK - 1) // TICK, self._cursor + 1)
        cdef int slot = <int> (tick % SLOTS)
        cdef Entry* head = self._slots[slot]
        entry.due = due
        entry.slot = slot
        entry.previous = NULL
        entry.next = head
        if head != NULL:
            head.previous = entry
        self._slots[slot] = entry
        self._filled[slot // 64] |= <uint64_t> 1 << (slot % 64)
        self._count_phase(entry, <int> (tick % PHASES))

    cdef void _unlink(self, Entry* entry) noexcept nogil:
        if entry.slot < 0:
            return
        if entry.previous != NULL:
            entry.previous.next = entry.next
        else:
            self._slots[entry.slot] = entry.next
            if entry.next == NULL:
                self._filled[entry.slot // 64] &= ~(<uint64_t> 1 << (entry.slot % 64))
        if entry.next != NULL:
            entry.next.previous = entry.previous
        entry.slot = -1

    cdef void _count_phase(self, Entry* entry, int phase) noexcept nogil:
        if entry.phase >= 0:
            self._phases[entry.phase] -= 1
        if phase >= 0:
            self._phases[phase] += 1
        entry.phase = phase

    cdef int64_t _emptiest(self, int64_t now) noexcept nogil:
        """The time, within a period from now, at which the fewest entries are due."""
        cdef int64_t first = (now + NEAR) // TICK + 1
        cdef int64_t best = first
        cdef int64_t tick = first
        while tick < first + PHASES and self._phases[best % PHASES]:
            if self._phases[tick % PHASES] < self._phases[best % PHASES]:
                best = tick
            tick += 1
        return best * TICK


cdef int64_t _monotonic() noexcept with gil:
    return time.monotonic_ns()
