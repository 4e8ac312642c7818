"""A bad network without sockets or clocks: datagrams go in, some come out, later.

One `Link` is one direction. A datagram passes these, in this order (after str0m's netem):

    loss → duplication → bottleneck (rate, queue) → delay and jitter → reordering

The same seed and the same calls give the same fate for every datagram. Each impairment
draws from a generator of its own, so that turning one knob does not move the others.
"""

import heapq
import math
from random import Random

import msgspec

__all__ = ["Burst", "Link", "LinkStats"]


class Burst(msgspec.Struct, frozen=True, kw_only=True):
    """Loss that comes in bursts: the two-state model of Gilbert and Elliott.

    Before each datagram the link may change between its good state, in which ``Link.loss``
    applies, and its bad one, in which ``loss`` does. All three are probabilities per
    datagram: a bad state lasts ``1 / leave`` datagrams on average.
    """

    enter: float
    leave: float
    loss: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        _check_probabilities(enter=self.enter, leave=self.leave, loss=self.loss)


class LinkStats(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the datagrams.

    ``sent + duplicated == delivered + lost + overflowed + waiting`` at any time.
    """

    sent: int
    delivered: int
    lost: int
    overflowed: int  #: did not fit into the queue of the bottleneck
    duplicated: int  #: copies made
    reordered: int  #: held back so that later ones overtake them
    waiting: int  #: on their way


class Link:
    """One direction of a network between two ends.

    ``loss``, ``duplicate``, ``reorder``  probabilities, 0 to 1
    ``delay``          seconds every datagram takes
    ``jitter``         up to this many seconds more, evenly spread; it never changes the
                       order, as on most real paths
    ``reorder_delay``  seconds by which a reordered datagram is held back; the default lets
                       two packets of a 20 ms stream overtake it
    ``burst``          loss in bursts
    ``rate``           bits per second through the bottleneck; None is no bottleneck
    ``queue``          bytes that may wait in front of it

    The knobs are plain attributes and may be turned while datagrams are on their way.
    Raises ``ValueError`` for values that make no sense.
    """

    def __init__(
        self,
        *,
        loss: float = 0.0,
        duplicate: float = 0.0,
        delay: float = 0.0,
        jitter: float = 0.0,
        reorder: float = 0.0,
        reorder_delay: float = 0.05,
        burst: Burst | None = None,
        rate: float | None = None,
        queue: int = 65536,
        seed: int = 0,
    ) -> None:
        _check_probabilities(loss=loss, duplicate=duplicate, reorder=reorder)
        _check_seconds(delay=delay, jitter=jitter, reorder_delay=reorder_delay)
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            raise ValueError(f"rate is None or a finite number above 0, not {rate!r}")
        if queue < 0:
            raise ValueError("queue is 0 bytes or more")
        self.loss = loss
        self.duplicate = duplicate
        self.delay = delay
        self.jitter = jitter
        self.reorder = reorder
        self.reorder_delay = reorder_delay
        self.burst = burst
        self.rate = rate
        self.queue = queue
        self._loss_random = Random(f"{seed}/loss")
        self._burst_random = Random(f"{seed}/burst")
        self._duplicate_random = Random(f"{seed}/duplicate")
        self._jitter_random = Random(f"{seed}/jitter")
        self._reorder_random = Random(f"{seed}/reorder")
        self._bad = False  # the state of Gilbert-Elliott
        self._idle_at = -math.inf  # when the bottleneck has sent all that waits
        self._last_due = -math.inf  # of those in order
        self._order = 0  # breaks ties of the heap: first in, first out
        self._waiting: list[tuple[float, int, bytes]] = []
        self._sent = self._delivered = self._lost = 0
        self._overflowed = self._duplicated = self._reordered = 0

    def send(self, data: bytes | bytearray | memoryview, now: float) -> None:
        """Put one datagram into the link. It is copied; it may be lost."""
        self._sent += 1
        if self._loses():
            self._lost += 1
            return
        self._enqueue(bytes(data), now)
        if self.duplicate and self._duplicate_random.random() < self.duplicate:
            self._duplicated += 1
            self._enqueue(bytes(data), now)

    def receive(self, now: float) -> bytes | None:
        """Return the next datagram that has arrived by ``now``; None: no more yet."""
        if not self._waiting or self._waiting[0][0] > now:
            return None
        self._delivered += 1
        return heapq.heappop(self._waiting)[2]

    def next_timeout(self) -> float | None:
        """Return when the next datagram arrives; None: nothing is on its way."""
        return self._waiting[0][0] if self._waiting else None

    def clear(self) -> int:
        """Lose everything that is on its way (a cut cable); return how many."""
        cleared = len(self._waiting)
        self._lost += cleared
        self._waiting.clear()
        return cleared

    @property
    def stats(self) -> LinkStats:
        """A snapshot of the counters."""
        return LinkStats(
            sent=self._sent,
            delivered=self._delivered,
            lost=self._lost,
            overflowed=self._overflowed,
            duplicated=self._duplicated,
            reordered=self._reordered,
            waiting=len(self._waiting),
        )

    def _loses(self) -> bool:
        loss = self.loss
        if self.burst is not None:
            change = self.burst.leave if self._bad else self.burst.enter
            if self._burst_random.random() < change:
                self._bad = not self._bad
            if self._bad:
                loss = self.burst.loss
        # Drawn even when loss is 0: a link that turns bad later stays on its seed's course.
        return self._loss_random.random() < loss

    def _enqueue(self, data: bytes, now: float) -> None:
        out = now
        if self.rate is not None:
            backlog = max(0.0, self._idle_at - now) * self.rate / 8
            if backlog + len(data) > self.queue:
                self._overflowed += 1
                return
            self._idle_at = max(self._idle_at, now) + len(data) * 8 / self.rate
            out = self._idle_at
        due = out + self.delay
        if self.jitter:
            due += self._jitter_random.random() * self.jitter
        due = max(due, self._last_due)
        if self.reorder and self._reorder_random.random() < self.reorder:
            # It does not move `_last_due`: that is what lets the next ones overtake.
            self._reordered += 1
            due += self.reorder_delay
        else:
            self._last_due = due
        self._order += 1
        heapq.heappush(self._waiting, (due, self._order, data))


def _check_probabilities(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is a probability from 0 to 1, not {value!r}")


def _check_seconds(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} is a finite number of seconds from 0 on, not {value!r}")
