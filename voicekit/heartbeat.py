"""Heartbeats of one voice gateway connection: nonces, missed ACKs, round-trip times.

The first beat goes out one interval after Hello. When the next one is due and the last
`Config.max_missed_acks` are unanswered, the socket is a zombie: open, but dead.
"""

from random import Random

from .config import Config

__all__ = ["Heartbeat"]

#: Nonces stay below it: JSON numbers of JavaScript hold no more digits.
NONCE_LIMIT = 2**53

#: Round trips that `average_latency` is the mean of.
HISTORY = 20

#: A look at the clock that comes this late, in seconds, was held up by somebody else's
#: work: an ACK may lie unread in the socket.
LATE = 1.0


class Heartbeat:
    """Bookkeeping of heartbeats; the caller owns the timer and the socket."""

    def __init__(self, config: Config, random: Random) -> None:
        self._config = config
        self._random = random
        self._round_trips: list[float] = []
        self._nonce: int | None = None
        self._sent_at = 0.0
        self._excused = False
        self.interval: float | None = None  #: seconds; None until Hello
        self.missed = 0  #: beats without an ACK, the last one included

    @property
    def latency(self) -> float | None:
        """Last round trip in seconds; None until known."""
        return self._round_trips[-1] if self._round_trips else None

    @property
    def average_latency(self) -> float | None:
        """Mean of the last 20 round trips in seconds; None until known."""
        if not self._round_trips:
            return None
        return sum(self._round_trips) / len(self._round_trips)

    def stop(self) -> None:
        """Forget what is outstanding: the link is gone. Round trips stay."""
        self.interval = None
        self._nonce = None
        self._excused = False
        self.missed = 0

    def forget_latency(self) -> None:
        """Forget the round trips: they were another server's."""
        self._round_trips.clear()

    def begin(self, milliseconds: float) -> float:
        """Start anew at a Hello; return the interval in seconds, clamped."""
        self.stop()
        seconds = milliseconds / 1000
        self.interval = min(max(seconds, self._config.heartbeat_min), self._config.heartbeat_max)
        return self.interval

    def beat(self, now: float, asked: bool = False) -> int:
        """Return the nonce of a heartbeat that goes out now; ``asked``: the server wanted it."""
        self._nonce = self._random.randrange(NONCE_LIMIT)
        self._sent_at = now
        self.missed = max(self.missed, 1) if asked else self.missed + 1
        return self._nonce

    def acknowledge(self, nonce: int | None, now: float) -> bool:
        """Take an ACK; False for one that is not of the last beat. None stands for that one."""
        if self._nonce is None or (nonce is not None and nonce != self._nonce):
            return False
        self._nonce = None
        self._excused = False
        self.missed = 0
        self._round_trips.append(max(0.0, now - self._sent_at))
        del self._round_trips[:-HISTORY]
        return True

    def is_dead(self, late: float) -> bool:
        """Whether, a beat being due since ``late`` seconds, the socket is a zombie.

        One late look in a row is excused, and another beat is tried first.
        """
        if self.interval is None:
            return True  # the time allowed for Hello is over
        if self.missed < self._config.max_missed_acks:
            return False
        if late >= LATE and not self._excused:
            self._excused = True
            return False
        return True
