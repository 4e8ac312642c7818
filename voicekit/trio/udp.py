"""One UDP socket of a call, in a scope of trio."""

from collections.abc import Awaitable, Callable
from functools import cached_property

import trio

from ..driver import udp
from ..driver.reception import Socket
from .reception import Reception, reception

__all__ = ["UdpLink"]


class UdpLink(udp.UdpLink):
    """The socket behind one link number. Everything but `run` returns at once."""

    @cached_property
    def reception(self) -> Reception:
        """That of the trio run."""
        return reception()

    #: That of `run`.
    _scope: trio.CancelScope | None = None

    @trio.lowlevel.enable_ki_protection
    async def run(self, connect: Callable[[], Awaitable[Socket]]) -> None:
        """Open it. Returns soon where a poller looks after it, else when it is closed."""
        if self.closed:
            return
        try:
            with trio.CancelScope() as self._scope:
                await super().run(connect)
        finally:
            self._scope = None

    def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()
