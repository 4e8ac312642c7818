"""Callbacks on a clock that is only ever told the time."""

import heapq
from collections.abc import Callable

__all__ = ["Timer", "Timers"]


class Timer:
    """One callback to come. `cancel` may be called at any time, also after it ran."""

    __slots__ = ("_timers", "callback", "when")

    def __init__(self, timers: "Timers", when: float, callback: Callable[[float], None]) -> None:
        self._timers = timers
        self.when = when
        self.callback: Callable[[float], None] | None = callback

    def cancel(self) -> None:
        """Never call the callback."""
        if self.callback is not None:
            self.callback = None
            self._timers.forget()


class Timers:
    """All timers of a server: one heap. Cancelled ones are swept when they are the most."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = 0  # breaks ties: first armed, first called
        self._cancelled = 0

    def call_at(self, when: float, callback: Callable[[float], None]) -> Timer:
        """Call ``callback(now)`` in the first `run` from ``when`` on."""
        timer = Timer(self, when, callback)
        self._order += 1
        heapq.heappush(self._heap, (when, self._order, timer))
        return timer

    def next_timeout(self) -> float | None:
        """Return when the next callback is due; None: there is none."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def run(self, now: float) -> None:
        """Call what is due, in order. What that arms waits for the next `run`."""
        last = self._order
        again: list[tuple[float, int, Timer]] = []
        while (when := self.next_timeout()) is not None and when <= now:
            entry = heapq.heappop(self._heap)
            if entry[1] > last:
                again.append(entry)
                continue
            callback, entry[2].callback = entry[2].callback, None
            assert callback is not None
            callback(now)
        for entry in again:
            if entry[2].callback is None:
                self._cancelled -= 1
            else:
                heapq.heappush(self._heap, entry)

    def clear(self) -> None:
        """Forget all callbacks."""
        for _, _, timer in self._heap:
            timer.callback = None
        self._heap.clear()
        self._cancelled = 0

    def forget(self) -> None:
        """Count one cancelled timer."""
        self._cancelled += 1
        if self._cancelled > 64 and 2 * self._cancelled > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0
