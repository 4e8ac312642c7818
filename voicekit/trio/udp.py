"""One UDP socket of a call, in a scope of trio."""

from collections.abc import Awaitable, Callable

import trio

from ..driver import udp
from ..driver.reception import Socket
from ..net import DatagramBatch
from .reception import reception

__all__ = ["UdpLink"]


class UdpLink(udp.UdpLink):
    """The socket behind one link number. Everything but `run` returns at once."""

    def __init__(
        self,
        *,
        opened: Callable[[], object],
        receive: Callable[[DatagramBatch], object],
        failed: Callable[[Exception], object],
    ) -> None:
        super().__init__(reception, opened=opened, receive=receive, failed=failed)
        self._scope = trio.CancelScope()

    @trio.lowlevel.enable_ki_protection
    async def run(self, connect: Callable[[], Awaitable[Socket]]) -> None:
        """Open it. Returns soon where a poller looks after it, else when it is closed."""
        with self._scope:
            await super().run(connect)

    def _cancel(self) -> None:
        self._scope.cancel()
