# Numbers that several threads read and write without a lock.
#
# All are relaxed but `vk_take` and `vk_release`: between the two, one thread sees all that
# the one before it did.

from libc.stdint cimport uint64_t


cdef extern from "_platform.h" nogil:
    ctypedef uint64_t vk_atomic
    uint64_t vk_atomic_load(vk_atomic* a)
    void vk_atomic_store(vk_atomic* a, uint64_t v)
    bint vk_atomic_cas(vk_atomic* a, uint64_t old, uint64_t new)
    void vk_atomic_add(vk_atomic* a, uint64_t n)
    # The same for one writer at a time and any number of readers: a plain addition.
    void vk_atomic_count(vk_atomic* a, uint64_t n)
    double vk_atomic_load_double(vk_atomic* a)
    void vk_atomic_store_double(vk_atomic* a, double v)

    # A flag: whether it was free, and now is ours. Never waits.
    bint vk_take(vk_atomic* a)
    void vk_release(vk_atomic* a)
