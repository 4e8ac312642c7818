"""RFC 3550 A.1, A.3, A.8 with a set of every number ever received instead of a window.

The deliberate differences of voicekit are made here, too: no probation, duplicates are not
received packets, the first number may move back.
"""

from dataclasses import dataclass, field

RATE = 48000
MAX_DROPOUT = 3000
MAX_MISORDER = 100


def nearest(to: int, value: int, span: int) -> int:
    """The number congruent to ``value`` closest to ``to``; of two, the lower one."""
    cycle = to // span
    candidates = [value + span * (cycle + k) for k in (-1, 0, 1)]
    return min(candidates, key=lambda candidate: (abs(candidate - to), candidate))


@dataclass
class ExtendedCounter:
    bits: int
    highest: int | None = None

    def update(self, value: int) -> int:
        if self.highest is None:
            extended = value
        else:
            extended = nearest(self.highest, value, 2**self.bits)
        self.highest = extended if self.highest is None else max(self.highest, extended)
        return extended


@dataclass
class Reception:
    #: Extended numbers received in the present count, and in finished ones how many.
    numbers: set[int] = field(default_factory=set)
    expected_before: int = 0
    received_before: int = 0
    duplicates: int = 0
    reordered: int = 0
    restarts: int = 0
    jitter: float = 0.0
    last_transit: float | None = None
    timestamp_of_highest: int = 0
    suspect: int | None = None
    last_arrival: float = 0.0
    reported: tuple[int, int] = (0, 0)

    @property
    def expected(self) -> int:
        if not self.numbers:
            return 0
        return self.expected_before + max(self.numbers) - min(self.numbers) + 1

    @property
    def received(self) -> int:
        return self.received_before + len(self.numbers)

    def update(self, sequence: int, timestamp: int, now: float) -> tuple[str, int, int, int]:
        """The verdict, the extended sequence and timestamp, and what is missing before it."""
        if not self.numbers:
            return self.accept("NEXT", sequence, timestamp, 0, now)
        highest = max(self.numbers)
        number = nearest(highest, sequence, 2**16)
        time = nearest(self.timestamp_of_highest, timestamp, 2**32)
        if highest < number < highest + MAX_DROPOUT:
            if time < self.timestamp_of_highest and now - self.last_arrival > 2**30 / RATE:
                time += 2**32
            return self.accept("NEXT", number, time, number - highest - 1, now)
        if highest - MAX_MISORDER < number <= highest:
            if number in self.numbers:
                self.duplicates += 1
                return ("DUPLICATE", number, time, 0)
            return self.accept("REORDERED", number, time, 0, now)
        if sequence != self.suspect:
            self.suspect = (sequence + 1) % 2**16
            self.duplicates += 1
            return ("STALE", number, time, 0)
        self.expected_before = self.expected
        self.received_before = self.received
        self.numbers = set()
        self.restarts += 1
        if time < self.timestamp_of_highest and now - self.last_arrival > 2**30 / RATE:
            time += 2**32
        if number < highest:
            number += 2**16
        return self.accept("RESTARTED", number, time, 0, now)

    def accept(
        self, verdict: str, number: int, time: int, missing: int, now: float
    ) -> tuple[str, int, int, int]:
        transit = now - time / RATE
        if self.last_transit is not None and verdict != "RESTARTED":
            self.jitter += (abs(transit - self.last_transit) - self.jitter) / 16
        self.last_transit = transit
        if verdict == "REORDERED":
            self.reordered += 1
        else:
            self.timestamp_of_highest = time
        self.numbers.add(number)
        self.last_arrival = now
        self.suspect = None
        return (verdict, number, time, missing)

    def report(self) -> tuple[int, int]:
        """The fraction lost since the last report, of 256, and the cumulative loss."""
        expected, received = self.reported
        self.reported = (self.expected, self.received)
        expected_since, received_since = self.expected - expected, self.received - received
        lost_since = expected_since - received_since
        fraction = 256 * lost_since // expected_since if lost_since > 0 else 0
        return min(fraction, 255), min(self.expected - self.received, 2**23 - 1)
