"""Lateness on the wire: the kernel's time stamps at a receiver against the deadlines of streams."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["ClockOffset", "lateness", "quantiles"]

#: A packet in the log of `voicekit.net._relay.Relay`.
ARRIVAL = np.dtype([("realtime", "i8"), ("ssrc", "u4"), ("sequence", "u2"), ("size", "u2")])
PERIOD = 20_000_000
QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


class ClockOffset:
    """CLOCK_REALTIME minus CLOCK_MONOTONIC: at the start, and at the end, when it has moved."""

    def __init__(self) -> None:
        self._first = _offset()

    def monotonic(self, realtime: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Convert nanoseconds, on a straight line between the first offset and the one now."""
        (begin, before), (end, after) = self._first, _offset()
        rough = realtime - before
        drift = (after - before) / max(end - begin, 1)
        moved: npt.NDArray[np.int64] = rough - ((rough - begin) * drift).astype(np.int64)
        return moved


def _offset() -> tuple[int, int]:
    """Return the monotonic time and the offset at it: of many readings the least disturbed."""
    readings = []
    for _ in range(50):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        readings.append((after - before, (before + after) // 2, wall))
    _, middle, wall = min(readings)
    return middle, wall - middle


def lateness(
    log: bytes,
    deadlines: Mapping[int, Sequence[int | None]],
    clock: ClockOffset,
    window: Sequence[int] | None = None,
) -> npt.NDArray[np.int64]:
    """Return the lateness in nanoseconds of every packet in ``log`` whose stream is known.

    ``deadlines``: SSRC to the sequence number of the first packet (None: of the first that came
    when it was due) and its deadline (`time.monotonic_ns`). ``window``: only what came from when
    to when. Packet n of a stream is due at that deadline plus n times 20 ms, whatever became of
    those before: a stream that is moved once is late ever after.
    """
    arrivals = np.frombuffer(log, ARRIVAL)
    order = np.argsort(arrivals["ssrc"], kind="stable")
    arrivals = arrivals[order]
    when = clock.monotonic(arrivals["realtime"])
    sources, starts = np.unique(arrivals["ssrc"], return_index=True)
    found = [np.empty(0, np.int64)]
    ends = np.append(starts, len(arrivals))[1:]
    for source, begin, end in zip(sources.tolist(), starts, ends, strict=True):
        if source not in deadlines:
            continue
        first, deadline = deadlines[source]
        assert deadline is not None
        if first is None:  # what came before the deadline is of an earlier stream of the source
            begin += int(np.count_nonzero(when[begin:end] < deadline - PERIOD // 2))
            if begin == end:
                continue
        numbers = arrivals["sequence"][begin:end].astype(np.int64)
        steps = np.diff(numbers, prepend=numbers[0] if first is None else first)
        numbers = np.cumsum((steps + 0x8000) % 0x10000 - 0x8000)  # they wrap at 16 bits
        late = when[begin:end] - (deadline + numbers * PERIOD)
        if window is not None:
            late = late[(when[begin:end] >= window[0]) & (when[begin:end] < window[1])]
        found.append(late)
    return np.concatenate(found)


def quantiles(late: npt.NDArray[np.int64]) -> dict[str, float]:
    """Return p50, p99, p99.9 and max in milliseconds, and the number of packets."""
    if not len(late):
        return {"packets": 0.0}
    figures = np.quantile(late, list(QUANTILES.values())) / 1e6
    return {name: float(ms) for name, ms in zip(QUANTILES, figures, strict=True)} | {
        "packets": float(len(late))
    }
