"""One UDP socket of a call, in a task of asyncio."""

import asyncio
from functools import cached_property

from ..driver import udp
from .reception import Reception, reception

__all__ = ["UdpLink"]


class UdpLink(udp.UdpLink):
    """The socket behind one link number. Everything but `run` returns at once."""

    #: That of `run`.
    task: asyncio.Task[None] | None = None

    @cached_property
    def reception(self) -> Reception:
        """That of the event loop."""
        return reception()

    def _cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()
