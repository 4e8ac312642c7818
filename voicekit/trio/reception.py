"""One task that receives for all calls of a trio run."""

from collections.abc import Callable
from typing import NamedTuple

import trio

from ..net import DatagramBatch, Poller, drain
from .network import Datagrams

__all__ = ["Reception", "reception"]

#: After a round of receiving the next one waits this long (seconds), so that a busy process
#: wakes up at most a thousand times a second, whatever comes in: interrupt moderation, as
#: network cards do it. A jitter buffer is sixty times as long.
RECEIVE_TICK = 0.001
#: Sockets that are received from in one go, before other tasks have their turn: a fraction
#: of a millisecond with a datagram each.
ROUND = 64
#: Datagrams taken from one socket before the next has its turn.
CAPACITY = 64


class _Watched(NamedTuple):
    fd: int
    receive: Callable[[DatagramBatch], object]
    fail: Callable[[Exception], object]


class Reception:
    """Waits for many sockets as if they were one, and hands each what came.

    Its task runs while there is a socket to wait for.
    """

    def __init__(self) -> None:
        # One for all: what comes is used up before the next socket has its turn.
        self._batch = DatagramBatch(CAPACITY)
        self._watched: dict[int, _Watched] = {}
        self._poller: Poller[_Watched] | None = None
        self._task_scope = trio.CancelScope()

    def watch(
        self,
        fd: int,
        receive: Callable[[DatagramBatch], object],
        fail: Callable[[Exception], object],
    ) -> None:
        """Call ``receive`` with what comes to the socket ``fd``, until `forget`.

        The batch is lent for the call. Where receiving raises, ``fail`` is called with it,
        and the socket is forgotten.
        """
        if self._poller is None:
            self._poller = Poller()
            self._task_scope = trio.CancelScope()
            trio.lowlevel.spawn_system_task(self._run, self._poller, self._task_scope)
        watched = _Watched(fd, receive, fail)
        self._poller.add(fd, watched)
        self._watched[fd] = watched

    def forget(self, fd: int) -> None:
        """Watch it no more: before it is closed, since its number may soon be another's."""
        del self._watched[fd]
        assert self._poller is not None
        self._poller.remove(fd)
        if not self._watched:
            self._poller = None
            self._task_scope.cancel()

    async def receive_from(
        self, sock: Datagrams, receive: Callable[[DatagramBatch], object]
    ) -> None:
        """Do in the caller's task what `watch` does, for whatever can not be watched.

        Never returns; `OSError` when the socket breaks.
        """
        while True:
            await sock.wait_readable()
            if sock.receive_batch(self._batch):
                receive(self._batch)

    def receive_waiting(self, sock: Datagrams, receive: Callable[[DatagramBatch], object]) -> None:
        """Receive what a socket that is watched has now."""
        try:
            if sock.receive_batch(self._batch):
                receive(self._batch)
        except OSError:
            pass  # whoever watches it is told as well

    async def _run(self, poller: Poller[_Watched], scope: trio.CancelScope) -> None:
        try:
            with scope:
                while True:
                    await trio.lowlevel.wait_readable(poller.fileno())
                    if not self._receive(poller):
                        await trio.sleep(RECEIVE_TICK)
        finally:
            poller.close()

    def _receive(self, poller: Poller[_Watched]) -> bool:
        """Receive once from each socket; return whether there is more at once."""
        batch, still_watched = self._batch, self._watched
        ready = poller.ready(ROUND)
        more = len(ready) == ROUND
        for watched in ready:
            fd, receive, fail = watched
            # One that came before it may have closed it, and its number be another's now.
            if still_watched.get(fd) is not watched:
                continue
            try:
                count = drain(fd, batch)
                if count:
                    receive(batch)
            except Exception as error:
                if still_watched.get(fd) is watched:
                    self.forget(fd)
                fail(error)
            else:
                more = more or count == CAPACITY
        return more


_reception: trio.lowlevel.RunVar[Reception] = trio.lowlevel.RunVar("voicekit.trio.reception")


def reception() -> Reception:
    """Return the one of this trio run."""
    try:
        return _reception.get()
    except LookupError:
        made = Reception()
        _reception.set(made)
        return made
