"""One task that looks after the pacer's streams of all calls of a trio run."""

import trio

from ..driver import feeder
from ..driver.feeder import FEED_TICK
from ..pacer import Notifier

__all__ = ["Feeder"]


class Feeder(feeder.Feeder):
    """Waits in a task of its own, which runs while there is a stream."""

    def __init__(self) -> None:
        super().__init__()
        self._task_scope = trio.CancelScope()

    def _begin(self, notifier: Notifier) -> None:
        self._task_scope = trio.CancelScope()
        trio.lowlevel.spawn_system_task(self._run, notifier, self._task_scope)

    def _end(self, notifier: Notifier) -> None:
        self._task_scope.cancel()

    async def _run(self, notifier: Notifier, scope: trio.CancelScope) -> None:
        with notifier, scope:
            while True:
                await trio.lowlevel.wait_readable(notifier.fileno())
                self._serve(notifier)
                await trio.sleep(FEED_TICK)
