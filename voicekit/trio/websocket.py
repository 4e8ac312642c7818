"""One WebSocket, of a client or of the server: a bounded queue out, a callback in."""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import trio
from websockets.exceptions import ConnectionClosed

from ..driver.web_messages import CLOSE_TIMEOUT, MAX_BACKLOG, SEND_TIMEOUT
from .client_websocket import WebSocket
from .loop import LOOP

__all__ = ["Ending", "WebSocketLink"]


class Ending(NamedTuple):
    """How the peer ended it; code None: without a close frame."""

    code: int | None
    reason: str


class _Close(NamedTuple):
    code: int
    reason: str


class WebSocketLink:
    """Carries messages for one link number. Everything but `carry` returns at once."""

    def __init__(
        self, *, max_backlog: int = MAX_BACKLOG, send_timeout: float = SEND_TIMEOUT
    ) -> None:
        #: Enter it around whatever belongs to this socket.
        self.scope = trio.CancelScope()
        #: We closed or dropped it: nobody wants to hear of it any more.
        self.given_up = False
        self._max_backlog = max_backlog
        self._send_timeout = send_timeout
        self._outgoing: list[str | bytes | _Close] = []
        # Starts a task that writes what is queued: most of the time there is nothing, and no
        # task. None before there is a WebSocket, and when it takes no more.
        self._start_writer: Callable[[], object] | None = None
        self._writing: trio.CancelScope | None = None
        self._flushed = LOOP.waiting()

    def send(self, message: str | bytes) -> None:
        """Queue one message. When too many wait already, the socket counts as lost."""
        if self.given_up:
            return
        if len(self._outgoing) >= self._max_backlog:
            self.lose()
            return
        self._outgoing.append(message)
        self._wake_writer()

    async def flush(self, deadline: float = math.inf) -> None:
        """Wait until what is queued was sent, or never will be, but not beyond ``deadline``."""
        while self._outgoing and trio.current_time() < deadline:
            await self._flushed.park_until(deadline)

    def close(self, code: int, reason: str = "") -> None:
        """Close with ``code`` after what is queued, within `CLOSE_TIMEOUT`."""
        if self.given_up:
            return
        self.given_up = True
        self._outgoing.append(_Close(code, reason))
        self._wake_writer()
        self.scope.deadline = min(self.scope.deadline, trio.current_time() + CLOSE_TIMEOUT)

    def drop(self) -> None:
        """Close the TCP connection at once, without a word."""
        self.given_up = True
        self.scope.cancel()

    def lose(self) -> None:
        """Treat it as lost: as `drop`, but the owner hears of it."""
        self.scope.cancel()

    async def carry(
        self,
        websocket: WebSocket,
        receive: Callable[[str | bytes], None],
        nursery: trio.Nursery,
    ) -> Ending:
        """Carry messages both ways until it ends, and return how. Run it inside ``scope``.

        What is sent is sent by a task in ``nursery``, which ends with this, or soon after.
        """
        self._start_writer = partial(nursery.start_soon, self._write, websocket)
        self._wake_writer()
        try:
            while True:
                message = await websocket.recv()
                if not self.given_up:
                    receive(message)
        except ConnectionClosed as error:
            received = error.rcvd
        finally:
            self._start_writer = None
            if self._writing is not None:
                self._writing.cancel()
            self._forget_outgoing()
        return Ending(None, "") if received is None else Ending(received.code, received.reason)

    def _wake_writer(self) -> None:
        if self._outgoing and self._writing is None and self._start_writer is not None:
            self._writing = trio.CancelScope()
            self._start_writer()

    def _forget_outgoing(self) -> None:
        self._outgoing.clear()
        self._flushed.unpark_all()

    async def _write(self, websocket: WebSocket) -> None:
        assert self._writing is not None
        try:
            with self._writing:
                while self._outgoing:
                    message = self._outgoing[0]
                    if isinstance(message, _Close):
                        await websocket.aclose(*message)
                        break
                    with trio.move_on_after(self._send_timeout) as patience:
                        await websocket.send(message)
                    if patience.cancelled_caught:
                        self.lose()
                    del self._outgoing[:1]
                else:
                    self._writing = None
                    self._flushed.unpark_all()
                    return
        except ConnectionClosed:
            pass  # the reader hears of it too
        finally:
            if self._writing is not None:
                self._start_writer = None
                self._forget_outgoing()
