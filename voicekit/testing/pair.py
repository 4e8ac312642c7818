"""Clients and the voice server on one virtual clock, without sockets and without waiting.

After quinn's `Pair`. A `Pair` holds one `VoiceServer` core and one or more `Client`s, each
with a `VoiceConnection`. WebSockets are ordered and reliable queues, UDP goes through a
`Link` each way; time jumps from one wakeup to the next:

    pair = Pair(clients=2)
    pair.connect()
    alice, bob = pair.clients
    pair.play(alice, 50)
    pair.drive(2.0)
    assert len(bob.frames) == 50

It holds the machines to their contract while it drives them: poll until None after each
call, a bounded number of outputs per call, no timer in the past, no timer that spins.
"""

import heapq
from collections.abc import Callable, Iterable
from random import Random
from typing import TypeVar

from voicekit.config import Config
from voicekit.connection import VoiceConnection
from voicekit.events import AudioFrame
from voicekit.link import Link
from voicekit.outputs import (
    CloseUdp,
    CloseWebSocket,
    OpenUdp,
    OpenWebSocket,
    SendBinary,
    SendDatagram,
    SendText,
)
from voicekit.server import ServerConfig, VoiceServer
from voicekit.server import outputs as server_outputs
from voicekit.server_info import VoiceServerInfo
from voicekit.testing.client import Client, opus_frame
from voicekit.testing.story import DriveFailed, Story
from voicekit.testing.wires import CLOSE, OPENED, Item, WebSocketWire

__all__ = ["Pair"]

#: TEST-NET-1: addresses that exist in documentation only (RFC 5737).
SERVER_ADDRESS = ("192.0.2.1", 50000)
SERVER_ID = 41771983423143937
CHANNEL_ID = 127121515262115840
FIRST_USER_ID = 104694319306248192

FRAME_SECONDS = 0.02
#: The Unix time at 0 of the virtual clock.
WALL = 1_750_000_000.0

#: Outputs and events that one call may yield. A resume can replay a full buffer and a
#: server forwards a packet to everybody in the call; both stay far below.
MAX_OUTPUTS = 10_000
#: Rounds of "deliver, fire timers" at one instant. With no delay anywhere a whole
#: handshake takes a few dozen; machines that answer each other for ever hit this.
MAX_ROUNDS = 1_000

_Answer = TypeVar("_Answer")


class Pair:
    """Clients and a server, driven by a virtual clock.

    ``clients``          how many
    ``config``           of all clients, or one for each
    ``server_config``    of the server
    ``uplink``, ``downlink``  make the `Link` of the n-th client; perfect ones by default
    ``websocket_delay``  seconds a WebSocket message takes, one way
    ``make_connection``  called as `VoiceConnection` is, in its place
    ``seed``             of everything random: two pairs with one seed do the same
    """

    def __init__(
        self,
        *,
        clients: int = 1,
        config: Config | Iterable[Config] | None = None,
        server_config: ServerConfig | None = None,
        uplink: Callable[[int], Link] = lambda number: Link(),
        downlink: Callable[[int], Link] = lambda number: Link(),
        websocket_delay: float = 0.0,
        make_connection: Callable[..., VoiceConnection] = VoiceConnection,
        seed: int = 0,
        now: float = 0.0,
    ) -> None:
        self.now = now
        self.websocket_delay = websocket_delay
        self.story = Story()
        self.steps = 0
        self.server_events: list[object] = []
        self._actions: list[tuple[float, int, Callable[[float], None]]] = []
        self._action_count = 0
        self._wires: list[WebSocketWire] = []
        self._server_links = 0
        self._sockets: dict[int, tuple[Client, int]] = {}  # port: its owner and its link
        self._next_port = 40000
        self.server = VoiceServer(
            server_config if server_config is not None else ServerConfig(),
            random=Random(f"{seed}/server"),
        )
        self.server.set_udp_address(*SERVER_ADDRESS)
        configs = list(config) if isinstance(config, Iterable) else [config] * clients
        self.clients = [
            Client(
                number,
                make_connection(
                    self.info(number, seed),
                    config=configs[number - 1],
                    random=Random(f"{seed}/{number}"),
                ),
                uplink(number),
                downlink(number),
            )
            for number in range(1, clients + 1)
        ]
        self._owner_of_wire: dict[int, Client] = {}
        self.server.start(now)
        self._drain_server()

    @staticmethod
    def info(number: int, seed: int = 0) -> VoiceServerInfo:
        """Return what the n-th client connects with; its token and session id are its own."""
        random = Random(f"{seed}/{number}/info")
        return VoiceServerInfo(
            endpoint=f"ws://{SERVER_ADDRESS[0]}:443",
            server_id=SERVER_ID,
            channel_id=CHANNEL_ID,
            user_id=FIRST_USER_ID + number,
            session_id=random.randbytes(16).hex(),
            token=random.randbytes(8).hex(),
        )

    # -- driving ------------------------------------------------------------------

    def next_timeout(self) -> float | None:
        """Return when something happens next; None: never again by itself."""
        times = [wakeup for _, wakeup in self._wakeups()]
        if self._actions:
            times.append(self._actions[0][0])
        return min(times, default=None)

    def step(self) -> bool:
        """Jump to the next wakeup and do all that is due then; False: there is none."""
        due = self.next_timeout()
        if due is None:
            return False
        self.now = max(self.now, due)
        self.steps += 1
        for _ in range(MAX_ROUNDS):
            if not self._round():
                break
        else:
            raise self.failure(f"still busy after {MAX_ROUNDS} rounds at one instant")
        return True

    def drive(self, seconds: float, max_steps: int = 10_000_000) -> None:
        """Let ``seconds`` pass."""
        end = self.now + seconds
        for _ in range(max_steps):
            due = self.next_timeout()
            if due is None or due > end:
                self.now = end
                return
            self.step()
        raise self.failure(f"{max_steps} steps did not make {seconds} seconds pass")

    def drive_bounded(
        self, max_steps: int = 1_000, *, until: Callable[[], object], what: str = ""
    ) -> None:
        """Step until ``until()`` is true; raise `DriveFailed` with the story if that fails.

        ``what`` says in words what is waited for.
        """
        what = what or getattr(until, "__name__", "the condition")
        for _ in range(max_steps):
            if until():
                return
            if not self.step():
                raise self.failure(f"nothing happens any more, and {what} is not reached")
        if not until():
            raise self.failure(f"{what} is not reached after {max_steps} steps")

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

    # -- what tests do -------------------------------------------------------------

    def connect(self, *clients: Client, max_steps: int = 1_000) -> None:
        """Start ``clients`` (all of them by default) and drive until audio can be sent."""
        started = clients or tuple(self.clients)
        for client in started:
            self.start(client)
        self.drive_bounded(
            max_steps,
            until=lambda: all(client.connection.is_ready for client in started),
            what="a ready session for every client",
        )

    def start(self, client: Client) -> None:
        """Start one client without waiting for anything."""
        now = self.now
        self.call(client, lambda connection: connection.start(now, wall=WALL + now))

    def play(
        self, client: Client, frames: int | Iterable[bytes], *, start: float | None = None
    ) -> list[bytes]:
        """Send Opus packets at 20 ms from ``start`` (now) on; return them.

        A number stands for that many of `opus_frame`. The sending happens while the pair
        is driven; ``client.unsent`` counts what the connection did not take.
        """
        packets = [opus_frame(n) for n in range(frames)] if isinstance(frames, int) else [*frames]
        begin = self.now if start is None else start

        def send(number: int) -> None:
            if number == len(packets):
                return
            # Each from the beginning of time, not from the one before: no drift.
            self.at(begin + number * FRAME_SECONDS, lambda now: send_now(number, now))

        def send_now(number: int, now: float) -> None:
            if not self.call(
                client, lambda connection: connection.send_audio(packets[number], now)
            ):
                client.unsent += 1
            send(number + 1)

        send(0)
        return packets

    def stop_audio(self, client: Client) -> None:
        """End the talk spurt of a client; five frames of silence follow while driven."""
        now = self.now
        self.call(client, lambda connection: connection.stop_audio(now))

    def drop_websocket(self, client: Client, code: int | None = None, reason: str = "") -> None:
        """Lose a client's WebSocket and what is on its way. The server sees no close frame.

        With a ``code`` the client sees that one, as if something in between had closed it.
        """
        wire = client.wire
        if wire is None:
            raise ValueError(f"{client.name} has no WebSocket")
        wire.clear()
        if wire.client_open:
            wire.to_client.put((CLOSE, code, reason), self.now)
        if wire.server_open:
            wire.to_server.put((CLOSE, None, ""), self.now)

    def mute_websocket(self, client: Client) -> None:
        """Let the messages of a client's WebSocket vanish both ways, telling nobody."""
        if client.wire is None:
            raise ValueError(f"{client.name} has no WebSocket")
        client.wire.muted = True

    def fail_udp(self, client: Client, why: str = "network is unreachable") -> None:
        """Break a client's UDP socket."""
        link, now = client.udp_link, self.now
        self._sockets.pop(client.port, None)
        client.port = 0
        self.call(client, lambda connection: connection.udp_failed(link, why, now))

    # -- one instant ------------------------------------------------------------------

    def _wakeups(self) -> list[tuple[str, float]]:
        """Everything that waits for a time, by name."""
        wakeups: list[tuple[str, float | None]] = [("server", self.server.next_timeout())]
        for client in self.clients:
            wakeups.append((client.name, client.connection.next_timeout()))
            wakeups.append((f"the uplink of {client.name}", client.uplink.next_timeout()))
            wakeups.append((f"the downlink of {client.name}", client.downlink.next_timeout()))
        for wire in self._wires:
            wakeups.append(("a WebSocket to its client", wire.to_client.next_timeout()))
            wakeups.append(("a WebSocket to the server", wire.to_server.next_timeout()))
        return [(name, wakeup) for name, wakeup in wakeups if wakeup is not None]

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
            busy |= self._fire(
                client.name, client.connection, lambda c=client: self._drain_client(c)
            )
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
        wire = WebSocketWire(link, self._server_links)
        client.wire = wire
        self._wires.append(wire)
        self._owner_of_wire[wire.server_link] = client
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
            del self._owner_of_wire[wire.server_link]
        return busy

    def _deliver_to_server(self, wire: WebSocketWire, item: Item) -> None:
        server, link, now = self.server, wire.server_link, self.now
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
                if wire.server_open:
                    wire.server_open = False
                    server.websocket_closed(link, code, now)
        self._drain_server()

    def _deliver_to_client(self, wire: WebSocketWire, item: Item) -> None:
        client, link, now = self._owner_of_wire[wire.server_link], wire.client_link, self.now
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
                # The server's end goes with it, as when a close is answered.
                wire.to_server.put((CLOSE, code, ""), now)
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
                        self._sockets.pop(client.port, None)
                        client.port = 0
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
                case _:
                    self.story.add(now, "server", "reports", item)
                    self.server_events.append(item)
        raise self.failure(f"the server yields more than {MAX_OUTPUTS} outputs to one call")

    def _server_sends(self, link: int, item: Item) -> None:
        for wire in self._wires:
            if wire.server_link == link and wire.server_open:
                self._send(wire, to_server=False, item=item)


def _op_of(text: str) -> str:
    """Return which message it is, and no more: it may hold a token or a key."""
    start = text.find('"op":')
    return "op " + text[start + 5 : start + 8].strip(' ,}"d') if start >= 0 else "text"
