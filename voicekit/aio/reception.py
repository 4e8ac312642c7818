"""What comes in for all calls of one event loop of asyncio."""

import asyncio
from collections.abc import Callable
from typing import Any

from ..driver import reception as common
from ..driver.reception import RECEIVE_TICK
from ..net import DatagramBatch, Poller, drain
from .loop import LOOP, can_add_reader
from .network import Datagrams

__all__ = ["Reception", "reception"]


class Reception(common.Reception[Datagrams]):
    """Waits with `add_reader`: for one poller, or for each socket where there is none.

    Windows' Proactor loop has no `add_reader`: there each call waits in a task of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self._timer: asyncio.TimerHandle | None = None
        self._alone: set[int] = set()

    @property
    def can_watch(self) -> bool:
        """Whether the event loop calls us when there is something to read."""
        return can_add_reader()

    def watch(
        self,
        fd: int,
        receive: Callable[[DatagramBatch], object],
        fail: Callable[[Exception], object],
    ) -> None:
        """Call ``receive`` with what comes to the socket ``fd``, until `forget`."""
        if super().can_watch:
            super().watch(fd, receive, fail)
        else:
            self._alone.add(fd)
            asyncio.get_running_loop().add_reader(fd, self._receive_one, fd, receive, fail)

    def forget(self, fd: int) -> None:
        """Watch it no more: before it is closed, since its number may soon be another's."""
        if fd in self._alone:
            self._alone.discard(fd)
            asyncio.get_running_loop().remove_reader(fd)
        else:
            super().forget(fd)

    def receive_waiting(self, sock: Datagrams, receive: Callable[[DatagramBatch], object]) -> None:
        """Receive what a socket has now, unless the event loop reads it for a task.

        Then a datagram may be on its way to that task, and those behind it would overtake it.
        """
        if self.can_watch or sock.fileno() < 0:
            super().receive_waiting(sock, receive)

    async def receive_from(
        self, sock: Datagrams, receive: Callable[[DatagramBatch], object]
    ) -> None:
        """Do in the caller's task what `watch` does. `OSError` when the socket breaks."""
        batch = DatagramBatch(1)
        while True:
            await sock.wait_batch(batch)
            receive(batch)

    def _begin(self, poller: Poller[Any]) -> None:
        asyncio.get_running_loop().add_reader(poller.fileno(), self._round, poller)

    def _end(self, poller: Poller[Any]) -> None:
        asyncio.get_running_loop().remove_reader(poller.fileno())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        poller.close()

    def _round(self, poller: Poller[Any]) -> None:
        if self._receive(poller) or self._poller is not poller:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(poller.fileno())
        self._timer = loop.call_later(RECEIVE_TICK, self._begin, poller)

    def _receive_one(
        self,
        fd: int,
        receive: Callable[[DatagramBatch], object],
        fail: Callable[[Exception], object],
    ) -> None:
        try:
            if drain(fd, self._batch):
                receive(self._batch)
        except Exception as error:
            if fd in self._alone:
                self.forget(fd)
            fail(error)


def reception() -> Reception:
    """Return the one of this event loop."""
    return LOOP.only(Reception)
