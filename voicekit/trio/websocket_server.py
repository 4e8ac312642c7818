"""The WebSockets of a server: accepted, read, and closed when it stops."""

import ssl
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import trio
from websockets.trio.server import ServerConnection
from websockets.trio.server import serve as serve_websockets

from ..driver.pump import Machine
from ..driver.web_messages import CLOSE_TIMEOUT, LOGGER
from ..server.outputs import CloseWebSocket, DropWebSocket, SendBinary, SendText
from .pump import Engine
from .websocket import WebSocketLink

__all__ = ["SocketMachine", "WebSocketServer"]

#: For TLS and the HTTP upgrade of one socket.
OPEN_TIMEOUT = 10.0
#: A client that does not take a message within this long (seconds) is dropped, and one that
#: lets this many wait: a call has a few dozen in all, a resume may replay a thousand.
SEND_TIMEOUT = 5.0
MAX_BACKLOG = 2048
#: Above `ServerConfig.max_message_size`, which is counted; this is only about memory.
MAX_MESSAGE = 1 << 22
#: A cancelled server closes its WebSockets properly for at most this long, in seconds.
STOP_TIMEOUT = 1.0


class SocketMachine(Machine, Protocol):
    """The core of a server that speaks over WebSockets; each has a number, its ``link``."""

    def stop(self, now: float) -> None:
        """Close all sockets."""

    def websocket_opened(self, link: int, path: str, now: float, /) -> None:
        """Take an accepted WebSocket and its request target."""

    def receive_text(self, link: int, text: str, now: float, /) -> None:
        """Take a text message."""

    def receive_binary(self, link: int, data: bytes, now: float, /) -> None:
        """Take a binary message."""

    def websocket_closed(self, link: int, code: int | None, now: float, /) -> None:
        """Take note of a close; ``code`` None: without a close frame."""


class WebSocketServer(Engine):
    """The WebSockets and the clock of one server. Call the core, then `drain`."""

    outputs: ClassVar[dict[type, str]] = {
        SendText: "_send_text",
        SendBinary: "_send_binary",
        CloseWebSocket: "_close_websocket",
        DropWebSocket: "_drop_websocket",
    }

    def __init__(
        self,
        server: SocketMachine,
        handle_event: Callable[[Any], object],
        listeners: list[trio.SocketListener],
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(server, handle_event)
        self._core = server
        self._listeners = listeners
        self._ssl_context = ssl_context
        self._links: dict[int, WebSocketLink] = {}
        self._last_link = 0
        self._all_closed = trio.lowlevel.ParkingLot()

    def _start(self, now: float) -> None:
        self._nursery.start_soon(self._accept)

    async def stop(self) -> None:
        """End every session properly, then everything."""
        with trio.CancelScope(shield=True):
            with trio.move_on_after(STOP_TIMEOUT):
                await self.started.wait()
                if not self.finished.is_set():
                    self.catch_up()
                    self._core.stop(trio.current_time())
                    self.drain()
                while self._links:
                    await self._all_closed.park()
            self.scope.cancel()
            await self.finished.wait()

    @trio.lowlevel.enable_ki_protection
    async def _accept(self) -> None:
        await serve_websockets(
            self._handle_websocket,
            listeners=self._listeners,
            ssl=self._ssl_context,
            compression=None,
            open_timeout=OPEN_TIMEOUT,
            ping_interval=None,
            close_timeout=CLOSE_TIMEOUT,
            max_size=MAX_MESSAGE,
            # We take each message as it comes. A queue that fills up makes the library pause
            # its reading task, which then never learns that the socket was closed.
            max_queue=None,
            logger=LOGGER,
        )

    async def _handle_websocket(self, websocket: ServerConnection) -> None:
        # The library logs what its handlers raise and goes on; a bug of ours is to be seen.
        done = trio.Event()
        self._nursery.start_soon(self._run_websocket, websocket, done)
        await done.wait()

    @trio.lowlevel.enable_ki_protection
    async def _run_websocket(self, websocket: ServerConnection, done: trio.Event) -> None:
        server = self._core
        self._last_link += 1
        number = self._last_link
        link = self._links[number] = WebSocketLink(
            max_backlog=MAX_BACKLOG, send_timeout=SEND_TIMEOUT
        )
        code: int | None = None

        def receive(message: str | bytes) -> None:
            self.catch_up()
            now = trio.current_time()
            if isinstance(message, str):
                server.receive_text(number, message, now)
            else:
                server.receive_binary(number, message, now)
            self.drain()

        try:
            with link.scope:
                path = websocket.request.path if websocket.request is not None else "/"
                server.websocket_opened(number, path, trio.current_time())
                self.drain()
                code, _ = await link.carry(websocket, receive, self._nursery)
            if link.scope.cancelled_caught:
                await trio.aclose_forcefully(websocket.stream)
                # Its reader may be waiting for us to take messages, not for the stream.
                websocket.nursery.cancel_scope.cancel()
        finally:
            del self._links[number]
            if not self._links:
                self._all_closed.unpark_all()
            done.set()
        self.catch_up()
        if not link.given_up:
            server.websocket_closed(number, code, trio.current_time())
            self.drain()

    def catch_up(self) -> None:
        """Have the core hear first what came another way before the WebSockets' next word."""

    def _send_text(self, output: SendText) -> None:
        if (link := self._links.get(output.link)) is not None:
            link.send(output.text)

    def _send_binary(self, output: SendBinary) -> None:
        if (link := self._links.get(output.link)) is not None:
            link.send(output.data)

    def _close_websocket(self, output: CloseWebSocket) -> None:
        if (link := self._links.get(output.link)) is not None:
            link.close(output.code, output.reason)

    def _drop_websocket(self, output: DropWebSocket) -> None:
        if (link := self._links.get(output.link)) is not None:
            link.drop()
