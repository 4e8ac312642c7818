"""Which nonces a client has used under one key: exactly, in bounded memory.

A counter that never skips is one range however long the call is; each datagram lost on
the way splits it once more. The byte order of the four bytes is the client's own affair,
so the log finds out in which order they count.
"""

from bisect import bisect_right
from enum import Enum

__all__ = ["NonceLog", "NonceOutcome"]

#: Ranges kept. 0.1 % loss makes some 180 an hour: a day's call fits.
MAX_RANGES = 4096
#: The oldest gap may be closed when there are too many, if it is no wider than this many
#: nonces (20 s of audio). What was skipped so long ago then counts as used.
MAX_CLOSED_GAP = 1024
#: With this many ranges, the bytes probably count in the other order.
_SUSPICIOUS = 64


class NonceOutcome(Enum):
    """What `NonceLog.add` found."""

    FRESH = 1
    USED = 2  #: seen before under this key
    SCATTERED = 3  #: no counter: too many ranges to tell; not recorded


class NonceLog:
    """The set of used nonces, as sorted ranges that neither touch nor overlap."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []  # inclusive
        self._little_endian = False
        self._order_settled = False

    @property
    def ranges(self) -> int:
        """How many ranges are kept: 1 for a counter without gaps."""
        return len(self._firsts)

    def add(self, nonce: int) -> NonceOutcome:
        """Record ``nonce``, the four bytes read as big-endian."""
        value = self._value(nonce)
        lasts = self._lasts
        if lasts and value == lasts[-1] + 1:
            lasts[-1] = value  # the next of the counter: nearly always
            return NonceOutcome.FRESH
        return self._insert(value)

    def distance(self, earlier: int, later: int) -> int:
        """Return how many steps a wrapping 32-bit counter takes between two nonces."""
        return (self._value(later) - self._value(earlier)) & 0xFFFF_FFFF

    def _value(self, nonce: int) -> int:
        if self._little_endian:
            return int.from_bytes(nonce.to_bytes(4, "big"), "little")
        return nonce

    def _insert(self, value: int) -> NonceOutcome:
        firsts, lasts = self._firsts, self._lasts
        at = bisect_right(firsts, value)  # the range to the right
        if at and value <= lasts[at - 1]:
            return NonceOutcome.USED
        joins_left = at > 0 and lasts[at - 1] + 1 == value
        joins_right = at < len(firsts) and firsts[at] == value + 1
        if joins_left and joins_right:
            lasts[at - 1] = lasts[at]
            del firsts[at], lasts[at]
        elif joins_left:
            lasts[at - 1] = value
        elif joins_right:
            firsts[at] = value
        elif len(firsts) >= MAX_RANGES and not self._close_oldest_gap():
            return NonceOutcome.SCATTERED
        else:
            at = bisect_right(firsts, value)
            if at and value <= lasts[at - 1]:
                return NonceOutcome.USED  # in the gap that was just closed
            firsts.insert(at, value)
            lasts.insert(at, value)
            if len(firsts) >= _SUSPICIOUS and not self._order_settled:
                self._settle_byte_order()
        return NonceOutcome.FRESH

    def _close_oldest_gap(self) -> bool:
        if self._firsts[1] - self._lasts[0] - 1 > MAX_CLOSED_GAP:
            return False
        del self._firsts[1], self._lasts[0]
        return True

    def _settle_byte_order(self) -> None:
        """Read all nonces in the other byte order, if they make fewer ranges there."""
        self._order_settled = True
        if any(first != last for first, last in zip(self._firsts, self._lasts, strict=True)):
            return  # some follow each other: this order is right, and gaps are gaps
        other = NonceLog()
        other._order_settled = True
        for value in self._firsts:
            other.add(int.from_bytes(value.to_bytes(4, "big"), "little"))
        if 2 * other.ranges < len(self._firsts):
            self._firsts, self._lasts = other._firsts, other._lasts
            self._little_endian = True
