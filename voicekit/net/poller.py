"""Which of many sockets have something to read, behind one file descriptor."""

import select
import sys
from typing import Generic, TypeVar

__all__ = ["Poller"]

Owner = TypeVar("Owner")


class Poller(Generic[Owner]):
    """An epoll of its own inside the event loop's: however many sockets, one event.

    An event loop that waits for each of a thousand sockets itself wakes a thousand tasks for
    a thousand datagrams. Here it waits for `fileno` only, and `ready` names all at once.

    Linux only (`is_available`); elsewhere each socket is waited for on its own, and `drain`
    does the rest.
    """

    is_available = sys.platform == "linux"

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._owners: dict[int, Owner] = {}

    def __len__(self) -> int:
        return len(self._owners)

    def fileno(self) -> int:
        """Return the descriptor that is readable while any of the sockets is."""
        return self._epoll.fileno()

    def add(self, fd: int, owner: Owner) -> None:
        """Watch ``fd``; `ready` says ``owner``. Raises `OSError` for no descriptor."""
        self._epoll.register(fd, select.EPOLLIN)
        self._owners[fd] = owner

    def remove(self, fd: int) -> None:
        """Watch it no more: before it is closed, since its number may soon be another's."""
        del self._owners[fd]
        self._epoll.unregister(fd)

    def ready(self, limit: int) -> list[Owner]:
        """Return the owners of up to ``limit`` sockets with something to read, or an error.

        Never waits. What is not drained is there again, after those that had no turn yet.
        """
        owners = self._owners
        return [owners[fd] for fd, _ in self._epoll.poll(0, limit)]

    def close(self) -> None:
        """Close the epoll; the sockets are not its own."""
        self._epoll.close()
