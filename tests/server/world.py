"""A voice server and plain clients on a clock that only the test moves.

The clients are as dumb as can be: dictionaries in, dictionaries out. They share nothing with
voicekit's own client but the packet codec, so that its mistakes do not cancel out.
"""

import json
from random import Random
from typing import Any

from voicekit._crypto import TransportCipher
from voicekit._rtp import PacketKind, RtpPacket, demux, open_packet, seal_packet
from voicekit.server import (
    CloseWebSocket,
    DropWebSocket,
    SendBinary,
    SendDatagram,
    SendText,
    ServerConfig,
    SessionStats,
    VoiceServer,
)

XCHACHA = "aead_xchacha20_poly1305_rtpsize"
AES = "aead_aes256_gcm_rtpsize"
SERVER_ID, CHANNEL_ID = 500, 600
#: A 20 ms Opus packet: CELT, full band, stereo, one frame.
OPUS = b"\xfc" + bytes(range(60))


class World:
    """The server, its clock, and everybody who is connected."""

    def __init__(self, *, now: float = 100.0, seed: int = 1, **config: Any) -> None:
        self.now = now
        self.server = VoiceServer(ServerConfig(**config), random=Random(seed))
        self.server.set_udp_address("127.0.0.1", 5000)
        self.server.start(now, wall=1_700_000_000.0)
        self.peers: dict[int, Peer] = {}
        self.by_address: dict[tuple[str, int], Peer] = {}
        self.stray: list[SendDatagram] = []  #: datagrams to addresses that nobody has
        self.events: list[Any] = []
        self.links = 0

    def peer(self, **identity: Any) -> "Peer":
        return Peer(self, **identity)

    def ready(self, **identity: Any) -> "Peer":
        """Return a client that has gone through the whole handshake."""
        peer = Peer(self, **identity)
        peer.connect()
        peer.identify()
        peer.discover()
        peer.select()
        return peer

    def drain(self) -> None:
        while (output := self.server.poll()) is not None:
            match output:
                case SendText(link, text):
                    self.peers[link].receive(json.loads(text))
                case SendBinary(link, data):
                    self.peers[link].receive_binary(data)
                case CloseWebSocket(link, code, _):
                    self.peers.pop(link).closed = code
                case DropWebSocket(link):
                    self.peers.pop(link).closed = "dropped"
                case SendDatagram(address, data):
                    peer = self.by_address.get(address)
                    if peer is None:
                        self.stray.append(output)
                    else:
                        peer.datagrams.append(data)
                case _:
                    self.events.append(output)

    def run(self, seconds: float) -> None:
        """Let time pass, doing what is due at its time."""
        end = self.now + seconds
        for _ in range(100_000):
            due = self.server.next_timeout()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.server.handle_timeout(self.now)
            self.drain()
        else:
            raise AssertionError("timers without end")
        self.now = end

    def events_of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def datagram(self, data: bytes, address: tuple[str, int] = ("192.0.2.66", 6666)) -> None:
        self.server.receive_datagram(data, address, self.now)
        self.drain()


class Peer:
    """One client."""

    def __init__(
        self,
        world: World,
        user_id: int = 1,
        *,
        version: int = 8,
        server_id: int = SERVER_ID,
        channel_id: int | None = None,
        session_id: str | None = None,
        token: str = "token",
        mode: str = XCHACHA,
    ) -> None:
        self.world = world
        self.user_id = user_id
        self.version = version
        self.server_id = server_id
        self.channel_id = channel_id
        self.session_id = f"session-{user_id}" if session_id is None else session_id
        self.token = token
        self.mode = mode
        self.link = 0
        self.address = ("192.0.2.1", 1000 + len(world.by_address))
        world.by_address[self.address] = self
        self.messages: list[dict[str, Any]] = []
        self.binary: list[bytes] = []
        self.datagrams: list[bytes] = []
        self.closed: int | str | None = None
        self.seq = -1
        self.ssrc = 0
        self.cipher: TransportCipher | None = None
        self.sequence = 100
        self.timestamp = 5000

    # -- WebSocket --------------------------------------------------------------

    def connect(self, path: str | None = None) -> None:
        self.world.links += 1
        self.link = self.world.links
        self.closed = None
        self.world.peers[self.link] = self
        path = f"/?v={self.version}" if path is None else path
        self.world.server.websocket_opened(self.link, path, self.world.now)
        self.world.drain()

    def receive(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        if "seq" in message:
            self.seq = message["seq"]
        if message["op"] == 2:
            self.ssrc = message["d"]["ssrc"]
        elif message["op"] == 4:
            key = bytes(message["d"]["secret_key"])
            self.cipher = TransportCipher(message["d"]["mode"], key, nonce_start=0)

    def receive_binary(self, data: bytes) -> None:
        self.binary.append(data)
        self.seq = int.from_bytes(data[:2], "big")

    def text(self, text: str) -> None:
        self.world.server.receive_text(self.link, text, self.world.now)
        self.world.drain()

    def send(self, op: int, data: Any) -> None:
        self.text(json.dumps({"op": op, "d": data}))

    def send_binary(self, data: bytes) -> None:
        self.world.server.receive_binary(self.link, data, self.world.now)
        self.world.drain()

    def identify(self, **changes: Any) -> None:
        data: dict[str, Any] = {
            "server_id": str(self.server_id),
            "user_id": str(self.user_id),
            "session_id": self.session_id,
            "token": self.token,
        }
        if self.channel_id is not None:
            data["channel_id"] = str(self.channel_id)
        self.send(0, data | changes)

    def select(self, **changes: Any) -> None:
        host, port = self.address
        data = {"address": host, "port": port, "mode": self.mode} | changes
        self.send(1, {"protocol": "udp", "data": data})

    def resume(self, seq_ack: int | None = -2, **changes: Any) -> None:
        """Dial anew and resume; ``seq_ack`` -2: what was seen last; None: leave it out."""
        self.connect()
        data: dict[str, Any] = {
            "server_id": str(self.server_id),
            "session_id": self.session_id,
            "token": self.token,
        }
        if self.version >= 8 and seq_ack is not None:
            data["seq_ack"] = self.seq if seq_ack == -2 else seq_ack
        self.send(7, data | changes)

    def close(self, code: int | None = 1000) -> None:
        del self.world.peers[self.link]
        self.world.server.websocket_closed(self.link, code, self.world.now)
        self.world.drain()

    def ops(self) -> list[int]:
        """The opcodes received since the last call."""
        return [message["op"] for message in self.taken()]

    def taken(self) -> list[dict[str, Any]]:
        messages, self.messages = self.messages, []
        return messages

    def data_of(self, op: int) -> list[Any]:
        return [message["d"] for message in self.messages if message["op"] == op]

    def speak(self, flags: int = 1) -> None:
        self.send(5, {"speaking": flags, "delay": 0, "ssrc": self.ssrc})

    # -- UDP ----------------------------------------------------------------------

    def datagram(self, data: bytes, address: tuple[str, int] | None = None) -> None:
        self.world.datagram(data, self.address if address is None else address)

    def discover(self) -> None:
        self.datagram(b"\0\1\0\x46" + self.ssrc.to_bytes(4, "big") + bytes(66))

    def seal(self, payload: bytes = OPUS, **changes: Any) -> bytes:
        """Seal the next packet without sending it."""
        assert self.cipher is not None
        header = {
            "sequence": self.sequence & 0xFFFF,
            "timestamp": self.timestamp & 0xFFFF_FFFF,
            "ssrc": self.ssrc,
        }
        self.sequence += 1
        self.timestamp += 960
        return seal_packet(self.cipher, payload=payload, **(header | changes))

    def play(self, count: int = 1, **changes: Any) -> None:
        """Send ``count`` packets, one each 20 ms."""
        for number in range(count):
            if number:
                self.world.run(0.02)
            self.datagram(self.seal(**changes))

    def heard(self) -> list[RtpPacket]:
        """Open and take what has come by UDP."""
        assert self.cipher is not None
        datagrams, self.datagrams = self.datagrams, []
        return [
            open_packet(self.cipher, data) for data in datagrams if demux(data) is PacketKind.RTP
        ]

    @property
    def stats(self) -> SessionStats:
        """The newest account of this user's sessions."""
        accounts = [s for s in self.world.server.stats() if s.user_id == self.user_id]
        return accounts[-1]
