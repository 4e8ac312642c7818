"""The client's end of a WebSocket over a transport of asyncio. No task runs behind it."""

import asyncio
import errno
import os
import ssl
from collections.abc import Callable
from typing import cast

from websockets.uri import WebSocketURI

from ..driver.web_messages import (
    CLOSE_TIMEOUT,
    MAX_BACKLOG,
    SEND_TIMEOUT,
    WebMessages,
    client_protocol,
)
from .loop import LOOP
from .network import Network

__all__ = ["WebSocketLink"]


class WebSocketLink(asyncio.Protocol):
    """Carries messages for one link number. Everything but `dial` and `flush` returns at once.

    ``opened`` is called when it is open, ``receive`` with each message that comes after, and
    ``ended`` at the end of one that was open. What they raise goes to ``failed``: a bug.
    """

    def __init__(
        self,
        *,
        opened: Callable[[], object],
        receive: Callable[[str | bytes], object],
        ended: Callable[[int | None, str], object],
        failed: Callable[[Exception], object],
        send_timeout: float = SEND_TIMEOUT,
    ) -> None:
        #: We closed or dropped it: nobody wants to hear of it any more.
        self.given_up = False
        #: The task that dials it.
        self.dialling: asyncio.Task[None] | None = None
        self._opened = opened
        self._receive = receive
        self._ended = ended
        self._failed = failed
        self._send_timeout = send_timeout
        self._loop = asyncio.get_running_loop()
        self._upgraded: asyncio.Future[None] = self._loop.create_future()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._messages: WebMessages
        self._transport: asyncio.Transport | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._stuck: asyncio.TimerHandle | None = None  # while the transport takes no more
        self._backlog = 0
        self._flushed = LOOP.waiting()

    async def dial(
        self, network: Network, where: WebSocketURI, context: ssl.SSLContext | None
    ) -> None:
        """Connect, and ask for the upgrade. Raises what `DIAL_ERRORS` lists."""
        self._messages = WebMessages(client_protocol(where))
        try:
            await network.connect_stream(lambda: self, where.host, where.port, context)
            await self._upgraded
        except BaseException:
            if self._transport is not None:
                self._transport.abort()
                await self._lost
            raise

    def send(self, message: str | bytes) -> None:
        """Send one message. When too many wait already, the socket counts as lost."""
        if self.given_up or not self._is_open:
            return
        if self._stuck is not None:
            self._backlog += 1
            if self._backlog > MAX_BACKLOG:
                self._lose()
                return
        self._messages.send(message)
        self._say()

    async def flush(self, deadline: float) -> None:
        """Wait until what is queued was sent, or never will be, but not beyond ``deadline``."""
        while self._stuck is not None and self._loop.time() < deadline:
            await self._flushed.park_until(deadline)

    def close(self, code: int, reason: str = "") -> None:
        """Close with ``code``, within `CLOSE_TIMEOUT`; at once where it is not open yet."""
        if self.given_up:
            return
        self.given_up = True
        if self._is_open:
            self._messages.close(code, reason)
            self._say()
            self._timers.append(self._loop.call_later(CLOSE_TIMEOUT, self.drop))
        else:
            self.drop()

    def drop(self) -> None:
        """Close the TCP connection at once, without a word."""
        self.given_up = True
        self._lose()

    def _lose(self) -> None:
        """As `drop`, but the owner hears of it."""
        if not self._is_open and self.dialling is not None:
            self.dialling.cancel()
        elif self._transport is not None:
            self._transport.abort()

    @property
    def _is_open(self) -> bool:
        upgraded = self._upgraded
        return upgraded.done() and not upgraded.cancelled() and upgraded.exception() is None

    def _say(self) -> None:
        if self._transport is not None and (data := self._messages.data_to_send()):
            self._transport.write(data)

    # -- called by the transport -------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        transport = cast(asyncio.Transport, transport)  # not a subclass of it in uvloop
        self._transport = transport
        transport.set_write_buffer_limits(high=1)  # `pause_writing` when anything waits
        self._messages.request()
        self._say()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._take(lambda: self._messages.receive_data(data))

    def eof_received(self) -> None:
        """Take note that nothing more comes: the transport closes itself."""
        self._take(self._messages.receive_eof)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever waits for it."""
        self._transport = None
        self._lost.set_result(None)
        for timer in self._timers:
            timer.cancel()
        self.resume_writing()
        if self._is_open:
            self._messages.receive_eof()
            self._guard(self._ended, *self._messages.ending)
        elif not self._upgraded.done():
            self._messages.receive_eof()
            self._upgraded.set_exception(self._messages.refusal or _cut_off())

    def pause_writing(self) -> None:
        """Give the peer some time to read."""
        self._stuck = self._loop.call_later(self._send_timeout, self._lose)

    def resume_writing(self) -> None:
        """Take note that all is sent."""
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        self._backlog = 0
        self._flushed.unpark_all()

    # -- inside ------------------------------------------------------------------------

    def _take(self, step: Callable[[], None]) -> None:
        messages = self._messages
        step()
        self._say()
        if messages.is_upgrading:
            return
        if not self._upgraded.done():
            if messages.refusal is not None:
                self._upgraded.set_exception(messages.refusal)
                return
            self._upgraded.set_result(None)
            self._guard(self._opened)
        while not self.given_up and (message := messages.next_message()) is not None:
            self._guard(self._receive, message)
        if messages.is_over:
            self._lose()

    def _guard(self, report: Callable[..., object], *arguments: object) -> None:
        try:
            report(*arguments)
        except Exception as error:
            self._failed(error)


def _cut_off() -> OSError:
    return ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
