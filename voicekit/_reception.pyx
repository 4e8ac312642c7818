"""How a stream is received: counters that do not wrap, duplicates, loss, jitter.

RFC 3550 appendix A.1 (sequence numbers), A.3 (loss) and A.8 (jitter), one `Reception` per
SSRC. Three things differ from the RFC's sample code, because our packets are authenticated
and listeners want every one of them:

- No probation: the first packet of a stream counts and is played.
- Duplicates are recognised, dropped and not counted as received, so that a network which
  repeats packets can not hide that it loses others.
- A packet from before the first one moves the first number back, instead of making the
  loss negative.
"""

cimport cython
from libc.math cimport fabs
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from enum import IntEnum
from typing import NamedTuple

from .errors import LocalProtocolError
from .rtcp import ReportBlock

__all__ = ["Arrival", "ExtendedCounter", "Reception", "Verdict"]

cdef enum:
    SEQUENCE_SPAN = 1 << 16
    # A.1: a gap of 3 000 packets is a minute of audio; 100 late ones are two seconds.
    MAX_DROPOUT = 3000
    MAX_MISORDER = 100
    NO_SUSPECT = -1
    WORD = 64
    # Bounds of the fields of a report block.
    MAX_FRACTION = 0xFF
    MAX_LOST = 0x7F_FFFF

cdef int64_t TIMESTAMP_SPAN = <int64_t>1 << 32
cdef double CLOCK_RATE = 48000.0
# A quarter of the timestamp's span, 6.2 hours. After a silence of that length a timestamp
# that seems to go back has gone half way round.
cdef double LONG_SILENCE = (<int64_t>1 << 30) / 48000.0


class Verdict(IntEnum):
    """What `Reception.update` says of a packet; the last two are to be dropped."""

    NEXT = RECEPTION_NEXT
    REORDERED = RECEPTION_REORDERED
    RESTARTED = RECEPTION_RESTARTED
    DUPLICATE = RECEPTION_DUPLICATE
    STALE = RECEPTION_STALE


class Arrival(NamedTuple):
    """One packet on counters that do not wrap; ``missing`` packets are absent just before it."""

    verdict: Verdict
    sequence: int
    timestamp: int
    missing: int


cdef tuple VERDICTS = tuple(Verdict)


cdef inline int64_t nearest(int64_t to, uint32_t value, int64_t span) noexcept nogil:
    """The number closest to `to` that equals `value` modulo `span`, a power of two."""
    cdef int64_t ahead = (<int64_t>value - to) & (span - 1)
    return to + (ahead if ahead < span // 2 else ahead - span)


@cython.final
@cython.auto_pickle(False)
cdef class ExtendedCounter:
    """Extends a counter of ``bits`` bits (2 to 32) that wraps to one that does not.

    Each value is taken for the number nearest to the highest one so far, so that it may
    come up to half the span early or late. The first value stands for itself; what is late
    before the first wrap is negative.
    """

    def __cinit__(self, bits):
        if not 2 <= bits <= 32:
            raise ValueError(f"bits is 2 to 32, not {bits}")
        self._span = <int64_t>1 << <int>bits

    def update(self, value, /):
        """Return ``value``, extended."""
        if not 0 <= value < self._span:
            raise ValueError(f"value is 0 to {self._span - 1}, not {value}")
        return self.update_c(value)

    cdef int64_t update_c(self, uint32_t value) noexcept nogil:
        cdef int64_t extended = value
        if self._started:
            extended = nearest(self.highest, value, self._span)
        if not self._started or extended > self.highest:
            self.highest = extended
            self._started = True
        return extended


@cython.final
@cython.auto_pickle(False)
cdef class Reception:
    """Statistics of one received stream.

    ``received`` counts packets without ``duplicates`` (which include stale ones); sequence
    numbers and timestamps are extended; ``jitter`` is in seconds. A sender whose timestamp
    stands still over a pause makes the jitter jump by a sixteenth of the pause, and it is
    forgotten within about a hundred packets: A.8 knows no better.
    """

    def __cinit__(self, uint32_t ssrc=0):
        self.ssrc = ssrc
        self._suspect = NO_SUSPECT

    @property
    def expected(self):
        """Highest minus first sequence number plus one (A.3)."""
        return self.expected_c()

    @property
    def lost(self):
        """Packets expected and not received; never below 0."""
        return self.expected_c() - self.received

    cdef int64_t expected_c(self) noexcept nogil:
        if self.received == 0:
            return 0
        return self._expected_before + self.highest_sequence - self.first_sequence + 1

    def update(self, uint16_t sequence, uint32_t timestamp, double now):
        """Count one authenticated packet and return its `Arrival`."""
        cdef Position position
        cdef VerdictCode verdict = self.update_c(sequence, timestamp, now, &position)
        return Arrival(VERDICTS[verdict], position.sequence, position.timestamp,
                       position.missing)

    cdef VerdictCode update_c(self, uint16_t sequence, uint32_t timestamp, double now,
                              Position* position) noexcept nogil:
        cdef VerdictCode verdict
        position.missing = 0
        if self.received == 0:
            verdict = RECEPTION_NEXT
            position.sequence = self.first_sequence = sequence
            position.timestamp = timestamp
            self._seen = 1
        else:
            position.sequence = nearest(self.highest_sequence, sequence, SEQUENCE_SPAN)
            position.timestamp = nearest(self.highest_timestamp, timestamp, TIMESTAMP_SPAN)
            verdict = self._judge(position)
        if verdict >= RECEPTION_DUPLICATE:
            self.duplicates += 1
            return verdict

        self.received += 1
        self._suspect = NO_SUSPECT
        if verdict == RECEPTION_REORDERED:
            self.reordered += 1
        else:
            if (
                position.timestamp < self.highest_timestamp
                and self.received > 1
                and now - self.last_arrival > LONG_SILENCE
            ):
                position.timestamp += TIMESTAMP_SPAN
            self.highest_sequence = position.sequence
            self.highest_timestamp = position.timestamp
        self._measure_jitter(verdict, position.timestamp, now)
        self.last_arrival = now
        return verdict

    cdef VerdictCode _judge(self, Position* position) noexcept nogil:
        """A.1, update_seq(): place a packet relative to the highest number so far."""
        cdef int64_t ahead = position.sequence - self.highest_sequence
        cdef int64_t behind = -ahead
        if 0 < ahead < MAX_DROPOUT:
            self._shift_window(ahead)
            position.missing = ahead - 1
            return RECEPTION_NEXT
        if 0 <= behind < MAX_MISORDER:
            if self._was_seen(behind):
                return RECEPTION_DUPLICATE
            if position.sequence < self.first_sequence:
                self.first_sequence = position.sequence
            return RECEPTION_REORDERED
        # A very large jump. Two packets in a row tell a sender that began a new count from
        # a straggler; the first of them is the price.
        if position.sequence & (SEQUENCE_SPAN - 1) != self._suspect:
            self._suspect = (position.sequence + 1) & (SEQUENCE_SPAN - 1)
            return RECEPTION_STALE
        self._expected_before = self.expected_c()
        # Extended numbers never go back: the new count begins in the next cycle.
        if ahead < 0:
            position.sequence += SEQUENCE_SPAN
        self.first_sequence = position.sequence
        self._seen = 1
        self._seen_before = 0
        self.restarts += 1
        return RECEPTION_RESTARTED

    cdef void _shift_window(self, int64_t by) noexcept nogil:
        """Make room for the new highest number, bit 0."""
        if by >= 2 * WORD:
            self._seen = self._seen_before = 0
        elif by >= WORD:
            self._seen_before = self._seen << (by - WORD)
            self._seen = 0
        else:
            self._seen_before = self._seen_before << by | self._seen >> (WORD - by)
            self._seen <<= by
        self._seen |= 1

    cdef bint _was_seen(self, int64_t behind) noexcept nogil:
        """Whether the number was seen; it has been from now on."""
        cdef uint64_t* word = &self._seen
        cdef uint64_t bit
        if behind >= WORD:
            word = &self._seen_before
        bit = <uint64_t>1 << (behind % WORD)
        if word[0] & bit:
            return True
        word[0] |= bit
        return False

    cdef void _measure_jitter(self, VerdictCode verdict, int64_t timestamp,
                              double now) noexcept nogil:
        """A.8, in seconds; the timestamps of a new count do not compare with the old ones."""
        cdef double transit = now - timestamp / CLOCK_RATE
        if self.received > 1 and verdict != RECEPTION_RESTARTED:
            self.jitter += (fabs(transit - self._transit) - self.jitter) / 16
        self._transit = transit

    def receive_sender_report(self, report, double now):
        """Remember when a `SenderReport` of this stream came, for our next report block."""
        self._last_sr = (report.ntp >> 16) & 0xFFFF_FFFF
        self._last_sr_arrival = now

    def report_block(self, double now):
        """Return the `ReportBlock` for a receiver report; its fraction is since the last call.

        Raises `LocalProtocolError` before the first packet.
        """
        cdef int64_t expected = self.expected_c()
        cdef int64_t expected_since = expected - self._reported_expected
        cdef int64_t lost_since = expected_since - (self.received - self._reported_received)
        if self.received == 0:
            raise LocalProtocolError("nothing was received of this stream")
        self._reported_expected = expected
        self._reported_received = self.received
        fraction = min((lost_since << 8) // expected_since, MAX_FRACTION) if lost_since > 0 else 0
        delay = 0
        if self._last_sr:
            delay = min(max(round((now - self._last_sr_arrival) * 65536), 0), 0xFFFF_FFFF)
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=fraction,
            lost=min(expected - self.received, MAX_LOST),
            highest_sequence=self.highest_sequence & 0xFFFF_FFFF,
            jitter=min(int(self.jitter * CLOCK_RATE), 0xFFFF_FFFF),
            last_sr=self._last_sr,
            delay=delay,
        )
