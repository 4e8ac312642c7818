"""The voice gateway: typed messages and the state machine, against plain JSON and dicts.

The comparison is what a client does that trusts its server: `json.loads`, the opcode, a dict of
functions. It checks nothing: a member that is missing or mistyped is an exception there, and a
counted violation here.
"""

import json
from collections.abc import Callable, Iterator
from itertools import count
from random import Random

from voicekit import Gateway, VoiceServerInfo
from voicekit._crypto import MODES
from voicekit.messages import decode_text
from voicekit.outputs import OpenWebSocket, SendText

from ..options import Options
from ..results import Row
from ..rounds import Work, consuming

__all__ = ["run"]

MOST = 2000
USER = 80351110224678912
INFO = VoiceServerInfo(
    endpoint="ws://192.0.2.1:80",
    server_id=1,
    channel_id=2,
    user_id=3,
    session_id="session",
    token="token",
)
HELLO = json.dumps({"op": 8, "d": {"heartbeat_interval": 41250, "v": 8}})
READY = json.dumps(
    {"op": 2, "d": {"ssrc": 1, "ip": "192.0.2.1", "port": 50000, "modes": list(MODES)}}
)
DESCRIPTION = json.dumps(
    {
        "op": 4,
        "d": {"mode": MODES[-1], "secret_key": list(range(32)), "dave_protocol_version": 0},
    }
)
HANDSHAKE = (HELLO, READY, DESCRIPTION)


def run(options: Options) -> Iterator[Row]:
    """A message, a heartbeat with its answer, a whole handshake."""
    plain = PlainClient()
    numbers = count(1)

    def speaking(n: int) -> list[str]:
        return [
            f'{{"op":5,"d":{{"user_id":"{USER}","ssrc":7,"speaking":{i & 1}}},"seq":{i & 0xFFFF}}}'
            for i in (next(numbers) for _ in range(n))
        ]

    gateway, link = open_gateway()
    pairs: dict[str, tuple[Work, Work, str]] = {
        "a message decoded": (
            consuming(speaking, "decode(item)", decode=decode_text),
            consuming(speaking, "decode(item)", decode=json.loads),
            "json.loads",
        ),
        "a message through the state machine": (
            consuming(
                speaking,
                "receive(link, item, 1.0)\n    while poll() is not None: pass",
                receive=gateway.receive_text,
                poll=gateway.poll,
                link=link,
            ),
            consuming(speaking, "receive(item)", receive=plain.receive),
            "json.loads and a dict of functions",
        ),
        "a heartbeat and its answer": (
            consuming(range, "beat()", beat=heartbeats()),
            consuming(range, "beat(item)", beat=plain.heartbeat),
            "json.dumps and json.loads",
        ),
        "a handshake: three messages in, two out": (
            consuming(range, "handshake()", handshake=open_gateway),
            consuming(range, "handshake()", handshake=plain_handshake),
            "json and a dict of functions",
        ),
    }
    for name, (ours, theirs, how) in pairs.items():
        found = options.measure({"ours": ours, "plain": theirs}, most=MOST)
        yield Row.timed(
            "gateway",
            name,
            found["ours"],
            "µs",
            limit=found["plain"],
            limit_name=f"standard library: {how}",
            note=f"{1 / found['ours'].minimum:,.0f} a second",
        )


def open_gateway() -> tuple[Gateway, int]:
    """Return a gateway in an open session, and its link."""
    gateway = Gateway(INFO, random=Random(1))
    gateway.start(0.0)
    links = [item.link for item in iter(gateway.poll, None) if isinstance(item, OpenWebSocket)]
    link = links[0]
    gateway.websocket_opened(link, 0.0)
    gateway.receive_text(link, HELLO, 0.0)
    gateway.receive_text(link, READY, 0.0)
    gateway.select_protocol("198.51.100.1", 40000, MODES[-1], 0.0)
    gateway.receive_text(link, DESCRIPTION, 0.0)
    while gateway.poll() is not None:
        pass
    return gateway, link


def heartbeats() -> Callable[[], None]:
    """Return what sends one heartbeat when it is due, and takes its answer."""
    gateway, link = open_gateway()

    def beat() -> None:
        due = gateway.next_timeout()
        assert due is not None
        gateway.handle_timeout(due)
        sent = gateway.poll()
        assert type(sent) is SendText
        # The nonce is all that the server repeats: cut out, for JSON is not what is measured.
        nonce = sent.text.partition('"t":')[2].partition(",")[0].rstrip("}")
        gateway.receive_text(link, f'{{"op":6,"d":{{"t":{nonce}}}}}', due)
        while gateway.poll() is not None:
            pass

    return beat


class PlainClient:
    """What is compared with: no types, no checks, no states."""

    def __init__(self) -> None:
        self.users: dict[int, int] = {}
        self.seq = -1
        self.nonce = 0
        self.key = b""
        self.address: tuple[str, int] = ("", 0)
        self.handlers: dict[int, Callable[[dict[str, object]], None]] = {
            2: self._ready,
            4: self._description,
            5: self._speaking,
            6: self._acknowledged,
            8: self._hello,
        }

    def receive(self, text: str) -> None:
        message = json.loads(text)
        self.seq = message.get("seq", self.seq)
        handler = self.handlers.get(message["op"])
        if handler is not None:
            handler(message["d"])

    def heartbeat(self, nonce: int) -> None:
        self.nonce = nonce
        json.dumps({"op": 3, "d": {"t": nonce, "seq_ack": self.seq}})
        self.receive(f'{{"op":6,"d":{{"t":{nonce}}}}}')

    def _hello(self, data: dict[str, object]) -> None:
        json.dumps({"op": 0, "d": {"server_id": "1", "user_id": "3", "token": "token"}})

    def _ready(self, data: dict[str, object]) -> None:
        self.address = (str(data["ip"]), int(str(data["port"])))
        json.dumps({"op": 1, "d": {"protocol": "udp", "data": {"address": "198.51.100.1"}}})

    def _description(self, data: dict[str, object]) -> None:
        self.key = bytes(data["secret_key"])  # type: ignore[call-overload]

    def _speaking(self, data: dict[str, object]) -> None:
        self.users[int(str(data["ssrc"]))] = int(str(data["user_id"]))

    def _acknowledged(self, data: dict[str, object]) -> None:
        assert data["t"] == self.nonce


def plain_handshake() -> None:
    client = PlainClient()
    for text in HANDSHAKE:
        client.receive(text)
