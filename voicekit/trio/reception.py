"""One task that receives for all calls of a trio run."""

from collections.abc import Callable
from typing import Any

import trio

from ..driver import reception as common
from ..driver.reception import RECEIVE_TICK
from ..net import DatagramBatch, Poller
from .loop import LOOP
from .network import Datagrams

__all__ = ["Reception", "reception"]


class Reception(common.Reception[Datagrams]):
    """Waits in a task of its own, which runs while there is a socket to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._task_scope = trio.CancelScope()

    async def receive_from(
        self, sock: Datagrams, receive: Callable[[DatagramBatch], object]
    ) -> None:
        """Do in the caller's task what `watch` does. `OSError` when the socket breaks."""
        while True:
            await sock.wait_readable()
            if sock.receive_batch(self._batch):
                receive(self._batch)

    def _begin(self, poller: Poller[Any]) -> None:
        self._task_scope = trio.CancelScope()
        trio.lowlevel.spawn_system_task(self._run, poller, self._task_scope)

    def _end(self, poller: Poller[Any]) -> None:
        self._task_scope.cancel()

    async def _run(self, poller: Poller[Any], scope: trio.CancelScope) -> None:
        try:
            with scope:
                while True:
                    await trio.lowlevel.wait_readable(poller.fileno())
                    if not self._receive(poller):
                        await trio.sleep(RECEIVE_TICK)
        finally:
            poller.close()


def reception() -> Reception:
    """Return the one of this trio run."""
    return LOOP.only(Reception)
