"""How late frames left: a histogram of fixed size, however long the call."""

from array import array

__all__ = ["Lateness"]

#: Width of a bucket and where the last one begins, in microseconds. A tenth of a second is
#: beyond every jitter buffer: what is later is only counted, and the maximum kept.
_STEP = 10
_LIMIT = 100_000


class Lateness:
    """Seconds between when a frame was due and when its send call returned."""

    def __init__(self) -> None:
        self.count = 0
        self.max = 0.0
        self._buckets = array("Q", bytes(8 * (_LIMIT // _STEP + 1)))

    def add(self, seconds: float) -> None:
        """Count one frame; early ones count as punctual."""
        self.count += 1
        self.max = max(self.max, seconds)
        microseconds = min(max(int(seconds * 1e6), 0), _LIMIT)
        self._buckets[microseconds // _STEP] += 1

    def quantile(self, share: float) -> float:
        """Return the lateness in seconds that ``share`` of all frames did not exceed."""
        wanted = share * self.count
        below = 0
        for index, number in enumerate(self._buckets):
            below += number
            if below >= wanted and below:
                return min((index + 1) * _STEP / 1e6, self.max)
        return self.max
