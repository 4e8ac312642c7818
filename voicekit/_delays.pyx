"""How late the packets of a stream come: the fastest way through the network, and a quantile.

The transit time of a packet is its arrival minus its media time. The two clocks have nothing to
do with each other, so that only differences mean something: how much later than the fastest
packet of late it came. Of these delays there is a histogram that forgets, as in WebRTC's NetEQ:
the delay that all but a small share of the packets keep is what a jitter buffer has to add.
"""

cimport cython
from libc.math cimport INFINITY, fmin

__all__ = ["Delays"]

cdef enum:
    LARGEST_WEIGHT = 1 << 20    # then all are divided by it: a float holds 24 bits

# Half of the window of the least transit time: one fast packet in 5 to 10 s is enough to know
# it, and a clock that drifts by 100 ppm is off by 1 ms at most.
cdef double HALF_WINDOW = 5.0
# 5 ms are a quarter of a frame; the histogram ends at 0.64 s, or where the longest delay does.
cdef double BIN = 0.005
# What the first guess weighs, in packets of 20 ms. It fades within some seconds of audio.
cdef double GUESS = 10
cdef double USUAL_DURATION = 0.02


@cython.final
@cython.auto_pickle(False)
cdef class Delays:
    """Delays of one stream, in seconds.

    ``initial`` is what is believed before anything is known, ``maximum`` the longest delay that
    is told from longer ones, ``late_share`` how many may come later than ``quantile``, and
    ``memory`` the seconds of audio after which a packet weighs 1/e.
    """

    def __cinit__(self, double initial, double maximum, double late_share, double memory):
        self._width = max(BIN, maximum / DELAY_BINS)
        self._late_share = late_share
        self._memory = memory
        self._weight = 1
        self._least = self._least_before = INFINITY
        self._add(initial - self._width / 2, GUESS)
        self._find_quantile()

    @property
    def least(self):
        """The least transit time of the last 5 to 10 s; 0 before the first packet."""
        return self.least_c() if self.started else 0.0

    def observe(self, double transit, double duration, double now):
        """Take in one packet: arrival minus media time, its length, and its arrival."""
        self.observe_c(transit, duration, now)

    cdef double least_c(self) noexcept nogil:
        return fmin(self._least, self._least_before)

    cdef void observe_c(self, double transit, double duration, double now) noexcept nogil:
        if not self.started or now >= self._turn:
            # After a longer silence the half before is out of date, too.
            self._least_before = self._least if now < self._turn + HALF_WINDOW else INFINITY
            self._least = INFINITY
            self._turn = now + HALF_WINDOW
            self.started = True
        if transit < self._least:
            self._least = transit
        self._weight *= 1 + duration / self._memory
        self._add(transit - self.least_c(), self._weight * duration / USUAL_DURATION)
        self._find_quantile()

    cdef void _add(self, double delay, double weight) noexcept nogil:
        cdef int n
        cdef int bin = 0
        if delay >= self._width * DELAY_BINS:
            bin = DELAY_BINS - 1
        elif delay > 0:
            bin = <int> (delay / self._width)
        self._weights[bin] += <float> weight
        self._total += weight
        if bin > self._top:
            self._top = bin
        if self._weight > LARGEST_WEIGHT:
            self._total = 0
            for n in range(DELAY_BINS):
                self._weights[n] = <float> (self._weights[n] / self._weight)
                self._total += self._weights[n]
            self._weight = 1

    cdef void _find_quantile(self) noexcept nogil:
        """The upper edge of the lowest bin that has no more than the late share above it."""
        cdef double late = self._late_share * self._total
        cdef double above = 0
        cdef int n = self._top
        while n > 0 and above + self._weights[n] <= late:
            above += self._weights[n]
            n -= 1
        # Bins at the top that weigh nothing any more need not be looked at again.
        while self._top > n and self._weights[self._top] < self._weight * 1e-6:
            self._total -= self._weights[self._top]
            self._weights[self._top] = 0
            self._top -= 1
        self.quantile = (n + 1) * self._width
