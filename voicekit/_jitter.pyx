"""The jitter buffer: frames of one RTP stream go in as they come, and come out when they are due.

Playout follows RTP time. A frame is due at its media time (RTP time in seconds, corrected where
the sender's clock stood still) plus an anchor, and the anchor is what adapts:

    arrival   1    2 3        5  4    6            media time + least transit
              |    | |        |  |    |            + target: what all but a few keep (`Delays`)
    due            1    2    3    4    5    6

- In a pause (a new talk spurt, DTX) nobody hears it move: there it goes to where the target is.
- Where the stream runs dry, playout waits for what is late. Up to the longest delay nothing that
  comes in order is ever too late.
- At a hole it waits while the delay is below the target, and leaves the hole out while it is
  above by as much.
- Otherwise it stays, until the delay is so much too long that a frame is left out, quiet ones
  first.

Loss is what the sequence numbers say; a jump of RTP time alone is a pause.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.math cimport fabs, fmax, fmin, isfinite, llround
from libc.stdint cimport int64_t
from libc.string cimport memset

from ._delays cimport Delays
from ._frame cimport AudioFrame

from typing import NamedTuple

from .codes import SILENCE_FRAME
from .config import JitterConfig
from .errors import LocalProtocolError
from .stats import JitterStats

__all__ = ["JitterBuffer", "Lost"]

cdef enum:
    FIRST_CAPACITY = 16     # packets: 0.3 s. Few streams ever need more
    DTX_SIZE = 2            # bytes, at most, of a packet that only says that nothing is said

cdef double CLOCK_RATE = 48000.0
# The shortest Opus frame. A gap that lasts less per missing number is no loss.
cdef double SHORTEST = 0.0025
# RTP times that differ by less follow one another.
cdef double ABOUT = 0.001
# The numbers of lost packets may hide a pause: then the gap is longer than this many of them.
cdef double MORE_THAN_LOST = 1.5
# A delay that is this much too long is given back: one frame a second, until it is half.
cdef double TOO_LONG = 0.1
cdef double SKIP_INTERVAL = 1.0

cdef bytes SILENCE = SILENCE_FRAME


class Lost(NamedTuple):
    """``packets`` that did not come in time, from ``sequence`` on.

    ``rtp_time`` is where they begin and ``duration`` how long they last, both in samples at
    48 kHz. ``conceal`` of these are to be made up now. The others have passed already: while
    the buffer was empty, or because it took the chance to shorten its delay.
    """

    packets: int
    sequence: int
    rtp_time: int
    duration: int
    conceal: int


@cython.final
@cython.auto_pickle(False)
cdef class JitterBuffer:
    """Frames of one SSRC, put in order and in time. Without clocks: ``now`` is told.

    `push` frames as they arrive, `pop` until it returns None, and again at `next_timeout`.
    All times are in seconds on the clock of `AudioFrame.arrived`. Raises `LocalProtocolError`
    for a frame of another SSRC and for times that are not finite.

    Each frame that is pushed is popped once, in order, or counted in `stats`. At most
    `JitterConfig.max_packets` wait.
    """

    def __cinit__(self, config=None):
        if config is None:
            config = JitterConfig()
        elif not isinstance(config, JitterConfig):
            raise TypeError(f"config is a JitterConfig, not {type(config).__name__}")
        self.config = config
        self._minimum = config.minimum
        self._maximum = config.maximum
        self._max_packets = config.max_packets
        self._delays = Delays(
            config.initial, config.maximum, config.late_share, config.memory)
        self._capacity = FIRST_CAPACITY
        self._slots = <Slot*> PyMem_Malloc(self._capacity * sizeof(Slot))
        if self._slots == NULL:
            raise MemoryError
        memset(self._slots, 0, self._capacity * sizeof(Slot))

    def __dealloc__(self):
        cdef Py_ssize_t n
        if self._slots != NULL:
            for n in range(self._capacity):
                if self._slots[n].frame != NULL:
                    Py_DECREF(<object> self._slots[n].frame)
            PyMem_Free(self._slots)

    def __len__(self):
        return self._count

    # -- frames in -------------------------------------------------------------

    def push(self, AudioFrame frame not None):
        """Take a frame that has arrived; return whether it will be played.

        False: late, there already, or not Opus. It is counted then.
        """
        return self.push_c(frame)

    cdef bint push_c(self, AudioFrame frame) except -1:
        cdef double media
        cdef Slot* slot
        if not isfinite(frame.arrived):
            raise LocalProtocolError(f"a frame that arrived at {frame.arrived}")
        if self._pushed == 0:
            self._ssrc = frame.ssrc
        elif frame.ssrc != self._ssrc:
            raise LocalProtocolError(
                f"this buffer is for SSRC {self._ssrc}, the frame is of {frame.ssrc}")
        self._pushed += 1
        if frame.duration <= 0:
            self._invalid += 1
            return False
        slot = self._at(frame.sequence)
        if slot.sequence == frame.sequence and slot.duration > 0:
            self._duplicates += 1
            return False
        media = self._place(frame)
        if self._started and frame.sequence < self._next:
            self._late += 1
            return False
        if not self._make_room(frame.sequence):
            self._late += 1
            return False
        if self._count == 0 or frame.sequence < self._lowest:
            self._lowest = frame.sequence
            self._stretch(media, frame.arrived)
        if self._count == 0 or frame.sequence > self._highest:
            self._highest = frame.sequence
        slot = self._at(frame.sequence)
        slot.sequence = frame.sequence
        slot.media = media
        slot.duration = frame.duration / CLOCK_RATE
        slot.frame = <PyObject*> frame
        Py_INCREF(frame)
        self._count += 1
        return True

    cdef double _place(self, AudioFrame frame) noexcept:
        """Return the media time of a frame, and learn from it how late packets come."""
        cdef double media = frame.rtp_time / CLOCK_RATE + self._shift
        cdef double delay
        cdef double longest = self._maximum
        cdef bint is_silence = frame.opus == SILENCE
        if not self._delays.started:
            self._newest = frame.sequence
            self._newest_is_silence = is_silence
            self._delays.observe_c(frame.arrived - media, 0, frame.arrived)
            return media
        delay = frame.arrived - media - self._delays.least_c()
        if frame.sequence > self._newest:
            # Behind a silence frame or a marker it is a pause, and who does not count pauses
            # seems to be late by one.
            if frame.marker or (self._newest_is_silence and not is_silence):
                longest = self.target_c()
            if delay > longest or delay < -self._maximum:
                self._old_shift = self._shift
                self._shift_from = frame.sequence
                self._shift += delay
                media += delay
            self._newest = frame.sequence
            self._newest_is_silence = is_silence
        else:
            if self._is_numbered_before_shift(frame):
                media += self._old_shift - self._shift
            # By its number it was to be played already: whatever its time says, not in the future.
            media += fmin(0, frame.arrived - media - self._delays.least_c() + self._maximum)
        if fabs(frame.arrived - media - self._delays.least_c()) <= self._maximum:
            self._delays.observe_c(
                frame.arrived - media, frame.duration / CLOCK_RATE, frame.arrived)
        return media

    cdef bint _is_numbered_before_shift(self, AudioFrame frame) noexcept:
        """Whether a frame that was overtaken is from before the sender's clock jumped."""
        cdef double media = frame.rtp_time / CLOCK_RATE + self._shift
        cdef double delay = frame.arrived - media - self._delays.least_c()
        if frame.sequence >= self._shift_from:
            return False
        return fabs(delay + self._shift - self._old_shift) < fabs(delay)

    cdef void _stretch(self, double media, double arrived) noexcept:
        """A frame is next, now that it is here. If it is late, playout has waited for it."""
        cdef double late = arrived - (self._anchor + media)
        if not self._started or late <= 0:
            return
        self._anchor += late
        self._stretched += late
        if media - self._next_media < TOO_LONG:  # longer ago, it was a pause
            self._underruns += 1

    # -- the ring --------------------------------------------------------------

    cdef Slot* _at(self, int64_t sequence) noexcept:
        return &self._slots[sequence & (self._capacity - 1)]

    cdef bint _make_room(self, int64_t sequence) except -1:
        """Widen the ring, or drop the oldest, until a number fits. False: it is the oldest."""
        if self._count and sequence <= self._highest - self._max_packets:
            return False
        while self._count and sequence >= self._lowest + self._max_packets:
            self._take(self._at(self._lowest))
            self._overflowed += 1
        if self._count == 0:
            return True
        while max(sequence, self._highest) - min(sequence, self._lowest) >= self._capacity:
            self._grow()
        return True

    cdef bint _grow(self) except -1:
        cdef Slot* old = self._slots
        cdef Py_ssize_t n
        cdef Py_ssize_t size = self._capacity
        self._slots = <Slot*> PyMem_Malloc(2 * size * sizeof(Slot))
        if self._slots == NULL:
            self._slots = old
            raise MemoryError
        memset(self._slots, 0, 2 * size * sizeof(Slot))
        self._capacity = 2 * size
        for n in range(size):
            if old[n].duration > 0:
                self._at(old[n].sequence)[0] = old[n]
        PyMem_Free(old)
        return True

    cdef AudioFrame _take(self, Slot* head):
        """Remove the frame that is next; what follows it is next now."""
        cdef AudioFrame frame = <AudioFrame> head.frame
        head.frame = NULL
        Py_DECREF(frame)
        self._count -= 1
        self._next = head.sequence + 1
        self._next_media = head.media + head.duration
        self._last_duration = head.duration
        self._lowest = self._next
        if self._count:
            while self._at(self._lowest).frame == NULL:
                self._lowest += 1
        return frame

    # -- frames out ------------------------------------------------------------

    def pop(self, double now):
        """Return the next `AudioFrame` that is due at ``now``, or `Lost` in its place, or None.

        None: nothing is due. `next_timeout` says until when, `runs_dry_at` since when there is
        nothing at all.
        """
        return self.pop_c(now)

    cdef object pop_c(self, double now):
        cdef Step step
        cdef AudioFrame frame
        if not isfinite(now):
            raise LocalProtocolError(f"pop at {now}")
        while self._count:
            self._look_ahead(&step)
            if now < step.due:
                return None
            if step.is_spurt:
                self._spurts += 1
            elif step.anchor > self._anchor:
                self._stretched += step.anchor - self._anchor
            self._started = True
            self._anchor = step.anchor
            if step.missing:
                return self._report_lost(&step, now)
            if self._is_to_be_skipped(step.head, now):
                self._anchor -= step.head.duration
                self._take(step.head)
                self._skipped += 1
                continue
            frame = self._take(step.head)
            self._played += 1
            self._waited += now - frame.arrived
            return frame
        return None

    cdef double target_c(self) noexcept nogil:
        return fmin(fmax(self._delays.quantile, self._minimum), self._maximum)

    cdef void _look_ahead(self, Step* step) noexcept:
        """See what comes next: a frame, or the hole before it; when, and on which anchor."""
        cdef Slot* head = self._at(self._lowest)
        cdef double wanted = self._delays.least_c() + self.target_c()
        cdef double gap = head.media - self._next_media
        cdef double pause
        step.head = head
        step.missing = head.sequence - self._next if self._started else 0
        step.each = 0
        if gap < step.missing * SHORTEST - ABOUT:
            step.missing = 0  # too short for so many: the sender counts anew
        elif step.missing:
            # Is the gap longer than they can have been, there is a pause in it, too. They are
            # taken for the beginning of what follows it: what ends a talk spurt is silence,
            # and until then they may still come.
            step.each = gap / step.missing
            if step.each > MORE_THAN_LOST * self._last_duration:
                step.each = self._last_duration
        step.media = head.media - step.missing * step.each
        pause = step.media - self._next_media
        step.is_spurt = not self._started or pause > ABOUT
        step.anchor = self._anchor
        if not self._started:
            step.anchor = wanted
        elif step.is_spurt:
            step.anchor = fmax(wanted, self._anchor - pause)
        elif step.missing:
            step.anchor = fmax(wanted, self._anchor)
        step.due = step.anchor + step.media

    cdef object _report_lost(self, Step* step, double now):
        """Give up those of the missing packets that are due."""
        cdef AudioFrame behind = <AudioFrame> step.head.frame
        cdef int64_t packets = <int64_t> fmin(
            (now - step.due) / step.each + 1, <double> step.missing)
        cdef double duration = packets * step.each
        # While the buffer was empty, time has passed without them.
        cdef double passed = fmin(fmax(behind.arrived - step.due, 0), duration)
        if step.anchor - self._delays.least_c() - self.target_c() >= duration:
            self._anchor -= duration
            passed = duration
        lost = Lost(
            packets,
            self._next,
            behind.rtp_time - llround(step.missing * step.each * CLOCK_RATE),
            llround(duration * CLOCK_RATE),
            llround((duration - passed) * CLOCK_RATE),
        )
        self._lost += packets
        self._next += packets
        self._next_media = step.media + duration
        return lost

    cdef bint _is_to_be_skipped(self, Slot* head, double now) noexcept:
        """Whether to leave a frame out because the delay is too long."""
        cdef double delay = self._anchor - self._delays.least_c()
        cdef double excess = delay - self.target_c()
        cdef Py_ssize_t size
        if excess >= TOO_LONG:
            self._catching_up = True
        elif excess < TOO_LONG / 2:
            self._catching_up = False
        if delay > self._maximum + ABOUT:
            return True
        if not self._catching_up:
            return False
        size = len((<AudioFrame> head.frame).opus)
        if size <= DTX_SIZE or (<AudioFrame> head.frame).opus == SILENCE:
            return True
        if now - self._last_skip < SKIP_INTERVAL:
            return False
        self._last_skip = now
        return True

    def peek(self):
        """Return the frame that `pop` returns next, or the one behind the hole; None: none.

        After `Lost`, if its last number is just before this frame's, a decoder that knows FEC
        finds the lost packet's sound in it.
        """
        if self._count == 0:
            return None
        return <object> self._at(self._lowest).frame

    def next_timeout(self):
        """Return when `pop` has something, as far as is known now; None: not before a push."""
        cdef Step step
        if self._count == 0:
            return None
        self._look_ahead(&step)
        return step.due

    def drain(self):
        """Return what waits, in order and with `Lost` in the holes, whether due or not."""
        found = []
        while self._count:
            item = self.pop_c(self.next_timeout())
            if item is not None:
                found.append(item)
        return found

    @property
    def runs_dry_at(self):
        """When what was popped last has been heard to its end; None before the first frame.

        From then on, while the buffer is empty, there is nothing to play: either speech is
        over, or the next frame is late.
        """
        return self._anchor + self._next_media if self._started else None

    @property
    def target(self):
        """The delay that playout ought to have above the fastest packets, in seconds."""
        return self.target_c()

    @property
    def delay(self):
        """The delay that it has; None before the first frame was popped."""
        return self._anchor - self._delays.least_c() if self._started else None

    def stats(self):
        """Return a snapshot, `voicekit.stats.JitterStats`."""
        return JitterStats(
            pushed=self._pushed,
            played=self._played,
            late=self._late,
            duplicates=self._duplicates,
            invalid=self._invalid,
            skipped=self._skipped,
            overflowed=self._overflowed,
            waiting=self._count,
            lost=self._lost,
            underruns=self._underruns,
            stretched=self._stretched,
            spurts=self._spurts,
            target=self.target_c(),
            delay=self.delay,
            mean_wait=self._waited / self._played if self._played else 0.0,
        )
