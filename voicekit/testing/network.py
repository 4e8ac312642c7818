"""What lies between the cores of a `Pair`: in-memory WebSockets, UDP, and the host library.

Every output of a core becomes an input of another one here, at once or later; nothing is
handed over while the core that said it is still being drained.
"""

import heapq
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from voicekit.connection import VoiceConnection
from voicekit.events import AudioFrame
from voicekit.outputs import (
    CloseUdp,
    CloseWebSocket,
    OpenUdp,
    OpenWebSocket,
    SendBinary,
    SendDatagram,
    SendText,
)
from voicekit.server import VoiceServer
from voicekit.server import outputs as server_outputs
from voicekit.testing.client import Client
from voicekit.testing.story import DriveFailed, Story
from voicekit.testing.wires import CLOSE, OPENED, Item, WebSocketWire

__all__ = ["Network"]

#: Outputs and events that one call may yield. A resume can replay a full buffer and a
#: server forwards a packet to everybody in the call; both stay far below.
MAX_OUTPUTS = 10_000

_Answer = TypeVar("_Answer")


class Network:
    """The clients, the server, the clock, and everything that is on its way."""

    def __init__(
        self, server: VoiceServer, clients: list[Client], now: float, websocket_delay: float
    ) -> None:
        self.server = server
        self.clients = clients
        self.now = now
        self.websocket_delay = websocket_delay
        self.server_events: list[object] = []
        self.steps = 0
        self.story = Story()
        self._actions: list[tuple[float, int, Callable[[float], None]]] = []
        self._action_count = 0
        self._wires: list[WebSocketWire] = []
        self._server_links = 0
        self._sockets: dict[int, tuple[Client, int]] = {}  # port: its owner and its link
        self._next_port = 40000

    def at(self, when: float, action: Callable[[float], None]) -> None:
        """Call ``action(now)`` at ``when``. It may call one connection: see `call`."""
        self._action_count += 1
        heapq.heappush(self._actions, (when, self._action_count, action))

    def call(self, client: Client, mutation: Callable[[VoiceConnection], _Answer]) -> _Answer:
        """Call a method of a connection and do what it asks for; return its answer.

        ``pair.call(alice, lambda connection: connection.stop_audio(pair.now))``
        """
        answer = mutation(client.connection)
        self._drain_client(client)
        return answer

    def drain(self, client: Client | None = None) -> None:
        """Do what a client (None: the server) asks for, after a call that went past `call`."""
        if client is None:
            self._drain_server()
        else:
            self._drain_client(client)

    def next_timeout(self) -> float | None:
        """Return when something happens next; None: never again by itself."""
        times = [self.server.next_timeout()]
        for client in self.clients:
            times += (
                client.connection.next_timeout(),
                client.uplink.next_timeout(),
                client.downlink.next_timeout(),
            )
        for wire in self._wires:
            times += (wire.to_client.next_timeout(), wire.to_server.next_timeout())
        if self._actions:
            times.append(self._actions[0][0])
        return min((time for time in times if time is not None), default=None)

    def failure(self, why: str) -> DriveFailed:
        """Return the exception that tells ``why`` and what happened last."""
        states = "\n".join(
            f"  {client.name}: {client.connection.state.name},"
            f" next timeout {client.connection.next_timeout()},"
            f" {len(client.frames)} frames, uplink {client.uplink.stats},"
            f" downlink {client.downlink.stats}"
            for client in self.clients
        )
        return DriveFailed(
            f"{why}\nat {self.now}, step {self.steps}\n{states}\n"
            f"  server: next timeout {self.server.next_timeout()}\n"
            f"what happened last:\n{self.story.tell()}"
        )

    # -- one instant ------------------------------------------------------------------

    def _round(self) -> bool:
        """Do each thing that is due now once; False: nothing was."""
        now, busy = self.now, False
        while self._actions and self._actions[0][0] <= now:
            heapq.heappop(self._actions)[2](now)
            busy = True
        for wire in tuple(self._wires):
            busy |= self._deliver(wire)
        for client in self.clients:
            while (data := client.uplink.receive(now)) is not None:
                self._arrive_at_server(client, data)
                busy = True
            while (data := client.downlink.receive(now)) is not None:
                self._arrive_at_client(data)
                busy = True
            busy |= self._fire(client.name, client.connection, partial(self._drain_client, client))
        return self._fire("server", self.server, self._drain_server) or busy

    def _fire(
        self, name: str, machine: VoiceConnection | VoiceServer, drain: Callable[[], None]
    ) -> bool:
        """Call ``handle_timeout`` where it is due."""
        due = machine.next_timeout()
        if due is None or due > self.now:
            return False
        machine.handle_timeout(self.now)
        drain()
        due = machine.next_timeout()
        if due is not None and due < self.now:
            raise self.failure(f"after handle_timeout, a timer of {name} is in the past: {due}")
        return True

    # -- WebSockets -------------------------------------------------------------------

    def _dial(self, client: Client, link: int, url: str) -> None:
        now = self.now
        if client.refuse_websockets:
            client.refuse_websockets -= 1
            self.at(
                now + 2 * self.websocket_delay,
                lambda now: self.call(
                    client, lambda c: c.websocket_failed(link, "connection refused", now)
                ),
            )
            return
        self._server_links += 1
        wire = WebSocketWire(client, link, self._server_links)
        client.wire = wire
        self._wires.append(wire)
        path = "/" + url.split("://", 1)[-1].partition("/")[2]
        wire.to_server.put((OPENED, None, path), now + self.websocket_delay)

    def _deliver(self, wire: WebSocketWire) -> bool:
        """Hand over one item each way."""
        busy = False
        if (item := wire.to_server.get(self.now)) is not None:
            busy = True
            self._deliver_to_server(wire, item)
        if (item := wire.to_client.get(self.now)) is not None:
            busy = True
            self._deliver_to_client(wire, item)
        if busy and not (wire.client_open or wire.server_open or wire.is_busy):
            self._wires.remove(wire)
        return busy

    def _deliver_to_server(self, wire: WebSocketWire, item: Item) -> None:
        server, link, now = self.server, wire.server_link, self.now
        if item[0] != OPENED and not wire.server_open:
            return
        match item:
            case str():
                self.story.add(now, "server", "receives", _op_of(item))
                server.receive_text(link, item, now)
            case bytes():
                self.story.add(now, "server", "receives binary op", str(item[:1].hex()))
                server.receive_binary(link, item, now)
            case (kind, _, path) if kind == OPENED:
                wire.server_open = True
                wire.to_client.put((OPENED, None, ""), now + self.websocket_delay)
                server.websocket_opened(link, path, now)
            case (_, code, _):
                wire.server_open = False
                server.websocket_closed(link, code, now)
        self._drain_server()

    def _deliver_to_client(self, wire: WebSocketWire, item: Item) -> None:
        client, link, now = wire.owner, wire.client_link, self.now
        if not wire.client_open:
            return
        connection = client.connection
        match item:
            case str():
                self.story.add(now, client.name, "receives", _op_of(item))
                connection.receive_text(link, item, now)
            case bytes():
                self.story.add(now, client.name, "receives binary op", str(item[2:3].hex()))
                connection.receive_binary(link, item, now)
            case (kind, _, _) if kind == OPENED:
                connection.websocket_opened(link, now)
            case (_, code, reason):
                wire.client_open = False
                self.story.add(now, client.name, "is closed with", f"{code} {reason}")
                connection.websocket_closed(link, code, reason, now)
        self._drain_client(client)

    def _send(self, wire: WebSocketWire, *, to_server: bool, item: Item) -> None:
        if not wire.muted:
            pipe = wire.to_server if to_server else wire.to_client
            pipe.put(item, self.now + self.websocket_delay)

    # -- UDP -----------------------------------------------------------------------------

    def _open_udp(self, client: Client, link: int) -> None:
        def answer(now: float) -> None:
            if client.refuse_udp:
                client.refuse_udp -= 1
                self.call(client, lambda c: c.udp_failed(link, "no route to host", now))
                return
            self._next_port += 1
            client.port, client.udp_link = self._next_port, link
            self._sockets[client.port] = (client, link)
            self.call(client, lambda c: c.udp_opened(link, now))

        self.at(self.now, answer)

    def _close_socket(self, client: Client) -> None:
        self._sockets.pop(client.port, None)
        client.port = 0

    def _arrive_at_server(self, client: Client, data: bytes) -> None:
        port = int.from_bytes(data[:2], "big")
        self.server.receive_datagram(data[2:], (client.host, port), self.now)
        self._drain_server()

    def _arrive_at_client(self, data: bytes) -> None:
        socket = self._sockets.get(int.from_bytes(data[:2], "big"))
        if socket is not None:  # else it was closed while this was on its way
            client, link = socket
            client.connection.receive_datagram(link, data[2:], self.now)
            self._drain_client(client)

    # -- outputs ---------------------------------------------------------------------------

    def _drain_client(self, client: Client) -> None:
        poll, now = client.connection.poll, self.now
        for _ in range(MAX_OUTPUTS):
            item = poll()
            match item:
                case None:
                    return
                case AudioFrame():
                    client.frames.append(item)
                case SendDatagram(link, data):
                    if client.port and link == client.udp_link:
                        client.uplink.send(client.port.to_bytes(2, "big") + data, now)
                case SendText(link, text):
                    self.story.add(now, client.name, "sends", _op_of(text))
                    self._client_sends(client, link, text)
                case SendBinary(link, data):
                    self.story.add(now, client.name, "sends binary op", data[:1].hex())
                    self._client_sends(client, link, data)
                case OpenWebSocket(link, url):
                    self.story.add(now, client.name, "dials", url)
                    self._dial(client, link, url)
                case CloseWebSocket(link, code):
                    self.story.add(now, client.name, "closes with", str(code))
                    self._client_sends(client, link, (CLOSE, code, ""))
                case OpenUdp(link):
                    self.story.add(now, client.name, "opens UDP", str(link))
                    self._open_udp(client, link)
                case CloseUdp(link):
                    if link == client.udp_link:
                        self._close_socket(client)
                case _:
                    self.story.add(now, client.name, "reports", item)
                    client.events.append(item)
        raise self.failure(f"{client.name} yields more than {MAX_OUTPUTS} outputs to one call")

    def _client_sends(self, client: Client, link: int, item: Item) -> None:
        wire = client.wire
        if wire is None or wire.client_link != link or not wire.client_open:
            return  # the other end has closed it: what is sent now is lost
        if isinstance(item, tuple):
            wire.client_open = False
        self._send(wire, to_server=True, item=item)

    def _drain_server(self) -> None:
        poll, now = self.server.poll, self.now
        for _ in range(MAX_OUTPUTS):
            item = poll()
            match item:
                case None:
                    return
                case server_outputs.SendDatagram(address, data):
                    socket = self._sockets.get(address[1])
                    if socket is not None:
                        socket[0].downlink.send(address[1].to_bytes(2, "big") + data, now)
                case server_outputs.SendText(link, text):
                    self._server_sends(link, text)
                case server_outputs.SendBinary(link, data):
                    self._server_sends(link, data)
                case server_outputs.CloseWebSocket(link, code, reason):
                    self._server_sends(link, (CLOSE, code, reason))
                case server_outputs.DropWebSocket(link):
                    self._server_sends(link, (CLOSE, None, ""))
                case server_outputs.HostVoiceState():
                    self._tell_host(item)
                case server_outputs.HostVoiceServer():
                    self._tell_host(item)
                case _:
                    self.story.add(now, "server", "reports", item)
                    self.server_events.append(item)
        raise self.failure(f"the server yields more than {MAX_OUTPUTS} outputs to one call")

    def _server_sends(self, link: int, item: Item) -> None:
        for wire in self._wires:
            if wire.server_link == link and wire.server_open:
                self._send(wire, to_server=False, item=item)
                if isinstance(item, tuple):
                    wire.server_open = False

    def _tell_host(
        self, event: server_outputs.HostVoiceState | server_outputs.HostVoiceServer
    ) -> None:
        """Be the host library of the user: hand the event of its main gateway on."""

        for client in self.clients:
            if client.connection.info.user_id == event.user_id:
                self.at(self.now + self.websocket_delay, partial(self._tell, client, event))

    def _tell(
        self,
        client: Client,
        event: server_outputs.HostVoiceState | server_outputs.HostVoiceServer,
        now: float,
    ) -> None:
        connection = client.connection
        self.story.add(now, client.name, "is told by its host", event)
        if isinstance(event, server_outputs.HostVoiceState):
            connection.update_voice_state(event.channel_id, event.session_id, now)
        else:
            connection.update_voice_server(event.token, event.endpoint, now)
        self._drain_client(client)


def _op_of(text: str) -> str:
    """Return which message it is, and no more: it may hold a token or a key."""
    start = text.find('"op":')
    return "op " + text[start + 5 : start + 8].strip(' ,}"d') if start >= 0 else "text"
