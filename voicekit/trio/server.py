"""`serve`: the loopback voice server on real sockets."""

import ipaddress
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio
from websockets.trio.server import ServerConnection
from websockets.trio.server import serve as serve_websockets

from ..driver.web_messages import CLOSE_TIMEOUT, LOGGER
from ..server import ServerConfig, VoiceServer
from ..server.outputs import (
    CloseWebSocket,
    DropWebSocket,
    SendBinary,
    SendDatagram,
    SendText,
    ServerEvent,
)
from .network import Datagrams, Network
from .pump import Engine, beside
from .relay import Strangers, run_relay
from .websocket import WebSocketLink

if TYPE_CHECKING:
    from ..net._relay import Relay

__all__ = ["Listening", "serve"]

#: For TLS and the HTTP upgrade of one socket.
OPEN_TIMEOUT = 10.0
#: A client that does not take a message within this long (seconds) is dropped, and one that
#: lets this many wait: a call has a few dozen in all, a resume may replay a thousand.
SEND_TIMEOUT = 5.0
MAX_BACKLOG = 2048
#: Above `ServerConfig.max_message_size`, which is counted; this is only about memory.
MAX_MESSAGE = 1 << 22
#: Datagrams taken in one go, before other tasks have their turn.
DATAGRAM_BATCH = 64
#: A cancelled server closes its WebSockets properly for at most this long, in seconds.
STOP_TIMEOUT = 1.0


class Listening:
    """A running server: where it listens, and its sans-I/O core."""

    def __init__(
        self, shell: "_Shell", server: VoiceServer, scheme: str, host: str, ws_port: int
    ) -> None:
        self._shell = shell
        #: The core: its statistics, its faults. `drain` after changing anything in it.
        self.server = server
        self.host = host
        self.ws_port = ws_port
        self.udp_port = shell.udp.port
        #: ``host:port``, for `VoiceServerInfo` where the server has a certificate.
        self.endpoint = f"[{host}]:{ws_port}" if ":" in host else f"{host}:{ws_port}"
        #: The same with its scheme, which every client understands.
        self.url = f"{scheme}://{self.endpoint}"

    def __repr__(self) -> str:
        return f"<Listening {self.url}, UDP port {self.udp_port}>"

    def drain(self) -> None:
        """Carry out at once what a call of `server` has asked for."""
        self._shell.drain()


async def serve(
    server: VoiceServer | ServerConfig | None = None,
    host: str = "127.0.0.1",
    ws_port: int = 0,
    udp_port: int = 0,
    ssl_context: ssl.SSLContext | None = None,
    *,
    handle_event: Callable[[ServerEvent], object] | None = None,
    network: Network | None = None,
    task_status: trio.TaskStatus[Listening] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a voice server until it is cancelled. ``nursery.start`` returns a `Listening`.

    It is reachable from this machine only, unless ``host`` says otherwise (a real address:
    clients are told to send their audio there); port 0 is any free one. ``handle_event`` is
    called with each `ServerEvent`, and must return at once. When cancelled it closes its
    WebSockets properly, for at most a second.

    Raises `OSError` when an address cannot be bound.
    """
    core = server if isinstance(server, VoiceServer) else VoiceServer(server or ServerConfig())
    sockets = network or Network()
    listeners = await sockets.listen(host, ws_port)
    try:
        udp = await sockets.bind_datagrams(host, udp_port)
        try:
            relay = sockets.relay(udp) if core.takes_relay else None
            shell = _Shell(core, udp, relay, listeners, ssl_context, handle_event or _ignore)
            address, port = listeners[0].socket.getsockname()[:2]
            scheme = "ws" if ssl_context is None else "wss"
            listening = Listening(shell, core, scheme, _reachable(address), port)
            core.set_udp_address(listening.host, udp.port)
            # Without a scheme an endpoint means wss://.
            core.host.endpoint = listening.url if ssl_context is None else listening.endpoint
            async with beside(shell.run):
                try:
                    await shell.started.wait()
                    task_status.started(listening)
                    await trio.sleep_forever()
                finally:
                    await shell.stop()
        finally:
            udp.close()
    finally:
        for listener in listeners:
            listener.socket.close()


class _Shell(Engine):
    """The sockets and the clock of one server. Call the core, then `drain`."""

    def __init__(
        self,
        server: VoiceServer,
        udp: Datagrams,
        relay: "Relay | None",
        listeners: list[trio.SocketListener],
        ssl_context: ssl.SSLContext | None,
        handle_event: Callable[[Any], object],
    ) -> None:
        outputs: dict[type, Callable[[Any], object]] = {
            SendText: self._send_text,
            SendBinary: self._send_binary,
            CloseWebSocket: self._close_websocket,
            DropWebSocket: self._drop_websocket,
            SendDatagram: self._send_datagram,
        }
        super().__init__(server, outputs, handle_event)
        self.udp = udp
        self._server = server
        self._relay = relay
        if self._relay is not None:
            server.set_relay(self._relay)
        self._listeners = listeners
        self._ssl_context = ssl_context
        self._links: dict[int, WebSocketLink] = {}
        self._last_link = 0
        self._all_closed = trio.lowlevel.ParkingLot()

    def _start(self, now: float) -> None:
        self._server.start(now, time.time())
        if self._relay is None:
            self._nursery.start_soon(self._receive_datagrams)
        else:
            self._nursery.start_soon(run_relay, self._relay, self._take_datagrams)
        self._nursery.start_soon(self._accept)

    async def stop(self) -> None:
        """End every session properly, then everything."""
        with trio.CancelScope(shield=True):
            with trio.move_on_after(STOP_TIMEOUT):
                await self.started.wait()
                if not self.finished.is_set():
                    self._server.stop(trio.current_time())
                    self.drain()
                while self._links:
                    await self._all_closed.park()
            self.scope.cancel()
            await self.finished.wait()

    # -- WebSockets ------------------------------------------------------------------

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
        server = self._server
        self._last_link += 1
        number = self._last_link
        link = self._links[number] = WebSocketLink(
            max_backlog=MAX_BACKLOG, send_timeout=SEND_TIMEOUT
        )
        code: int | None = None

        def receive(message: str | bytes) -> None:
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
                code, _ = await link.carry(websocket, receive)
            if link.scope.cancelled_caught:
                await trio.aclose_forcefully(websocket.stream)
                # Its reader may be waiting for us to take messages, not for the stream.
                websocket.nursery.cancel_scope.cancel()
        finally:
            del self._links[number]
            if not self._links:
                self._all_closed.unpark_all()
            done.set()
        if self._relay is None:
            self._receive_waiting()  # what was sent before the close is still of the call
        if not link.given_up:
            server.websocket_closed(number, code, trio.current_time())
            self.drain()

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

    # -- UDP -------------------------------------------------------------------------

    def _send_datagram(self, output: SendDatagram) -> None:
        if not self.udp.send_to(output.data, output.address):
            self._server.datagram_dropped(output.address)

    @trio.lowlevel.enable_ki_protection
    async def _receive_datagrams(self) -> None:
        while True:
            await self.udp.wait_readable()
            self._receive_waiting()
            self._set_alarm()

    def _receive_waiting(self) -> None:
        now = trio.current_time()
        for _ in range(DATAGRAM_BATCH):
            received = self.udp.receive()
            if received is None:
                break
            self._server.receive_datagram(*received, now)
            self._drain_outputs()

    @trio.lowlevel.enable_ki_protection
    def _take_datagrams(self, received: Strangers) -> None:
        """Take what the relay leaves to us."""
        if not self.finished.is_set():
            now = trio.current_time()
            for data, address in received:
                self._server.receive_datagram(data, address, now)
            self.drain()


def _reachable(address: str) -> str:
    """Return an address at which this machine finds what is bound to ``address``."""
    bound = ipaddress.ip_address(address.partition("%")[0])
    if not bound.is_unspecified:
        return address
    return "127.0.0.1" if bound.version == 4 else "::1"


def _ignore(event: object) -> None:
    pass
