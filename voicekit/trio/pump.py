"""A sans-I/O machine in tasks of its own, and a task beside a block."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio

from ..driver.pump import Machine, Pump
from .alarms import Alarm, Alarms, alarms
from .loop import LOOP, Occasion

__all__ = ["Engine", "beside"]

R = TypeVar("R")


class Engine(Pump):
    """Runs one machine in tasks of its own, shielded from the cancellation of its owner.

    The shield is what lets a cancelled owner leave properly: it decides when the engine
    ends, by ``scope.cancel()``, and must always do so.
    """

    loop = LOOP

    def __init__(self, machine: Machine, handle_event: Callable[[Any], object]) -> None:
        super().__init__(machine, handle_event)
        self.scope = trio.CancelScope(shield=True)
        self.started = Occasion()
        self.finished = Occasion()
        self._alarm = Alarm(self._ring, self._fail)
        self._alarms: Alarms | None = None  # while it runs
        self._nursery: trio.Nursery
        self._early: list[tuple[Any, ...]] = []  # tasks from before it runs

    def _start(self, now: float) -> None:
        """Make the machine's first mutation."""
        raise NotImplementedError

    def _stop(self) -> None:
        """Close what no task closes. No task runs any more."""

    # KeyboardInterrupt belongs to the owner, who then leaves properly; inside a mutation
    # it would tear the machine.
    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Run until ``scope`` is cancelled. Whatever raises here is a bug, and comes out bare."""
        try:
            with self.scope:
                async with trio.open_nursery() as self._nursery:
                    self._alarms = alarms()
                    self._alarms.enter()
                    self._start(trio.current_time())
                    self.drain()
                    self.started.set()
                    for task in self._early:
                        self._nursery.start_soon(*task)
                    await trio.sleep_forever()
        except BaseExceptionGroup as group:
            raise _bare(group) from None
        finally:
            if self._alarms is not None:
                self._alarms.leave(self._alarm)
                self._alarms = None
            self._stop()
            self.finished.set()

    @trio.lowlevel.enable_ki_protection
    def call(self, mutate: Callable[..., R], *arguments: object) -> R:
        """Call a mutator of the machine for a user, with the time; then `drain`."""
        return super().call(mutate, *arguments)

    def _set_alarm(self) -> None:
        if self._alarms is not None:
            due = self._machine.next_timeout()
            if due is not None:
                self._alarms.set(self._alarm, due)

    def run_beside(self, task: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Run a task beside the machine, no longer than that."""
        if self.started.is_set():
            self._nursery.start_soon(task, *args)
        else:
            self._early.append((task, *args))

    def _fail(self, error: Exception) -> None:
        """End this machine by a bug that showed where others are served, too."""
        self._nursery.start_soon(_raise, error)


@asynccontextmanager
async def beside(task: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Run ``task`` beside the block and cancel it after. What either raises comes out bare."""
    raised: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(task)
            # What the block raises goes around the nursery, which would wrap it.
            try:
                yield
            except BaseException as error:
                raised = error
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        cause = _bare(group)
        if raised is None or not isinstance(cause, trio.Cancelled):
            raised = cause
    try:
        if raised is not None:
            raise raised
    finally:
        del raised  # its traceback holds this frame


async def _raise(error: Exception) -> None:
    raise error


def _bare(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what a nursery's group is about: the first exception that is no `Cancelled`."""
    found: BaseException = group
    for error in _leaves(group):
        if not isinstance(error, trio.Cancelled):
            return error
        found = error
    return found


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves
