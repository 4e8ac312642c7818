"""Gives a `VoiceConnection` its sockets: does what each output asks, and reports back."""

import ssl
import time
from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import ClassVar, Generic, Protocol, TypeVar

from ..connection import VoiceConnection
from ..events import AudioFrame, Event
from ..net import DatagramBatch
from ..outputs import (
    CloseUdp,
    CloseWebSocket,
    OpenUdp,
    OpenWebSocket,
    SendBinary,
    SendDatagram,
    SendText,
)
from .dialling import explain
from .pump import Pump
from .reception import Socket
from .udp import UdpLink

__all__ = ["ConnectionDriver", "WebSocketLink"]


U = TypeVar("U", bound=UdpLink)
N = TypeVar("N")


class WebSocketLink(Protocol):
    """One WebSocket, from before it is open."""

    def send(self, message: str | bytes) -> None:
        """Send, soon."""

    async def flush(self, deadline: float) -> None:
        """Wait until what was to be sent is out, but not beyond ``deadline``."""

    def close(self, code: int, reason: str = "") -> None:
        """Close, soon; nobody wants to hear of it any more."""


class ConnectionDriver(Pump, Generic[U, N]):
    """The sockets of one connection, as far as it does not matter whose tasks look after them."""

    udp_link: type[U]
    outputs: ClassVar[dict[type, str]] = {
        OpenWebSocket: "_open_websocket",
        SendText: "_send_text",
        SendBinary: "_send_binary",
        CloseWebSocket: "_close_websocket",
        OpenUdp: "_open_udp",
        SendDatagram: "_send_datagram",
        CloseUdp: "_close_udp",
    }

    def __init__(
        self,
        connection: VoiceConnection,
        network: N,
        ssl_context: ssl.SSLContext | None,
        handle_event: Callable[[Event], None],
        handle_frames: Callable[[list[AudioFrame]], None],
    ) -> None:
        super().__init__(connection, handle_event)
        #: Datagrams that the operating system did not take.
        self.datagrams_unsent = 0
        self._connection = connection
        self._network = network
        self._ssl_context = ssl_context
        self._handle_frames = handle_frames
        self._websockets: dict[int, WebSocketLink] = {}
        self._udp: dict[int, U] = {}
        self._all_closed = self.loop.waiting()

    def _start(self, now: float) -> None:
        self._connection.start(now, time.time())

    def _stop(self) -> None:
        for link in self._udp.values():
            link.close()
        self._udp.clear()

    async def wait_all_closed(self, deadline: float) -> None:
        """Wait until no socket is open, but not beyond ``deadline``."""
        while (self._websockets or self._udp) and self.loop.now() < deadline:
            await self._all_closed.park_until(deadline)

    def _tell_all_closed(self) -> None:
        if not self._websockets and not self._udp:
            self._all_closed.unpark_all()

    # -- the WebSocket -------------------------------------------------------------

    @abstractmethod
    def _open_websocket(self, output: OpenWebSocket) -> None:
        """Begin to dial, with a link in ``_websockets`` from now on."""

    async def _tls_context(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            # Reads the system's certificates: tens of milliseconds of audio.
            self._ssl_context = await self.loop.in_thread(ssl.create_default_context)
        return self._ssl_context

    def _send_text(self, output: SendText) -> None:
        if (link := self._websockets.get(output.link)) is not None:
            link.send(output.text)

    def _send_binary(self, output: SendBinary) -> None:
        if (link := self._websockets.get(output.link)) is not None:
            link.send(output.data)

    def _close_websocket(self, output: CloseWebSocket) -> None:
        if (link := self._websockets.get(output.link)) is not None:
            link.close(output.code, output.reason)

    async def flush(self, deadline: float) -> None:
        """Wait until the newest WebSocket has sent what is queued for it."""
        if self._websockets:
            await self._websockets[max(self._websockets)].flush(deadline)

    def _websocket_opened(self, number: int) -> None:
        self._connection.websocket_opened(number, self.loop.now())
        self.drain()

    def _receive_message(self, number: int, message: str | bytes) -> None:
        # Datagrams wait for their round, up to a millisecond; a message that says who has
        # left must not overtake what they said before.
        for udp in list(self._udp.values()):
            udp.receive_waiting()
        now = self.loop.now()
        if isinstance(message, str):
            self._connection.receive_text(number, message, now)
        else:
            self._connection.receive_binary(number, message, now)
        self.drain()

    def _forget_websocket(self, number: int) -> None:
        del self._websockets[number]
        self._tell_all_closed()

    def _websocket_ended(
        self, number: int, failure: str | None, code: int | None, reason: str
    ) -> None:
        """Report one that nobody gave up; ``failure``: it was never open."""
        now = self.loop.now()
        if failure is not None:
            self._connection.websocket_failed(number, failure, now)
        else:
            self._connection.websocket_closed(number, code, reason, now)
        self.drain()

    # -- UDP -----------------------------------------------------------------------

    @property
    def socket(self) -> Socket | None:
        """The newest UDP socket; None while it is not open."""
        return self._udp[max(self._udp)].socket if self._udp else None

    @abstractmethod
    def _start_udp(self, link: U, host: str, port: int) -> None:
        """Run a link beside the machine."""

    def _open_udp(self, output: OpenUdp) -> None:
        number = output.link
        receive = partial(self._receive_datagrams, number)
        link = self._udp[number] = self.udp_link(number, self, receive)
        self._start_udp(link, output.host, output.port)

    def _send_datagram(self, output: SendDatagram) -> None:
        link = self._udp.get(output.link)
        if link is None or not link.send(output.data):
            self.datagrams_unsent += 1

    def _close_udp(self, output: CloseUdp) -> None:
        if (link := self._udp.pop(output.link, None)) is not None:
            link.close()
            self._tell_all_closed()

    def udp_opened(self, number: int) -> None:
        """Take note that a socket is open."""
        self._connection.udp_opened(number, self.loop.now())
        self.drain()

    def udp_failed(self, number: int, error: Exception) -> None:
        """Take note that a socket could not be opened, or broke."""
        del self._udp[number]
        self._tell_all_closed()
        if isinstance(error, OSError):
            self._connection.udp_failed(number, explain(error), self.loop.now())
            self.drain()
        else:
            self._fail(error)  # a bug, and ours: it ends this call only

    def _receive_datagrams(self, number: int, batch: DatagramBatch) -> None:
        frames = self._connection.receive_batch(number, batch, self.loop.now())
        if frames:
            self._handle_frames(frames)
        # Where everything became a frame and nothing is to be told, nothing waits for a time.
        if self._drain_outputs() or len(frames) < len(batch):
            self._set_alarm()
