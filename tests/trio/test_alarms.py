"""One task that minds the clock for all machines of a trio run."""

import math
from collections.abc import Awaitable, Callable

import trio
import trio.lowlevel
from trio.testing import MockClock

from voicekit.trio.alarms import Alarm, Alarms, alarms


def run(use: Callable[[Alarms], Awaitable[None]]) -> None:
    async def main() -> None:
        before = trio.lowlevel.current_statistics().tasks_living
        await use(alarms())
        await trio.sleep(1)
        assert trio.lowlevel.current_statistics().tasks_living == before

    trio.run(main, clock=MockClock(autojump_threshold=0))


class Rung:
    """Notes when its alarm rang."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.failures: list[Exception] = []
        self.alarm = Alarm(self.ring, self.failures.append)

    def ring(self) -> None:
        self.times.append(trio.current_time())


def test_each_rings_once_when_it_is_due_and_in_order() -> None:
    async def use(clock: Alarms) -> None:
        order: list[int] = []
        start = trio.current_time()
        made = [Alarm(lambda n=n: order.append(n), print) for n in range(3)]  # type: ignore[misc]
        for number, after in enumerate((3.0, 1.0, 2.0)):
            clock.enter()
            clock.set(made[number], start + after)
        await trio.sleep(2.5)
        assert order == [1, 2]
        await trio.sleep(10)
        assert order == [1, 2, 0]
        assert all(math.isinf(alarm.due) for alarm in made)
        for alarm in made:
            clock.leave(alarm)

    run(use)


def test_the_earlier_of_two_times_counts_and_the_later_one_is_forgotten() -> None:
    async def use(clock: Alarms) -> None:
        rung, start = Rung(), trio.current_time()
        clock.enter()
        clock.set(rung.alarm, start + 5)
        clock.set(rung.alarm, start + 1)
        clock.set(rung.alarm, start + 3)
        await trio.sleep(10)
        assert rung.times == [start + 1]
        clock.leave(rung.alarm)

    run(use)


def test_one_that_is_due_already_rings_soon_and_may_set_itself_again() -> None:
    async def use(clock: Alarms) -> None:
        rung, start = Rung(), trio.current_time()

        def again() -> None:
            rung.ring()
            if len(rung.times) < 5:
                clock.set(alarm, start - 1)

        alarm = Alarm(again, print)
        clock.enter()
        clock.set(alarm, start)
        await trio.sleep(1)
        assert rung.times == [start] * 5
        clock.leave(alarm)

    run(use)


def test_one_that_left_does_not_ring_and_the_others_do() -> None:
    async def use(clock: Alarms) -> None:
        gone, stays = Rung(), Rung()
        start = trio.current_time()
        for rung in (gone, stays):
            clock.enter()
            clock.set(rung.alarm, start + 1)
        clock.leave(gone.alarm)
        await trio.sleep(2)
        assert (gone.times, stays.times) == ([], [start + 1])
        clock.leave(stays.alarm)
        clock.enter()
        clock.set(stays.alarm, start + 3)
        await trio.sleep(2)
        assert stays.times == [start + 1, start + 3]
        clock.leave(stays.alarm)

    run(use)


def test_what_one_raises_is_its_own_affair() -> None:
    async def use(clock: Alarms) -> None:
        error = ZeroDivisionError("a bug")

        def broken() -> None:
            raise error

        failures: list[Exception] = []
        one, other = Alarm(broken, failures.append), Rung()
        start = trio.current_time()
        for alarm in (one, other.alarm):
            clock.enter()
            clock.set(alarm, start + 1)
        await trio.sleep(2)
        assert failures == [error]
        assert other.times == [start + 1]
        clock.leave(one)
        clock.leave(other.alarm)

    run(use)
