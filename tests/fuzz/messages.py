"""Gateway messages against both ends: what a server may send to us, what clients may send to it.

Each episode is one WebSocket. It begins as a proper handshake, so that every state is
reached, and then goes wrong in the structure of the messages or in their text.
"""

import json
import re
from collections import Counter, deque
from collections.abc import Iterator
from random import Random
from typing import Any

from tests.fuzz.mutate import mutate_bytes, mutate_json, mutate_text
from voicekit._crypto import available_modes
from voicekit.codes import Opcode
from voicekit.config import Config
from voicekit.connection import VoiceConnection
from voicekit.discovery import build_reply
from voicekit.events import NeedNewSession, WaitingForUpdate
from voicekit.messages import BadMessage, decode_text
from voicekit.outputs import OpenUdp, OpenWebSocket, SendText
from voicekit.testing import Pair

MESSAGES_PER_EPISODE = 40
MAX_OUTPUTS = 1000

#: None of the users whose call goes on beside the fuzzing.
USERS = ("204694319306248192", "204694319306248193", "7")


def server_message(op: int, random: Random) -> dict[str, Any]:
    """Return a valid message of a server."""
    user = random.choice(USERS)
    data: Any = {
        Opcode.READY: lambda: {
            "ssrc": random.getrandbits(32),
            "ip": random.choice(("192.0.2.1", "2001:db8::1", "voice.example")),
            "port": random.randint(1, 65535),
            "modes": [*available_modes(), "xsalsa20_poly1305"],
            "heartbeat_interval": 1,
        },
        Opcode.HEARTBEAT: lambda: None,
        Opcode.SESSION_DESCRIPTION: lambda: {
            "mode": random.choice(available_modes()),
            "secret_key": list(random.randbytes(32)),
            "dave_protocol_version": 0,
        },
        Opcode.SPEAKING: lambda: {
            "user_id": user,
            "ssrc": random.choice((1, 2, random.getrandbits(32))),
            "speaking": random.choice((0, 1, 2, 5)),
        },
        Opcode.HEARTBEAT_ACK: lambda: {"t": random.getrandbits(50)},
        Opcode.HELLO: lambda: {"heartbeat_interval": random.choice((41250.0, 13750, 1000)), "v": 8},
        Opcode.RESUMED: lambda: None,
        Opcode.CLIENTS_CONNECT: lambda: {"user_ids": list(USERS)},
        Opcode.VIDEO: lambda: {"user_id": user, "audio_ssrc": 1, "video_ssrc": 2, "rtx_ssrc": 3},
        Opcode.CLIENT_DISCONNECT: lambda: {"user_id": user},
        Opcode.SESSION_UPDATE: lambda: {"audio_codec": "opus", "video_codec": "H264"},
        Opcode.MEDIA_SINK_WANTS: lambda: {"any": 100, "1": 50, "pixelCounts": {"1": 1}},
        Opcode.VOICE_BACKEND_VERSION: lambda: {"voice": "0.11.2", "rtc_worker": "0.4.1"},
        Opcode.CLIENT_FLAGS: lambda: {"user_id": user, "flags": 3},
        Opcode.CLIENT_PLATFORM: lambda: {"user_id": user, "platform": 0},
        Opcode.DAVE_PREPARE_TRANSITION: lambda: {"transition_id": 0, "protocol_version": 0},
        Opcode.DAVE_EXECUTE_TRANSITION: lambda: {"transition_id": 0},
        Opcode.DAVE_PREPARE_EPOCH: lambda: {"protocol_version": 1, "epoch": 1},
    }.get(op, lambda: {"something": ["new"]})()  # type: ignore[call-overload]
    message: dict[str, Any] = {"op": op, "d": data}
    if random.random() < 0.7:
        message["seq"] = random.getrandbits(16)
    return message


def client_message(op: int, random: Random) -> dict[str, Any]:
    """Return a valid message of a client."""
    user = random.choice(USERS)
    identity = {"server_id": "41771983423143937", "session_id": f"session-{user}", "token": "token"}
    data: Any = {
        Opcode.IDENTIFY: identity | {"user_id": user, "max_dave_protocol_version": 0},
        Opcode.SELECT_PROTOCOL: {
            "protocol": "udp",
            "data": {
                "address": "203.0.113.4",
                "port": 1337,
                "mode": random.choice(available_modes()),
            },
        },
        Opcode.HEARTBEAT: {"t": random.getrandbits(50), "seq_ack": random.randint(-1, 40)},
        Opcode.SPEAKING: {"speaking": random.choice((0, 1)), "delay": 0, "ssrc": 1},
        Opcode.RESUME: identity | {"seq_ack": random.randint(-1, 40)},
        Opcode.VIDEO: {"audio_ssrc": 1, "video_ssrc": 0, "rtx_ssrc": 0, "streams": []},
        Opcode.MEDIA_SINK_WANTS: {"any": 100},
        Opcode.VOICE_BACKEND_VERSION: {},
        Opcode.DAVE_TRANSITION_READY: {"transition_id": 1},
        Opcode.MLS_INVALID_COMMIT_WELCOME: {"transition_id": 1},
    }.get(op, {})  # type: ignore[call-overload]
    return {"op": op, "d": data}


class _Handshake:
    """The other end of one connection: what a server should do next, by what it is sent."""

    def __init__(self, connection: VoiceConnection) -> None:
        self.connection = connection
        self.link = 0
        self.plan: deque[int | str] = deque()
        self._udp_link = 0

    def react(self, now: float) -> None:
        """Take all outputs; open what is to be opened, and plan the answers."""
        connection = self.connection
        items: list[object] = []
        while (item := connection.poll()) is not None:
            items.append(item)
            assert len(items) < MAX_OUTPUTS
        for item in items:
            match item:
                case OpenWebSocket(link):
                    self.link = link
                    self.plan.clear()
                    connection.websocket_opened(link, now)
                    self.react(now)
                case SendText(_, text):
                    self.plan += _ANSWERS.get(json.loads(text)["op"], ())
                case OpenUdp(link):
                    self._udp_link = link
                    connection.udp_opened(link, now)
                    self.plan.append("udp")
                case WaitingForUpdate() | NeedNewSession():
                    connection.update_voice_state(5, "another session", now)
                    self.plan.append("update")

    def answer_discovery(self, now: float) -> None:
        reply = build_reply(self.connection.ssrc or 0, "203.0.113.9", 1234)
        self.connection.receive_datagram(self._udp_link, reply, now)


#: What a server says to each opcode of a client.
_ANSWERS: dict[int, tuple[int, ...]] = {
    Opcode.IDENTIFY: (Opcode.HELLO, Opcode.READY),
    Opcode.SELECT_PROTOCOL: (Opcode.SESSION_DESCRIPTION,),
    Opcode.RESUME: (Opcode.HELLO, Opcode.RESUMED),
}


class MessageFuzz:
    """One seeded run. ``counts`` says what became of the messages."""

    def __init__(self, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.inputs = 0
        self._random = Random(f"{seed}/messages")
        self._pair = Pair(clients=2, seed=seed)
        self._pair.connect()
        self._links = 1_000_000  # of strangers, on the server

    def run(self, count: int) -> None:
        """Feed ``count`` messages, half of them to clients, half to the server."""
        done = 0
        while done < count:
            episode = self._fuzz_client if self._random.random() < 0.5 else self._fuzz_server
            done += episode(min(MESSAGES_PER_EPISODE, count - done))
        self._check_that_the_call_goes_on()

    def _damaged(self, message: dict[str, Any]) -> str:
        """Return the text of ``message``, damaged in two of three cases."""
        random = self._random
        kind = random.random()
        if kind < 0.45:
            message = mutate_json(message, random)
            if random.random() < 0.3:
                message = mutate_json(message, random)
        text = json.dumps(message)
        if kind > 0.85:
            text = mutate_text(text, random)
        self._check_codec(text)
        return text

    def _check_codec(self, text: str) -> None:
        """Decode as the standard library does; refuse, but do not misread."""
        try:
            message = decode_text(text)
        except BadMessage:
            self.counts["refused"] += 1
            return
        self.counts["decoded"] += 1
        plain = json.loads(text)
        assert message.op == plain["op"]
        assert message.seq == plain.get("seq")
        if message.raw:
            assert repr(json.loads(message.raw)) == repr(plain.get("d"))

    # -- our connection ---------------------------------------------------------------

    def _fuzz_client(self, count: int) -> int:
        random = self._random
        config = Config(
            gateway_version=random.choice((4, 8, 9)), receive_only=random.random() < 0.3
        )
        server = _Handshake(VoiceConnection(Pair.info(1), config=config, random=random))
        connection = server.connection
        now = random.random() * 1e6
        connection.start(now)
        for _ in range(count):
            self.inputs += 1
            server.react(now)
            now += random.choice((0.0, 0.001, 0.02, 1.0))
            if "BACKING_OFF" in connection.state.name:
                now = max(now, connection.next_timeout() or now)
                self._check_timers(connection, now)
                server.react(now)
            kind = random.random()
            if server.plan and kind < 0.8:
                step = server.plan.popleft()
                if step == "udp":
                    server.answer_discovery(now)
                elif step == "update":
                    connection.update_voice_server("token", Pair.info(1).endpoint, now)
                else:
                    self._say(server, step, now, damaged=random.random() < 0.1)
            elif kind < 0.82:
                code = random.choice((None, 1000, 1006, 4006, 4015, 4014, 4999))
                connection.websocket_closed(server.link, code, "", now)
            elif kind < 0.86:
                data = random.randbytes(2) + bytes([random.randint(25, 30)]) + random.randbytes(9)
                connection.receive_binary(server.link, mutate_bytes(data, random), now)
            elif kind < 0.88:
                connection.send_audio(b"\xf8\xff\xfe", now)
            else:
                step = random.choice((2, 3, 4, 5, 5, 6, 8, 9, *range(34), 255))
                self._say(server, step, now, damaged=random.random() < 0.7)
            self._check_timers(connection, now)
            self.counts[f"client: {connection.state.name}"] += 1
        stats = connection.stats()
        self.counts["client: violations"] += stats.violations
        self.counts["client: ignored"] += stats.ignored_messages
        return count

    def _say(self, server: "_Handshake", op: int, now: float, *, damaged: bool) -> None:
        message = server_message(op, self._random)
        text = self._damaged(message) if damaged else json.dumps(message)
        server.connection.receive_text(server.link, text, now)

    def _check_timers(self, connection: VoiceConnection, now: float) -> None:
        for _ in range(100):
            due = connection.next_timeout()
            if due is None or due > now:
                return
            connection.handle_timeout(now)
        raise AssertionError("a timer stays due")

    # -- our server -------------------------------------------------------------------------

    def _fuzz_server(self, count: int) -> int:
        random, pair = self._random, self._pair
        server = pair.server
        link, script = self._open_link(), self._client_script()
        for _ in range(count):
            self.inputs += 1
            late = server.server_stats().late_inputs
            if random.random() < 0.1:
                data = bytes([random.choice((26, 28, 0, 255))]) + random.randbytes(9)
                server.receive_binary(link, mutate_bytes(data, random), pair.now)
            else:
                message = client_message(next(script), random)
                text = self._damaged(message) if random.random() < 0.5 else json.dumps(message)
                server.receive_text(link, text, pair.now)
            pair.drain()
            if random.random() < 0.1:
                pair.drive(0.05)
            if server.server_stats().late_inputs > late:  # it has closed that one
                link, script = self._open_link(), self._client_script()
        if random.random() < 0.8:
            server.websocket_closed(link, random.choice((None, 1000, 4000)), pair.now)
            pair.drain()
        pair.drive(0.5)
        for client in pair.clients:
            client.events.clear()
        return count

    def _open_link(self) -> int:
        random, pair = self._random, self._pair
        self._links += 1
        paths = ("/?v=8", "/?v=8", "/?v=4", "/?v=9", "/", "/?v=99", "/?v=\ud800", "?" * 5000)
        pair.server.websocket_opened(self._links, random.choice(paths), pair.now)
        pair.drain()
        return self._links

    def _client_script(self) -> Iterator[int]:
        """Yield opcodes: a handshake, then what clients send, then anything."""
        random = self._random
        yield Opcode.IDENTIFY if random.random() < 0.7 else Opcode.RESUME
        yield Opcode.SELECT_PROTOCOL
        while True:
            usual = (Opcode.HEARTBEAT, Opcode.SPEAKING, Opcode.VIDEO, Opcode.VOICE_BACKEND_VERSION)
            yield random.choice(usual) if random.random() < 0.8 else random.randint(0, 33)

    def _check_that_the_call_goes_on(self) -> None:
        pair = self._pair
        first, second = pair.clients
        first.frames.clear()
        sent = pair.play(second, 20)
        pair.drive(1.0)
        assert [frame.opus for frame in first.frames] == sent
        accounts = [session.messages_bad for session in pair.server.stats()]
        for account in [*accounts, pair.server.server_stats().messages_bad]:
            for reason, number in account.items():
                # "op_5_4001" and the like: 256 opcodes in one count per close code.
                reason = re.sub(r"op_\d+_", "closed ", reason)
                self.counts[f"server: {reason}"] += number
