"""One UDP socket of a call, received from with all others of the event loop, closed at once."""

from collections.abc import Callable

from ..net import DatagramBatch
from .reception import Reception, Socket

__all__ = ["UdpLink"]


class UdpLink:
    """The socket behind one link number, once `use` has given it one.

    ``opened`` is called when there is a socket, ``receive`` with what comes, and ``failed``
    at most once, when it could not be opened or broke; nothing after `close`.
    """

    def __init__(
        self,
        reception: Callable[[], Reception],
        *,
        opened: Callable[[], object],
        receive: Callable[[DatagramBatch], object],
        failed: Callable[[Exception], object],
    ) -> None:
        self._reception = reception
        self._opened = opened
        self._receive = receive
        self._failed = failed
        self._watched = -1
        self.closed = False
        #: None before it is open, and after.
        self.socket: Socket | None = None

    def use(self, sock: Socket) -> None:
        """Send and receive over ``sock``, which is closed with the link."""
        self.socket = sock
        fd = sock.fileno()
        reception = self._reception()
        if reception.can_watch and fd >= 0:
            reception.watch(fd, self._receive, self.fail)
            self._watched = fd
        self._opened()

    @property
    def is_watched(self) -> bool:
        """Whether its datagrams come on their own; else somebody has to fetch them."""
        return self._watched >= 0

    def receive_waiting(self) -> None:
        """Receive what has come already, before its turn."""
        if self.socket is not None:
            self._reception().receive_waiting(self.socket, self._receive)

    def send(self, data: bytes) -> bool:
        """Send; False: lost already here."""
        return self.socket is not None and self.socket.send(data)

    def close(self) -> None:
        """Close it, and report nothing more. Idempotent."""
        self.closed = True
        if self._watched >= 0:
            self._reception().forget(self._watched)
            self._watched = -1
        self._close_socket()

    def fail(self, error: Exception) -> None:
        """Take note that it could not be opened, or broke. Whoever watched it forgot it."""
        self._watched = -1
        self._close_socket()
        if not self.closed:
            self._failed(error)

    def _close_socket(self) -> None:
        sock, self.socket = self.socket, None
        if sock is not None:
            sock.close()
