"""One UDP socket of a call: opened in a task."""

from collections.abc import Callable

import trio

from ..driver import udp
from ..net import DatagramBatch
from .network import Datagrams, Network
from .reception import reception

__all__ = ["UdpLink"]


class UdpLink(udp.UdpLink):
    """The socket behind one link number. Everything but `run` returns at once."""

    def __init__(
        self,
        network: Network,
        *,
        opened: Callable[[], object],
        receive: Callable[[DatagramBatch], object],
        failed: Callable[[Exception], object],
    ) -> None:
        super().__init__(reception, opened=opened, receive=receive, failed=failed)
        self._network = network
        self._scope = trio.CancelScope()

    @trio.lowlevel.enable_ki_protection
    async def run(self, host: str, port: int) -> None:
        """Open it. Returns soon where a poller looks after it, else when it is closed."""
        with self._scope:
            try:
                sock = await self._network.connect_datagrams(host, port)
                if self.closed:  # when it had just come
                    sock.close()
                    return
                self.use(sock)
                if not self.is_watched:
                    await self._receive_alone(sock)
            except OSError as error:
                self.fail(error)

    async def _receive_alone(self, sock: Datagrams) -> None:
        try:
            await reception().receive_from(sock, self._receive)
        finally:
            self._close_socket()

    def close(self) -> None:
        """Close it, and report nothing more. Idempotent."""
        self._scope.cancel()
        # A task that waits for it closes it, when it has stopped to.
        if self.is_watched or self.socket is None:
            super().close()
        else:
            self.closed = True
