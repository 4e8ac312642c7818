"""What comes in for all calls of an event loop: many sockets, waited for as if they were one."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from ..net import DatagramBatch, Poller, drain

__all__ = ["CAPACITY", "RECEIVE_TICK", "ROUND", "Reception", "Socket"]

#: After a round of receiving the next one waits this long (seconds), so that a busy process
#: wakes up at most a thousand times a second, whatever comes in: interrupt moderation, as
#: network cards do it. A jitter buffer is sixty times as long.
RECEIVE_TICK = 0.001
#: Sockets that are received from in one go, before other tasks have their turn: a fraction
#: of a millisecond with a datagram each.
ROUND = 64
#: Datagrams taken from one socket before the next has its turn.
CAPACITY = 64


class Socket(Protocol):
    """A connected datagram socket that sends without waiting."""

    def send(self, data: bytes) -> bool:
        """Send to the connected peer; False: lost already here, as datagrams may be."""

    def receive_batch(self, batch: DatagramBatch) -> int:
        """Replace what is in ``batch`` by what waits here, and return how many.

        `OSError`: the socket broke.
        """

    def fileno(self) -> int:
        """Return the operating system's number of it; below 0: it has none."""

    def close(self) -> None:
        """Close it."""


S = TypeVar("S", bound=Socket)


class _Watched(NamedTuple):
    fd: int
    receive: Callable[[DatagramBatch], object]
    fail: Callable[[Exception], object]


class Reception(Generic[S]):
    """Hands each of many sockets what came. The event loop waits for one descriptor only."""

    def __init__(self) -> None:
        # One for all: what comes is used up before the next socket has its turn.
        self._batch = DatagramBatch(CAPACITY)
        self._watched: dict[int, _Watched] = {}
        self._poller: Poller[_Watched] | None = None

    @property
    def can_watch(self) -> bool:
        """Whether the system can wait for many sockets as for one."""
        return Poller.is_available

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
            self._begin(self._poller)
        watched = _Watched(fd, receive, fail)
        self._poller.add(fd, watched)
        self._watched[fd] = watched

    def forget(self, fd: int) -> None:
        """Watch it no more: before it is closed, since its number may soon be another's."""
        del self._watched[fd]
        assert self._poller is not None
        self._poller.remove(fd)
        if not self._watched:
            poller, self._poller = self._poller, None
            self._end(poller)

    def receive_waiting(self, sock: S, receive: Callable[[DatagramBatch], object]) -> None:
        """Receive what a socket that is watched has now."""
        try:
            if sock.receive_batch(self._batch):
                receive(self._batch)
        except OSError:
            pass  # whoever watches it is told as well

    @abstractmethod
    async def receive_from(self, sock: S, receive: Callable[[DatagramBatch], object]) -> None:
        """Do in the caller's task what `watch` does, for whatever can not be watched.

        Never returns; `OSError` when the socket breaks.
        """

    @abstractmethod
    def _begin(self, poller: Poller[_Watched]) -> None:
        """Call `_receive` from now on when ``poller`` is readable, and `RECEIVE_TICK` is over."""

    @abstractmethod
    def _end(self, poller: Poller[_Watched]) -> None:
        """Wait no more, and close ``poller``."""

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
