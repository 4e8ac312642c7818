"""One UDP socket of a call: opened in a task, received from with all others, closed at once."""

from collections.abc import Callable

import trio

from ..net import DatagramBatch, Poller
from .network import Datagrams, Network
from .reception import reception

__all__ = ["UdpLink"]


class UdpLink:
    """The socket behind one link number. Everything but `run` returns at once.

    ``opened`` is called when there is a socket, ``receive`` with what comes, and ``failed``
    at most once, when it could not be opened or broke; nothing after `close`.
    """

    def __init__(
        self,
        network: Network,
        *,
        opened: Callable[[], object],
        receive: Callable[[DatagramBatch], object],
        failed: Callable[[Exception], object],
    ) -> None:
        self._network = network
        self._opened = opened
        self._receive = receive
        self._failed = failed
        self._scope = trio.CancelScope()
        self._watched = -1
        #: None before it is open, and after.
        self.socket: Datagrams | None = None

    @trio.lowlevel.enable_ki_protection
    async def run(self, host: str, port: int) -> None:
        """Open it. Returns soon where a poller looks after it, else when it is closed."""
        with self._scope:
            try:
                sock = await self._network.connect_datagrams(host, port)
                if self._scope.cancel_called:  # closed when it had just come
                    sock.close()
                    return
                self.socket = sock
                fd = sock.fileno()
                if Poller.is_available and fd >= 0:
                    reception().watch(fd, self._receive, self._fail)
                    self._watched = fd
                    self._opened()
                else:
                    self._opened()
                    await self._receive_alone(sock)
            except OSError as error:
                self._fail(error)

    async def _receive_alone(self, sock: Datagrams) -> None:
        try:
            await reception().receive_from(sock, self._receive)
        finally:
            self.socket = None
            sock.close()

    def receive_waiting(self) -> None:
        """Receive what has come already, before its turn."""
        if self.socket is not None:
            reception().receive_waiting(self.socket, self._receive)

    def send(self, data: bytes) -> bool:
        """Send; False: lost already here."""
        return self.socket is not None and self.socket.send(data)

    def close(self) -> None:
        """Close it, and report nothing more. Idempotent."""
        self._scope.cancel()
        if self._watched >= 0:
            reception().forget(self._watched)
            self._watched = -1
            if self.socket is not None:
                self.socket.close()
        self.socket = None

    def _fail(self, error: Exception) -> None:
        # Whoever watched it has forgotten it.
        if self._watched >= 0:
            self._watched = -1
            if self.socket is not None:
                self.socket.close()
        self.socket = None
        if not self._scope.cancel_called:
            self._failed(error)
