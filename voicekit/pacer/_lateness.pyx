"""How late packets left: a histogram in 600 bytes, written by one thread, read by any.

Buckets grow with what they hold, eight to each power of two: 0, 1, ... 15 us, then 16-17,
18-19, ... 30-31, 32-35 and so on up to a second. So a figure is right to an eighth, from a
microsecond to the longest stall.
"""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from .._atomic cimport vk_atomic_load, vk_atomic_store
from ._threads cimport vk_count32, vk_load32

from .stats import Lateness

__all__ = ["Histogram"]

cdef enum:
    PER_OCTAVE = 8
    # 2**20 us and more are in the last bucket; the maximum is kept apart.
    LIMIT = (1 << 20) - 1
    NS_PER_US = 1000


@cython.final
@cython.auto_pickle(False)
cdef class Histogram:
    """Times between when a packet was due and when its send call had returned."""

    cdef void add(self, int64_t ns) noexcept nogil:
        cdef uint32_t us
        cdef int index = 0
        if ns < 0:
            ns = 0
        if <uint64_t> ns > vk_atomic_load(&self._max):
            vk_atomic_store(&self._max, ns)
        us = <uint32_t> min(ns // NS_PER_US, <int64_t> LIMIT)
        while us >= 2 * PER_OCTAVE:
            us >>= 1
            index += PER_OCTAVE
        vk_count32(&self._buckets[index + <int> us])

    def merge(self, Histogram other not None):
        """Add what ``other`` has counted; nobody may write to this one meanwhile."""
        cdef int i
        for i in range(BUCKETS):
            self._buckets[i] += vk_load32(&other._buckets[i])
        vk_atomic_store(
            &self._max, max(vk_atomic_load(&self._max), vk_atomic_load(&other._max)))

    def read(self):
        """Return what was counted as a `Lateness`, in seconds."""
        cdef int i
        counts = [vk_load32(&self._buckets[i]) for i in range(BUCKETS)]
        longest = vk_atomic_load(&self._max) / 1e9
        return Lateness(
            count=sum(counts),
            p50=_quantile(counts, 0.5, longest),
            p99=_quantile(counts, 0.99, longest),
            p999=_quantile(counts, 0.999, longest),
            max=longest,
        )


cdef double _quantile(list counts, double share, double longest):
    """What ``share`` of all did not exceed: the upper end of its bucket."""
    wanted = share * sum(counts)
    below = 0
    for index, count in enumerate(counts):
        below += count
        if below >= wanted and below:
            shift = max(index // PER_OCTAVE - 1, 0)
            return min(((index - shift * PER_OCTAVE + 1) << shift) / 1e6, longest)
    return 0.0
