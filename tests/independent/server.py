"""A second, plain voice server: what voicekit's client is held against besides its own.

On asyncio, struct, hashlib, json and `cryptography`; nothing of voicekit, so that no
misunderstanding can sit on both sides of a test. Gateway versions 4 to 9, both transport
modes, discovery, forwarding, buffered resume, a judge of every client (judge.py), and the delivery
service of end-to-end encryption (delivery.py, mls.py) where the channel is known: gateway
version 9 names it, or ``--channel-id`` does.

    python tests/independent/server.py [--tls] [--fault close:4015@2] ...

prints one JSON line when it listens and one with the counts of every session when it ends.
"""

import argparse
import asyncio
import contextlib
import hmac
import json
import secrets
import signal
import ssl
import struct
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import messages as gateway
from certificates import write_certificates
from delivery import Delivery
from judge import HEADER, PAYLOAD_TYPE, Audio, Judge
from messages import Refused
from options import OFFERS, Fault, parse_options
from rfc6455 import Closed, WebSocket, accept
from session import Address, Session

DISCOVERY = struct.Struct(">HHI64sH")
DISCOVERY_REQUEST, DISCOVERY_REPLY, DISCOVERY_LENGTH = 1, 2, 70
KEEPALIVE_SIZE = 8
RTCP_TYPES = range(192, 224)
VERSION_2, EXTENSION_BIT, PADDING_BIT = 0x80, 0x10, 0x20
#: RFC 8285: profile and one word (clear); id 1, audio level, and id 9, speaker flags.
EXTENSION_PREAMBLE, EXTENSION_BODY = bytes.fromhex("BEDE0001"), bytes.fromhex("10A49002")

MAX_MESSAGE = 1 << 20
AUTHENTICATION_TIMEOUT = 10.0
CLOSING_TIMEOUT = 1.0
#: Datagrams that wait in the socket at the end still count; asyncio reads one per turn.
DRAIN_TIME = 0.1
#: A client is gone when this many heartbeats were not heard.
MISSED_HEARTBEATS = 3


class VoiceServer(asyncio.DatagramProtocol):
    """The calls of all guilds; a guild's clients hear each other."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.modes = OFFERS[options.mode]
        self.sessions: dict[int, Session] = {}  # by SSRC
        self.addresses: dict[Address, Session] = {}
        self.ended: list[Session] = []
        self.faulted: set[int] = set()
        self.calls: dict[int, Delivery] = {}  # by guild, where DAVE is spoken
        self.connections: dict[asyncio.Task[None], asyncio.WriteTransport] = {}

    # -- WebSocket -----------------------------------------------------------

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one TCP connection to its end."""
        task: Any = asyncio.current_task()
        self.connections[task] = writer.transport
        try:
            async with asyncio.timeout(AUTHENTICATION_TIMEOUT):
                link = await accept(reader, writer, MAX_MESSAGE)
            if link is not None:
                await self._converse(link)
        except TimeoutError:
            pass
        finally:
            with contextlib.suppress(OSError, TimeoutError):
                writer.close()
                async with asyncio.timeout(CLOSING_TIMEOUT):
                    await writer.wait_closed()
            del self.connections[task]

    async def _converse(self, link: WebSocket) -> None:
        session: Session | None = None
        try:
            version = _version(link.target)
            heartbeat = self.options.heartbeat
            link.send(
                gateway.encode(gateway.HELLO, {"v": version, "heartbeat_interval": heartbeat})
            )
            while True:
                limit = MISSED_HEARTBEATS * heartbeat / 1000
                message = await _receive(link, limit if session else AUTHENTICATION_TIMEOUT)
                if isinstance(message, bytes):
                    self._handle_binary(session, message)
                    continue
                op, data = gateway.decode(message)
                if session is None:
                    session = self._authenticate(link, version, op, data)
                else:
                    self._handle(session, op, data)
        except Refused as error:
            link.close(error.code, str(error))
            self._lost(session, link, error.code, ended=True)
            with contextlib.suppress(Closed, Refused):
                await _receive(link, CLOSING_TIMEOUT)
        except Closed as error:
            if error.by_peer:
                ended = error.code in gateway.LEAVING
            else:
                ended = error.code not in gateway.RESUMABLE
            self._lost(session, link, error.code, ended=ended)

    def _lost(self, session: Session | None, link: WebSocket, code: int, *, ended: bool) -> None:
        if session is None:
            return
        session.closes.append(code)
        if session.link is not link:
            return  # a resume came first
        session.link = None
        # Without a session description there is nothing to resume. Audio that was sent
        # before the close may still be in the other socket: it belongs to the session.
        session.over = ended or session.cipher is None
        wait = DRAIN_TIME if session.over else self.options.resume_window
        session.expiry = asyncio.get_running_loop().call_later(wait, self.end, session)

    def _authenticate(self, link: WebSocket, version: int, op: int, data: Any) -> Session | None:
        if op == gateway.IDENTIFY:
            return self._identify(link, version, data)
        if op == gateway.RESUME:
            return self._resume(link, version, data)
        if op != gateway.HEARTBEAT:
            raise Refused(gateway.NOT_AUTHENTICATED, "Not authenticated.")
        link.send(gateway.heartbeat_ack(version, data))
        return None

    def _identify(self, link: WebSocket, version: int, data: Any) -> Session:
        user_id = gateway.snowflake(data, "user_id")
        server_id, session_id, token = _credentials(version, data)
        expected = self.options.token
        if expected is not None and not hmac.compare_digest(expected.encode(), token.encode()):
            raise Refused(gateway.WRONG_TOKEN, "Authentication failed.")
        speaks_dave = version >= gateway.BUFFERED and bool(data.get("max_dave_protocol_version"))
        if self.options.dave == "required" and not speaks_dave:
            raise Refused(gateway.DAVE_REQUIRED, "E2EE/DAVE protocol required.")
        if self.options.dave != "off":
            self._found_call(server_id, data)
        for old in self._members(server_id):
            if old.user_id == user_id:
                if old.link is not None:
                    old.link.close(gateway.SESSION_INVALID, "Session is no longer valid.")
                self.end(old)
        others = self._members(server_id)
        ssrc = secrets.randbelow(1 << 32)
        while ssrc in self.sessions:
            ssrc = secrets.randbelow(1 << 32)
        session = Session(user_id, server_id, session_id, token, version, ssrc, Judge(ssrc), link)
        session.speaks_dave = speaks_dave
        self.sessions[ssrc] = session
        host, port = self.udp_address
        ready = {"ssrc": ssrc, "ip": host, "port": port, "modes": self.modes}
        # The heartbeat interval of Ready is wrong, as the real one's is.
        session.send(gateway.READY, {**ready, "heartbeat_interval": 1})
        call = self.calls.get(server_id)
        session.unaware = set(call.gone()) if call else set()
        _introduce(session, [other.user_id for other in others], session.unaware - {user_id})
        for other in others:
            other.unaware.discard(user_id)
            _introduce(other, [user_id])
        return session

    def _resume(self, link: WebSocket, version: int, data: Any) -> Session:
        server_id, session_id, token = _credentials(version, data)
        seq_ack = gateway.integer(data, "seq_ack") if version >= gateway.BUFFERED else -1
        for session in self._members(server_id):
            same = (session.session_id, session.token) == (session_id, token)
            if same and session.cipher is not None and not session.over:
                break
        else:
            raise Refused(gateway.SESSION_INVALID, "Session is no longer valid.")
        session.acknowledge(seq_ack)
        session.attach(link)
        link.send(gateway.encode(gateway.RESUMED, None))
        for _, message in session.sent:
            link.send(message)
        return session

    def _handle(self, session: Session, op: int, data: Any) -> None:
        if op == gateway.HEARTBEAT:
            if session.version >= gateway.BUFFERED:
                session.acknowledge(gateway.integer(data, "seq_ack"))
            if session.link is not None and not session.muted:
                session.link.send(gateway.heartbeat_ack(session.version, data))
        elif op == gateway.SELECT_PROTOCOL:
            self._select_protocol(session, data)
        elif op == gateway.SPEAKING:
            self._speaking(session, data)
        elif op in (gateway.TRANSITION_READY, gateway.INVALID_COMMIT):
            self._handle_dave(session, op, gateway.integer(data, "transition_id"))
        elif op in (gateway.IDENTIFY, gateway.RESUME):
            raise Refused(gateway.ALREADY_AUTHENTICATED, "Already authenticated.")
        elif op not in gateway.IGNORED:
            raise Refused(gateway.BAD_OPCODE, "Unknown opcode.")

    def _handle_binary(self, session: Session | None, message: bytes) -> None:
        if session is None:
            raise Refused(gateway.NOT_AUTHENTICATED, "Not authenticated.")
        if not message or message[0] not in (gateway.KEY_PACKAGE, gateway.COMMIT_WELCOME):
            raise Refused(gateway.BAD_OPCODE, "Unknown opcode.")
        self._handle_dave(session, message[0], message[1:])

    def _handle_dave(self, session: Session, op: int, payload: Any) -> None:
        call = self.calls.get(session.server_id)
        if call is None or session.cipher is None or not session.speaks_dave:
            return
        if op == gateway.TRANSITION_READY:
            call.ready(session.user_id, payload)
        elif op == gateway.INVALID_COMMIT:
            call.invalid(session.user_id)
        elif op == gateway.KEY_PACKAGE:
            call.key_package(session.user_id, payload)
        else:
            call.commit(session.user_id, payload)
        self._say_goodbyes(session.server_id, call)

    def _found_call(self, server_id: int, data: Any) -> None:
        """Make the delivery service of a guild's call, if it is known which channel it is in."""
        if "channel_id" in data:
            channel_id = gateway.snowflake(data, "channel_id")
        else:
            channel_id = self.options.channel_id
        if channel_id is not None and not self._members(server_id):
            self.calls[server_id] = Delivery(
                channel_id,
                lambda user_id, op, payload: self._deliver(server_id, user_id, op, payload),
                asyncio.get_running_loop().call_later,
            )

    def _deliver(self, server_id: int, user_id: int, op: int, payload: Any) -> None:
        for session in self._members(server_id):
            if session.user_id == user_id:
                session.take_dave(op, payload, asyncio.get_running_loop().time())

    def _say_goodbyes(self, server_id: int, call: Delivery) -> None:
        """Op 13 of those who left, once a welcome can not name them any more."""
        for session in self._members(server_id):
            for user_id in {user for user in session.unaware if not call.in_group(user)}:
                session.unaware.discard(user_id)
                session.send(gateway.CLIENT_DISCONNECT, {"user_id": str(user_id)})

    def _select_protocol(self, session: Session, data: Any) -> None:
        if gateway.text(data, "protocol") != "udp":
            raise Refused(gateway.BAD_PROTOCOL, "Unknown protocol.")
        chosen = data.get("data")
        address = gateway.text(chosen, "address"), gateway.integer(chosen, "port")
        mode = gateway.text(chosen, "mode")
        if mode not in self.modes:
            raise Refused(gateway.BAD_MODE, "Unknown encryption mode.")
        if address != session.address:
            session.judge.bad["address"] += 1
        key = secrets.token_bytes(32)
        session.describe(mode, key)
        call = self.calls.get(session.server_id)
        session.dave_version = call.version_with(session.speaks_dave) if call else 0
        description = {"mode": mode, "secret_key": list(key), "audio_codec": "opus"}
        description["dave_protocol_version"] = session.dave_version
        session.send(gateway.SESSION_DESCRIPTION, description)
        if call:
            call.join(session.user_id, session.speaks_dave)
        for other in self._others(session):
            if other.speaking is not None:
                session.send(gateway.SPEAKING, other.speaking)
        if session.user_id not in self.faulted:
            self.faulted.add(session.user_id)
            for fault in self.options.fault:
                if fault.user_id in (None, session.user_id):
                    asyncio.get_running_loop().call_later(fault.after, _harm, session, fault)

    def _speaking(self, session: Session, data: Any) -> None:
        flags = gateway.integer(data, "speaking")
        if gateway.integer(data, "ssrc") != session.ssrc:
            session.judge.bad["speaking_ssrc"] += 1
            return
        session.judge.speaking(flags, asyncio.get_running_loop().time())
        user_id = str(session.user_id)
        session.speaking = {"speaking": flags, "ssrc": session.ssrc, "user_id": user_id}
        for other in self._others(session):
            if other.cipher is not None:
                other.send(gateway.SPEAKING, session.speaking)

    def end(self, session: Session) -> None:
        """Forget a session and tell the others."""
        if self.sessions.pop(session.ssrc, None) is None:
            return
        self.ended.append(session)
        if session.expiry is not None:
            session.expiry.cancel()
        if session.address is not None:
            self.addresses.pop(session.address, None)
        call, others = self.calls.get(session.server_id), self._members(session.server_id)
        if call and not others:
            del self.calls[session.server_id]
        elif call:
            call.leave(session.user_id)
        for other in others:
            if call and call.in_group(session.user_id) and not call.follows(other.user_id):
                other.unaware.add(session.user_id)  # its welcome may name who left
            else:
                other.send(gateway.CLIENT_DISCONNECT, {"user_id": str(session.user_id)})
        if call:
            self._say_goodbyes(session.server_id, call)

    def _members(self, server_id: int) -> list[Session]:
        return [session for session in self.sessions.values() if session.server_id == server_id]

    def _others(self, session: Session) -> list[Session]:
        return [other for other in self._members(session.server_id) if other is not session]

    # -- UDP -----------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Note the socket."""
        self.udp: asyncio.DatagramTransport = transport
        self.udp_address: Address = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, source: tuple[Any, ...]) -> None:
        """Take one datagram; one that belongs to nobody is dropped."""
        address = source[0], source[1]
        session = self.addresses.get(address)
        if len(data) == DISCOVERY.size and data[:2] == b"\x00\x01":
            self._discover(data, address)
        elif session is None or len(data) < 2:
            return
        elif len(data) == KEEPALIVE_SIZE:
            session.judge.keepalive(data)
        elif data[1] in RTCP_TYPES:
            session.judge.control(data, session.cipher)
        else:
            now = asyncio.get_running_loop().time()
            audio = session.judge.audio(data, session.cipher, now)
            if audio is not None:
                self._forward(session, audio)

    def _discover(self, data: bytes, address: Address) -> None:
        _, length, ssrc, zeros, port = DISCOVERY.unpack(data)
        session = self.sessions.get(ssrc)
        if session is None:
            return
        if length != DISCOVERY_LENGTH or any(zeros) or port:
            session.judge.bad["discovery"] += 1
        if session.address is not None:
            self.addresses.pop(session.address, None)
        session.address = address
        self.addresses[address] = session
        host, port = address
        reply = DISCOVERY.pack(DISCOVERY_REPLY, DISCOVERY_LENGTH, ssrc, host.encode(), port)
        self.udp.sendto(reply, address)

    def _forward(self, sender: Session, audio: Audio) -> None:
        first, clear, plain = VERSION_2, b"", audio.opus
        if self.options.decorate:
            first |= EXTENSION_BIT
            clear, plain = EXTENSION_PREAMBLE, EXTENSION_BODY + plain
            if audio.sequence % 8 == 0:
                first |= PADDING_BIT
                size = 1 + audio.sequence // 8 % 16
                plain += bytes(size - 1) + bytes((size,))
        header = HEADER.pack(first, PAYLOAD_TYPE, audio.sequence, audio.timestamp, sender.ssrc)
        sender.forwarded_from += 1
        for other in self._others(sender):
            if other.cipher is not None and other.address is not None:
                self.udp.sendto(other.seal(header + clear, plain), other.address)

    def totals(self) -> list[dict[str, object]]:
        """Return the counts of all sessions, ended ones first."""
        return [session.totals() for session in (*self.ended, *self.sessions.values())]


def _version(target: str) -> int:
    text = parse_qs(urlsplit(target).query).get("v", ["4"])[0]
    if text not in map(str, gateway.VERSIONS):
        raise Refused(gateway.BAD_REQUEST, "Unknown gateway version.")
    return int(text)


async def _receive(link: WebSocket, limit: float) -> str | bytes:
    try:
        async with asyncio.timeout(limit):
            return await link.receive()
    except TimeoutError:
        raise Refused(gateway.SESSION_TIMEOUT, "Session timed out.") from None


def _credentials(version: int, data: Any) -> tuple[int, str, str]:
    if version >= gateway.CHANNELS:
        gateway.snowflake(data, "channel_id")
    session_id, token = gateway.text(data, "session_id"), gateway.text(data, "token")
    return gateway.snowflake(data, "server_id"), session_id, token


def _introduce(session: Session, newcomers: list[int], gone: Collection[int] = ()) -> None:
    """Send op 11, and the op 18 and 20 that follow it; nothing where there is nobody.

    ``gone`` are those who left but may turn up in a welcome.
    """
    user_ids = [str(user_id) for user_id in (*newcomers, *gone)]
    if user_ids:
        session.send(gateway.CLIENTS_CONNECT, {"user_ids": user_ids})
    for user_id in map(str, newcomers):
        session.send(gateway.CLIENT_FLAGS, {"user_id": user_id, "flags": 0})
        session.send(gateway.CLIENT_PLATFORM, {"user_id": user_id, "platform": 0})


def _harm(session: Session, fault: Fault) -> None:
    if fault.kind == "stop-acks":
        session.muted = True
    elif session.link is not None and fault.kind == "drop":
        session.link.drop()
    elif session.link is not None:
        session.link.close(fault.code, "Fault.")


async def run(options: argparse.Namespace, folder: Path) -> None:
    """Listen, print where, wait for a signal, print what was counted."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    server = VoiceServer(options)
    udp_address = options.host, options.udp_port
    await loop.create_datagram_endpoint(lambda: server, local_addr=udp_address)
    context, authority = None, None
    if options.tls:
        authority, options.tls_cert, options.tls_key = map(str, write_certificates(folder))
    if options.tls_cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.tls_cert, options.tls_key)
    tcp = await asyncio.start_server(server.serve, options.host, options.ws_port, ssl=context)
    host, port = tcp.sockets[0].getsockname()[:2]
    first = {
        "event": "listening",
        "endpoint": f"{host}:{port}",
        "url": f"{'wss' if context else 'ws'}://{host}:{port}",
        "udp_port": server.udp_address[1],
    }
    if authority:
        first["ca_file"] = authority
    print(json.dumps(first), flush=True)
    await stopped.wait()
    await asyncio.sleep(DRAIN_TIME)
    print(json.dumps({"event": "stats", "sessions": server.totals()}), flush=True)
    tcp.close()
    for transport in server.connections.values():
        transport.abort()
    if server.connections:
        await asyncio.wait(server.connections)
    server.udp.close()


def main() -> None:
    """Read the command line and run."""
    options = parse_options()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(options, Path(folder)))


if __name__ == "__main__":
    main()
