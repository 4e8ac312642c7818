# Who is due when: what _stream, _loop and _native call.

from libc.stdint cimport int64_t, uint64_t

from ._threads cimport vk_lock_t


cdef enum:
    TICK = 500_000              # nanoseconds
    PERIOD = 20_000_000         # of most frames
    PHASES = 40                 # PERIOD / TICK
    SLOTS = 256                 # 128 ms: the longest Opus frame has 120
    WORDS = 4                   # SLOTS / 64
    # A thread about to wake up within this is not woken sooner.
    NEAR = 1_000_000

cdef enum:
    NEVER = 0x7FFF_FFFF_FFFF_FFFF

cdef struct Entry:
    Entry* next
    Entry* previous
    void* owner
    int64_t due
    int64_t wanted              # what `begin` asked for while it was in hand
    int slot                    # -1: in none
    int phase                   # -1: counted in none
    bint in_hand                # taken out by `collect`; `put_back` follows


cdef class Wheel:
    cdef vk_lock_t _lock
    cdef Entry* _slots[SLOTS]
    cdef uint64_t[WORDS] _filled
    cdef int[PHASES] _phases    # entries due in each
    cdef int64_t _cursor        # the last tick that was collected
    cdef int64_t _sleeping_until
    cdef int64_t _virtual_now   # -1: the real clock

    cdef int64_t now(self) noexcept nogil
    # End the sleep of the thread that calls `collect`.
    cdef void wake(self) noexcept nogil

    # Put an entry where the fewest are; where that is, in nanoseconds, is written to both.
    cdef int begin(self, Entry* entry, int64_t* due, int64_t* wake) except -1
    # Whether it is out; False: in hand, ask again.
    cdef bint withdraw(self, Entry* entry) noexcept nogil

    # Take out all that is due, as a list by `next`.
    cdef Entry* collect(self, int64_t now) noexcept nogil
    # Give them back, each with its new `due`; when the next one is due.
    cdef int64_t put_back(self, Entry* entry) noexcept nogil
    # The lock is held.
    cdef int64_t next_due(self) noexcept nogil

    cdef void _insert(self, Entry* entry, int64_t due) noexcept nogil
    cdef void _unlink(self, Entry* entry) noexcept nogil
    cdef void _count_phase(self, Entry* entry, int phase) noexcept nogil
    cdef int64_t _emptiest(self, int64_t now) noexcept nogil
