"""Gives a `VoiceConnection` its sockets: does what each output asks, and reports back."""

import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import trio
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidMessage, WebSocketException
from websockets.uri import parse_uri

from ..config import Config
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
from .client_websocket import ClientWebSocket
from .network import Datagrams, Network
from .pump import Engine
from .udp import UdpLink
from .websocket import LOGGER, WebSocketLink

__all__ = ["Driver"]

#: For TCP, TLS and the HTTP upgrade of one try. Several fit into `Config.connect_timeout`.
DIAL_TIMEOUT = 10.0
#: Above `Config.max_message_size`, which is a counted violation; this is only about memory.
MAX_MESSAGE = 1 << 25

#: What dialling a server can end in. ValueError: a URL that is none.
_DIAL_ERRORS = (
    OSError,
    ValueError,
    WebSocketException,
    trio.BrokenResourceError,
    trio.TooSlowError,
)


class Driver(Engine):
    """The sockets and the clock of one connection. Call the connection, then `drain`."""

    def __init__(
        self,
        connection: VoiceConnection,
        config: Config,
        network: Network,
        ssl_context: ssl.SSLContext | None,
        handle_event: Callable[[Event], None],
        handle_frames: Callable[[list[AudioFrame]], None],
    ) -> None:
        outputs: dict[type, Callable[[Any], object]] = {
            OpenWebSocket: self._open_websocket,
            SendText: self._send_text,
            SendBinary: self._send_binary,
            CloseWebSocket: self._close_websocket,
            OpenUdp: self._open_udp,
            SendDatagram: self._send_datagram,
            CloseUdp: self._close_udp,
        }
        super().__init__(connection, outputs, handle_event)
        #: Datagrams that the operating system did not take.
        self.datagrams_unsent = 0
        self._connection = connection
        self._handle_frames = handle_frames
        self._config = config
        self._network = network
        self._ssl_context = ssl_context
        self._websockets: dict[int, WebSocketLink] = {}
        self._udp: dict[int, UdpLink] = {}
        self._all_closed = trio.lowlevel.ParkingLot()

    def _start(self, now: float) -> None:
        self._connection.start(now, time.time())

    def _stop(self) -> None:
        for link in self._udp.values():
            link.close()
        self._udp.clear()

    async def wait_all_closed(self) -> None:
        """Wait until no socket is open."""
        while self._websockets or self._udp:
            await self._all_closed.park()

    # -- the WebSocket -------------------------------------------------------------

    def _open_websocket(self, output: OpenWebSocket) -> None:
        link = self._websockets[output.link] = WebSocketLink()
        self._nursery.start_soon(self._run_websocket, output.link, output.url, link)

    def _send_text(self, output: SendText) -> None:
        if (link := self._websockets.get(output.link)) is not None:
            link.send(output.text)

    async def flush(self) -> None:
        """Wait until the newest WebSocket has sent what is queued for it."""
        if self._websockets:
            await self._websockets[max(self._websockets)].flush()

    def _send_binary(self, output: SendBinary) -> None:
        if (link := self._websockets.get(output.link)) is not None:
            link.send(output.data)

    def _close_websocket(self, output: CloseWebSocket) -> None:
        if (link := self._websockets.get(output.link)) is not None:
            link.close(output.code, output.reason)

    @trio.lowlevel.enable_ki_protection
    async def _run_websocket(self, number: int, url: str, link: WebSocketLink) -> None:
        connection = self._connection
        failure: str | None = None
        code, reason = None, "the connection was lost"

        def receive(message: str | bytes) -> None:
            # Datagrams wait for their round, up to a millisecond; a message that says who has
            # left must not overtake what they said before.
            for udp in list(self._udp.values()):
                udp.receive_waiting()
            now = trio.current_time()
            if isinstance(message, str):
                connection.receive_text(number, message, now)
            else:
                connection.receive_binary(number, message, now)
            self.drain()

        try:
            with link.scope:
                try:
                    websocket = await self._dial(url)
                except _DIAL_ERRORS as error:
                    failure = _explain(error)
                else:
                    try:
                        connection.websocket_opened(number, trio.current_time())
                        self.drain()
                        code, reason = await link.carry(websocket, receive)
                    finally:
                        await websocket.drop()
        finally:
            del self._websockets[number]
            self._tell_all_closed()
        if link.given_up:
            return  # the connection asked for it, and wants to hear no more
        now = trio.current_time()
        if failure is not None:
            connection.websocket_failed(number, failure, now)
        else:
            connection.websocket_closed(number, code, reason, now)
        self.drain()

    async def _dial(self, url: str) -> ClientWebSocket:
        where = parse_uri(url)
        context = await self._tls_context() if where.secure else None
        protocol = ClientProtocol(where, max_size=MAX_MESSAGE, logger=LOGGER)
        with trio.fail_after(DIAL_TIMEOUT):
            stream = await self._network.connect_stream(where.host, where.port)
            return await ClientWebSocket.open(stream, protocol, where, context)

    async def _tls_context(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            # Reads the system's certificates: tens of milliseconds of audio.
            self._ssl_context = await trio.to_thread.run_sync(ssl.create_default_context)
        return self._ssl_context

    # -- UDP -----------------------------------------------------------------------

    @property
    def datagrams(self) -> Datagrams | None:
        """The newest UDP socket; None while it is not open."""
        return self._udp[max(self._udp)].socket if self._udp else None

    def _open_udp(self, output: OpenUdp) -> None:
        number = output.link
        link = self._udp[number] = UdpLink(
            self._network,
            opened=partial(self._udp_opened, number),
            receive=partial(self._receive_datagrams, number),
            failed=partial(self._udp_failed, number),
        )
        self._nursery.start_soon(link.run, output.host, output.port)

    def _send_datagram(self, output: SendDatagram) -> None:
        link = self._udp.get(output.link)
        if link is None or not link.send(output.data):
            self.datagrams_unsent += 1

    def _close_udp(self, output: CloseUdp) -> None:
        if (link := self._udp.pop(output.link, None)) is not None:
            link.close()
            self._tell_all_closed()

    def _udp_opened(self, number: int) -> None:
        self._connection.udp_opened(number, trio.current_time())
        self.drain()

    def _udp_failed(self, number: int, error: Exception) -> None:
        del self._udp[number]
        self._tell_all_closed()
        if isinstance(error, OSError):
            self._connection.udp_failed(number, _explain(error), trio.current_time())
            self.drain()
        else:
            self._fail(error)  # a bug, and ours: it ends this call only

    def _receive_datagrams(self, number: int, batch: DatagramBatch) -> None:
        frames = self._connection.receive_batch(number, batch, trio.current_time())
        if frames:
            self._handle_frames(frames)
        # Where everything became a frame and nothing is to be told, nothing waits for a time.
        if self._drain_outputs() or len(frames) < len(batch):
            self._set_alarm()

    def _tell_all_closed(self) -> None:
        if not self._websockets and not self._udp:
            self._all_closed.unpark_all()


def _explain(error: BaseException) -> str:
    """Say in one line what really happened: libraries wrap it twice."""
    if isinstance(error, InvalidMessage):
        return "no WebSocket server answers there; is it one with TLS (wss://)?"
    while True:
        cause = error.__cause__
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if cause is None:
            break
        error = cause
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the server's certificate is not trusted: {error.verify_message}"
            " (ssl_context, or --ca-file, says whom to trust)"
        )
    if isinstance(error, ssl.SSLError):
        return f"the TLS handshake failed ({error.reason}); is it a server without TLS (ws://)?"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, trio.TooSlowError):
        return f"no answer within {DIAL_TIMEOUT:g} s"
    return str(error) or type(error).__name__
