"""One UDP socket of a call, received from with all others of the event loop, closed at once."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..net import DatagramBatch
from .reception import Reception, Socket

__all__ = ["UdpLink"]


class Owner(Protocol):
    """Who wants to hear of a socket, until it is closed."""

    def udp_opened(self, number: int) -> None:
        """It is open."""

    def udp_failed(self, number: int, error: Exception) -> None:
        """It could not be opened, or broke: told at most once."""


class UdpLink:
    """The socket behind one link number. Everything but `run` returns at once.

    ``receive`` is called with what comes, until `close`.
    """

    def __init__(
        self, number: int, owner: Owner, receive: Callable[[DatagramBatch], object]
    ) -> None:
        self._number = number
        self._owner = owner
        self._receive = receive
        self._watched = -1
        self.closed = False
        #: None before it is open, and after.
        self.socket: Socket | None = None

    async def run(self, connect: Callable[[], Awaitable[Socket]]) -> None:
        """Open it. Returns soon where a poller looks after it, else when it is closed."""
        try:
            sock = await connect()
            if self.closed:  # when it had just come
                sock.close()
                return
            self.socket = sock
            fd, reception = sock.fileno(), self.reception
            if reception.can_watch and fd >= 0:
                reception.watch(fd, self._receive, self._fail)
                self._watched = fd
                self._owner.udp_opened(self._number)
                return
            try:
                self._owner.udp_opened(self._number)
                await reception.receive_from(sock, self._receive)
            finally:
                self.socket = None
                sock.close()
        except OSError as error:
            self._fail(error)

    def receive_waiting(self) -> None:
        """Receive what has come already, before its turn."""
        if self.socket is not None:
            self.reception.receive_waiting(self.socket, self._receive)

    def send(self, data: bytes) -> bool:
        """Send; False: lost already here."""
        return self.socket is not None and self.socket.send(data)

    def close(self) -> None:
        """Close it, and report nothing more. Idempotent."""
        self.closed = True
        self._cancel()
        if self._watched >= 0:
            self.reception.forget(self._watched)
            self._watched = -1
            self._close_socket()
        self.socket = None  # a task that receives from it closes it

    @property
    @abstractmethod
    def reception(self) -> Reception[Any]:
        """That of the event loop."""

    @abstractmethod
    def _cancel(self) -> None:
        """Cancel `run`."""

    def _fail(self, error: Exception) -> None:
        # Whoever watched it has forgotten it.
        self._watched = -1
        self._close_socket()
        if not self.closed:
            self._owner.udp_failed(self._number, error)

    def _close_socket(self) -> None:
        sock, self.socket = self.socket, None
        if sock is not None:
            sock.close()
