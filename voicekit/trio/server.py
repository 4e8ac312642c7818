"""`serve`: the loopback voice server on real sockets."""

import ipaddress
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio

from ..server import ServerConfig, VoiceServer
from ..server.outputs import SendDatagram, ServerEvent
from .network import Datagrams, Network
from .pump import beside
from .relay import Strangers, run_relay
from .websocket_server import WebSocketServer

if TYPE_CHECKING:
    from ..net._relay import Relay

__all__ = ["Listening", "serve"]

#: Datagrams taken in one go, before other tasks have their turn.
DATAGRAM_BATCH = 64
#: The same where something else may only happen after them: more than a socket's buffer holds.
DATAGRAM_BACKLOG = 1024


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

    def catch_up(self) -> None:
        """Take the datagrams that have arrived, so that `server` counts all that was sent so far.

        Not those of a relay, which reads for itself.
        """
        self._shell.catch_up()

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


class _Shell(WebSocketServer):
    """The sockets and the clock of one server. Call the core, then `drain`."""

    outputs = WebSocketServer.outputs | {SendDatagram: "_send_datagram"}

    def __init__(
        self,
        server: VoiceServer,
        udp: Datagrams,
        relay: "Relay | None",
        listeners: list[trio.SocketListener],
        ssl_context: ssl.SSLContext | None,
        handle_event: Callable[[Any], object],
    ) -> None:
        super().__init__(server, handle_event, listeners, ssl_context)
        self.udp = udp
        self._server = server
        self._relay = relay
        if self._relay is not None:
            server.set_relay(self._relay)

    def _start(self, now: float) -> None:
        self._server.start(now, time.time())
        if self._relay is None:
            self._nursery.start_soon(self._receive_datagrams)
        else:
            self._nursery.start_soon(run_relay, self._relay, self._take_datagrams)
        super()._start(now)

    def catch_up(self) -> None:
        """Take the datagrams that wait: what was sent before a close is still of the call."""
        if self._relay is None and not self.finished.is_set():
            self._receive_waiting(DATAGRAM_BACKLOG)

    # -- UDP -------------------------------------------------------------------------

    def _send_datagram(self, output: SendDatagram) -> None:
        if not self.udp.send_to(output.data, output.address):
            self._server.datagram_dropped(output.address)

    @trio.lowlevel.enable_ki_protection
    async def _receive_datagrams(self) -> None:
        while True:
            await self.udp.wait_readable()
            self._receive_waiting(DATAGRAM_BATCH)
            self._set_alarm()

    def _receive_waiting(self, limit: int) -> None:
        now = trio.current_time()
        for _ in range(limit):
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
