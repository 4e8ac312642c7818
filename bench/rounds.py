"""Interleaved rounds: what is compared is measured in turns, so that both see the same machine.

A machine that is busy, or that changes its clock, changes it for minutes: one thing measured
after the other would be two machines. Here each round runs everything once, for a few
milliseconds each, and every other round in the opposite order. Of many such rounds the minimum
is what the code costs when nothing disturbs it, the median what it costs here, and the spread
says how far to believe either.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from timeit import Timer

__all__ = ["Timing", "Work", "batched", "consuming", "interleave", "statement"]

#: Does something ``n`` times; returns the seconds it took, preparations left out.
Work = Callable[[int], float]

#: Enough to measure something of a microsecond in 0.1 ms, the first guess at `n`.
FIRST_GUESS = 100


@dataclass(frozen=True)
class Timing:
    """Seconds per repetition, one figure for each round."""

    rounds: tuple[float, ...]

    @property
    def minimum(self) -> float:
        return min(self.rounds)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """The middle half of all rounds, as a part of the median."""
        if len(self.rounds) < 2 or not self.median:
            return 0.0
        low, _, high = statistics.quantiles(self.rounds, n=4)
        return (high - low) / self.median

    def __add__(self, other: "Timing") -> "Timing":
        """Both, one after the other, round by round."""
        return Timing(tuple(a + b for a, b in zip(self.rounds, other.rounds, strict=True)))


def interleave(
    work: Mapping[str, Work], *, rounds: int, seconds: float, most: int = 1_000_000
) -> dict[str, Timing]:
    """Measure each of ``work`` in ``rounds`` turns of about ``seconds`` each.

    ``most`` bounds the repetitions of one turn, for work that needs memory for each.
    """
    collecting = gc.isenabled()
    gc.disable()  # a collection would land on whoever is measured when it is due
    try:
        repetitions = {name: _calibrate(run, seconds, most) for name, run in work.items()}
        figures: dict[str, list[float]] = {name: [] for name in work}
        for turn in range(rounds):
            order = list(work) if turn % 2 == 0 else list(reversed(list(work)))
            for name in order:
                n = repetitions[name]
                figures[name].append(work[name](n) / n)
            gc.collect(0)
    finally:
        if collecting:
            gc.enable()
    return {name: Timing(tuple(found)) for name, found in figures.items()}


def _calibrate(run: Work, seconds: float, most: int) -> int:
    """Find how many repetitions take about ``seconds``; also warms caches up."""
    if most == 1:
        return 1
    n = min(FIRST_GUESS, most)
    run(n)
    took = min(run(n), run(n)) / n
    return max(1, min(most, round(seconds / max(took, 1e-9))))


def statement(code: str, **names: object) -> Work:
    """Return the work of a statement in Python, as a user would write it, over ``names``.

    The loop around it is `timeit`'s: about 5 ns a turn, which nobody is spared.
    """
    timer = Timer(code, globals=names, timer=time.perf_counter)
    return timer.timeit


def consuming(make: Callable[[int], Iterable[object]], code: str, **names: object) -> Work:
    """Return the work of a statement that needs something new each time, called ``item``.

    ``make(n)`` makes that many of them; what that takes is not measured.
    """
    timer = Timer(f"for item in items:\n    {code}", globals=names, timer=time.perf_counter)

    def work(n: int) -> float:
        names["items"] = make(n)
        return timer.timeit(1)

    return work


def batched(run: Work, size: int) -> Work:
    """Return the work of one, of ``run`` that does ``size`` of them each time."""

    def work(n: int) -> float:
        times = max(1, round(n / size))
        return run(times) * n / (times * size)

    return work
