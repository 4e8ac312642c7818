"""The loop around a machine: alarms, and exceptions that come out bare."""

import math

import pytest
import trio
from trio.testing import MockClock

from voicekit.trio.pump import Engine, beside


class Alarms:
    """A machine that is due at given times and notes when it was called."""

    def __init__(self, *times: float) -> None:
        self.times = sorted(times)
        self.called: list[float] = []

    def poll(self) -> object | None:
        return None

    def next_timeout(self) -> float | None:
        return self.times[0] if self.times else None

    def handle_timeout(self, now: float) -> None:
        while self.times and self.times[0] <= now:
            self.times.pop(0)
            self.called.append(now)


class AlarmEngine(Engine):
    def __init__(self, machine: Alarms) -> None:
        super().__init__(machine, lambda event: None)

    def _start(self, now: float) -> None:
        pass


def run_for(seconds: float, machine: Alarms, *later: tuple[float, float]) -> list[float]:
    """Run on a mock clock; each of ``later`` adds (at, an alarm)."""

    async def main() -> None:
        engine = AlarmEngine(machine)
        async with beside(engine.run):
            for at, alarm in later:
                await trio.sleep_until(at)
                machine.times = sorted([*machine.times, alarm])
                engine.drain()
            await trio.sleep_until(seconds)
            engine.scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return machine.called


def test_the_machine_is_called_when_it_is_due() -> None:
    assert run_for(10, Alarms(1, 2.5, 7)) == [1, 2.5, 7]


def test_an_earlier_alarm_that_a_mutation_sets_is_not_missed() -> None:
    assert run_for(10, Alarms(9), (1, 2.0)) == [2, 9]


def test_an_alarm_that_was_put_off_is_kept_all_the_same() -> None:
    machine = Alarms(3)

    async def main() -> None:
        engine = AlarmEngine(machine)
        async with beside(engine.run):
            await trio.sleep(1)
            machine.times = [5.0]
            engine.drain()
            await trio.sleep(9)
            engine.scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert machine.called == [5]


def test_a_machine_without_an_alarm_sleeps_until_it_has_one() -> None:
    assert run_for(10, Alarms(), (4, 6.0)) == [6]


def test_an_engine_outlives_the_cancellation_of_its_owner_until_it_is_told() -> None:
    machine = Alarms(2)

    async def main() -> None:
        engine = AlarmEngine(machine)
        with trio.move_on_after(1):
            async with beside(engine.run):
                try:
                    await trio.sleep_forever()
                finally:
                    with trio.CancelScope(shield=True):
                        await trio.sleep(2)
                    engine.scope.cancel()
        assert engine.finished.is_set()
        assert trio.current_time() == 3

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert machine.called == [2]


def test_an_engine_that_is_cancelled_before_it_began_ends() -> None:
    async def main() -> None:
        engine = AlarmEngine(Alarms())
        engine.scope.cancel()
        await engine.run()
        assert engine.finished.is_set()

    trio.run(main)


async def idle() -> None:
    await trio.sleep_forever()


def test_what_the_block_raises_comes_out_as_it_is() -> None:
    error = ValueError("mine")

    async def main() -> None:
        async with beside(idle):
            raise error

    with pytest.raises(ValueError, match="mine") as caught:
        trio.run(main)
    assert caught.value is error


def test_a_group_of_the_users_own_stays_a_group() -> None:
    group = ExceptionGroup("mine", [ValueError(), KeyError()])

    async def main() -> None:
        async with beside(idle):
            raise group

    with pytest.raises(ExceptionGroup) as caught:
        trio.run(main)
    assert caught.value is group


@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration, KeyboardInterrupt, SystemExit])
def test_awkward_exceptions_come_out_too(kind: type[BaseException]) -> None:
    async def main() -> None:
        async with beside(idle):
            raise kind

    with pytest.raises((kind, RuntimeError)) as caught:
        trio.run(main)
    assert kind in (type(caught.value), type(caught.value.__cause__))


def test_what_the_task_raises_comes_out_bare_and_cancels_the_block() -> None:
    async def fail() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_deeper)
            await trio.sleep_forever()

    async def fail_deeper() -> None:
        raise LookupError("a bug")

    async def main() -> None:
        async with beside(fail):
            await trio.sleep(math.inf)

    with pytest.raises(LookupError, match="a bug"):
        trio.run(main)


def test_an_error_of_the_block_is_not_lost_in_a_cancellation() -> None:
    async def stubborn() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    async def main() -> None:
        with trio.move_on_after(0.5) as scope, pytest.raises(ValueError, match="mine"):
            async with beside(stubborn):
                raise ValueError("mine")
        assert scope.cancel_called

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_cancelling_from_outside_reaches_the_scope_it_belongs_to() -> None:
    async def main() -> None:
        with trio.move_on_after(1) as scope:
            async with beside(idle):
                await trio.sleep_forever()
        assert scope.cancelled_caught

    trio.run(main, clock=MockClock(autojump_threshold=0))
