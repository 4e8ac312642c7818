"""One UDP socket of a call, in a task of asyncio."""

import asyncio
from collections.abc import Callable

from ..driver import udp
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
        #: That of `run`.
        self.task: asyncio.Task[None] | None = None

    def _cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()
