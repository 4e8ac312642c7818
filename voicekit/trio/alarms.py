"""One task that minds the clock for all machines of a trio run.

A task of its own for each that sleeps until its machine is due costs fifty microseconds each time
it wakes, most of them for the `trio.Cancelled` that ends the sleep; thousands of calls that
listen wake five times a second each.
"""

import heapq
import math
from collections.abc import Callable

import trio

from .loop import LOOP

__all__ = ["Alarm", "Alarms", "alarms"]


class Alarm:
    """Calls ``ring`` when it is due; what that raises goes to ``fail``. Both return at once."""

    __slots__ = ("due", "fail", "ring")

    def __init__(self, ring: Callable[[], object], fail: Callable[[Exception], object]) -> None:
        self.ring = ring
        self.fail = fail
        #: `trio.current_time`; infinity: not set.
        self.due = math.inf


class Alarms:
    """All alarms of one trio run. Its task runs while there is one."""

    def __init__(self) -> None:
        # Moved and removed alarms leave entries behind, which are known by another time.
        self._heap: list[tuple[float, int, Alarm]] = []
        self._set = 0  # breaks ties: first set, first rung
        self._users = 0
        self._sleep = trio.CancelScope()
        self._task_scope = trio.CancelScope()

    def enter(self) -> None:
        """Keep the task running for one more user, until `leave`."""
        self._users += 1
        if self._users == 1:
            self._task_scope = trio.CancelScope()
            trio.lowlevel.spawn_system_task(self._run, self._task_scope)

    def leave(self, alarm: Alarm) -> None:
        """Never ring it again."""
        alarm.due = math.inf
        self._users -= 1
        if self._users == 0:
            self._heap.clear()
            self._task_scope.cancel()

    def set(self, alarm: Alarm, due: float) -> None:
        """Ring at ``due``, if it would not ring before.

        One that rings too early costs less than moving it with every datagram.
        """
        if due < alarm.due:
            alarm.due = due
            self._set += 1
            heapq.heappush(self._heap, (due, self._set, alarm))
            if due < self._sleep.deadline:
                self._sleep.deadline = due

    async def _run(self, scope: trio.CancelScope) -> None:
        with scope:
            while True:
                deadline = self._heap[0][0] if self._heap else math.inf
                with trio.CancelScope(deadline=deadline) as self._sleep:
                    await trio.sleep_forever()
                self._ring(trio.current_time())

    def _ring(self, now: float) -> None:
        # What is set meanwhile has its turn after other tasks had theirs.
        last = self._set
        while self._heap and self._heap[0][0] <= now and self._heap[0][1] <= last:
            due, _, alarm = heapq.heappop(self._heap)
            if due != alarm.due:
                continue
            alarm.due = math.inf
            try:
                alarm.ring()
            except Exception as error:
                alarm.fail(error)


def alarms() -> Alarms:
    """Return those of this trio run."""
    return LOOP.only(Alarms)
