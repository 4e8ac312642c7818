"""A sans-I/O machine on an event loop of asyncio: its timer, its tasks, and how it ends."""

import asyncio
import math
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from ..driver.pump import Machine, Pump
from .loop import LOOP

__all__ = ["Engine", "outlast"]


class Engine(Pump):
    """Runs one machine, from `begin` until `close`."""

    loop = LOOP

    def __init__(self, machine: Machine, handle_event: Callable[[Any], object]) -> None:
        super().__init__(machine, handle_event)
        self._event_loop = asyncio.get_running_loop()
        #: Done when the machine is to end; with an exception where a bug has ended it.
        self.over: asyncio.Future[None] = self._event_loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf
        self._runs = False
        self._tasks: set[asyncio.Task[None]] = set()

    @abstractmethod
    def _start(self, now: float) -> None:
        """Make the machine's first mutation."""

    @abstractmethod
    def _stop(self) -> None:
        """Close what no task closes. No task runs any more."""

    def begin(self) -> None:
        """Start the machine."""
        self._runs = True
        self._start(self.loop.now())
        self.drain()

    async def close(self) -> None:
        """End the tasks and the timer. The machine may be called on, and nobody minds it."""
        self._runs = False
        if self._timer is not None:
            self._timer.cancel()
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
        self._stop()

    @property
    def has_failed(self) -> bool:
        """Whether a bug has ended it."""
        over = self.over
        return over.done() and not over.cancelled() and over.exception() is not None

    def end(self) -> None:
        """Let `over` be done. Idempotent."""
        if not self.over.done():
            self.over.set_result(None)

    def _fail(self, error: Exception) -> None:
        if not self.over.done():
            self.over.set_exception(error)

    def run_beside(self, task: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Run a task beside the machine, no longer than that. What it raises is a bug."""
        self._spawn(task, *args)

    def _spawn(self, work: Callable[..., Awaitable[object]], *args: Any) -> asyncio.Task[None]:
        task = self._event_loop.create_task(_run(work, *args))
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._fail(error)

    def _set_alarm(self) -> None:
        due = self._machine.next_timeout()
        if due is not None and due < self._due and self._runs:
            if self._timer is not None:
                self._timer.cancel()
            self._due = due
            self._timer = self._event_loop.call_at(due, self._alarm)

    def _alarm(self) -> None:
        due, self._due, self._timer = self._due, math.inf, None
        try:
            self._ring(due)
        except Exception as error:
            self._fail(error)


async def _run(work: Callable[..., Awaitable[object]], *args: Any) -> None:
    await work(*args)


async def outlast(task: asyncio.Future[Any]) -> None:
    """Wait for the end of a task or future, also when cancelled: that comes out afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
