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

from collections.abc import Callable, Iterable
from random import Random

from msgspec import structs

from voicekit.config import Config
from voicekit.connection import VoiceConnection
from voicekit.link import Link
from voicekit.server import ServerConfig, VoiceServer
from voicekit.server_info import VoiceServerInfo
from voicekit.testing.client import Client, opus_frame
from voicekit.testing.network import Network
from voicekit.testing.wires import CLOSE

__all__ = ["Pair"]

#: TEST-NET-1: addresses that exist in documentation only (RFC 5737).
SERVER_ADDRESS = ("192.0.2.1", 50000)
ENDPOINT = f"ws://{SERVER_ADDRESS[0]}:443"
SERVER_ID = 41771983423143937
CHANNEL_ID = 127121515262115840
FIRST_USER_ID = 104694319306248192

FRAME_SECONDS = 0.02
#: The Unix time at 0 of the virtual clock.
WALL = 1_750_000_000.0

#: Rounds of "deliver, fire timers" at one instant. With no delay anywhere a whole
#: handshake takes a few dozen; machines that answer each other for ever hit this.
MAX_ROUNDS = 1_000


class Pair(Network):
    """Clients and a server, driven by a virtual clock.

    ``clients``          how many
    ``config``           of all clients, or one for each
    ``server_config``    of the server
    ``uplink``, ``downlink``  make the `Link` of the n-th client; perfect ones by default
    ``websocket_delay``  seconds a WebSocket message takes, one way
    ``make_connection``  called as `VoiceConnection` is, in its place
    ``dave``             end-to-end encrypt the call, with real MLS groups
    ``seed``             of everything random: two pairs with one seed do the same, unless
                         they encrypt: the randomness of the DAVE library is its own
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
        dave: bool = False,
        seed: int = 0,
        now: float = 0.0,
    ) -> None:
        server_config = server_config if server_config is not None else ServerConfig()
        if dave:
            # Below gateway version 9 clients do not name the channel, the group's id.
            server_config = structs.replace(server_config, default_channel_id=CHANNEL_ID)
        server = VoiceServer(server_config, random=Random(f"{seed}/server"))
        server.set_udp_address(*SERVER_ADDRESS)
        server.host.endpoint = ENDPOINT
        self._make_connection = make_connection
        self._configs = list(config) if isinstance(config, Iterable) else [config] * clients
        self._seed = seed
        super().__init__(
            server,
            [
                Client(number, self._connection(number), uplink(number), downlink(number))
                for number in range(1, clients + 1)
            ],
            now,
            websocket_delay,
        )
        self.server.start(now, wall=WALL + now)
        self._drain_server()

    def _connection(self, number: int, generation: int = 0) -> VoiceConnection:
        random = Random(f"{self._seed}/{number}/{generation}")
        info = self.info(number, self._seed)
        return self._make_connection(info, config=self._configs[number - 1], random=random)

    @staticmethod
    def info(number: int, seed: int = 0) -> VoiceServerInfo:
        """Return what the n-th client connects with; its token and session id are its own."""
        random = Random(f"{seed}/{number}/info")
        return VoiceServerInfo(
            endpoint=ENDPOINT,
            server_id=SERVER_ID,
            channel_id=CHANNEL_ID,
            user_id=FIRST_USER_ID + number,
            session_id=random.randbytes(16).hex(),
            token=random.randbytes(8).hex(),
        )

    # -- driving ------------------------------------------------------------------

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

    def restart(self, client: Client) -> None:
        """Start a new connection in the place of the client's old one, as the same user.

        The old one is forgotten as if its process had died: its sockets go, the server
        sees no close frame. What it reported stays in ``client``.
        """
        if client.wire is not None and client.wire.client_open:
            self.drop_websocket(client)
            client.wire.client_open = False
        client.wire = None
        self._close_socket(client)
        client.generation += 1
        client.connection = self._connection(client.number, client.generation)
        self.start(client)

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
        self._close_socket(client)
        self.call(client, lambda connection: connection.udp_failed(link, why, now))
