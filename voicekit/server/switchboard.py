"""What all parts of the server share: the tables, the timers, the randomness, the way out."""

import hmac
from collections import Counter, deque
from functools import partial
from random import Random, SystemRandom
from typing import TYPE_CHECKING

from .._crypto import available_modes
from ..close_codes import ClosePolicy, close_code
from ..codes import Opcode
from ..errors import BackendUnavailable, LocalProtocolError, ModeUnavailable
from ..link import Link
from ..messages import BINARY_OPS, encode_server_binary, encode_text
from .blind import BlindMedia, close_route
from .config import ServerConfig
from .fault_specs import Impairment
from .judge import BadReason
from .limits import TokenBucket
from .outputs import (
    CloseWebSocket,
    SendBinary,
    SendText,
    ServerEvent,
    ServerOutput,
    SessionEnded,
)
from .replay import ReplayBuffer
from .session import Address, Key, Room, Session, Socket
from .stats import SessionStats
from .timers import Timers

if TYPE_CHECKING:
    from .encryption import Encryption

__all__ = ["SEQUENCED", "Switchboard", "same_secret"]

#: Text messages that carry a number and are replayed; all binary ones do.
SEQUENCED = frozenset(
    {
        Opcode.SPEAKING,
        Opcode.CLIENTS_CONNECT,
        Opcode.CLIENT_DISCONNECT,
        Opcode.CLIENT_FLAGS,
        Opcode.CLIENT_PLATFORM,
        Opcode.DAVE_PREPARE_TRANSITION,
        Opcode.DAVE_EXECUTE_TRANSITION,
        Opcode.DAVE_PREPARE_EPOCH,
    }
)
#: The version that brought numbers and replay.
BUFFERED_RESUME = 8

#: What a client means to end a session with; any other loss of its socket keeps it.
CLIENT_LEAVES = (1000, 1001)

#: Packets sealed with the old key may still be on their way when a new one is given out.
KEY_GRACE = 2.0


class Switchboard:
    """Sockets, sessions and rooms, and the ways to reach a client."""

    def __init__(self, config: ServerConfig, random: Random | None) -> None:
        self.config = config
        self.random: Random = SystemRandom() if random is None else random
        self.modes = config.modes or available_modes()
        missing = [mode for mode in self.modes if mode not in available_modes()]
        if missing:
            raise ModeUnavailable(f"this machine can not offer {', '.join(missing)}")
        if config.dave != "off":
            _load_encryption()
        self.timers = Timers()
        self.outputs: deque[ServerOutput | ServerEvent] = deque()
        self.udp_address: Address | None = None
        self.blind: BlindMedia | None = None  # None: media is opened
        if config.media != "open":
            self.blind = BlindMedia(self.outputs, passes_on=config.media == "relay")

        self.sockets: dict[int, Socket] = {}
        self.strangers = 0  # sockets without a session
        self.rooms: list[Room] = []
        self.sessions: dict[tuple[int, int], Session] = {}  # by server id and user id
        self.by_ssrc: dict[int, Session] = {}
        self.by_address: dict[Address, Session] = {}
        self.by_identity: dict[tuple[int, str], list[Session]] = {}  # server id, session id
        self.ended: deque[SessionStats] = deque(maxlen=config.max_ended)
        self._ordinal = 0

        self.messages_bad: Counter[str] = Counter()
        self.datagrams_dropped: Counter[str] = Counter()
        self.sockets_refused = 0
        self.late_inputs = 0

    # -- to a client ---------------------------------------------------------

    def tell(self, session: Session, op: int, data: object) -> None:
        """Send a text message, or keep it for the resume."""
        if op in SEQUENCED and session.version >= BUFFERED_RESUME:
            message = session.replay.add(partial(encode_text, op, data))
        else:
            message = encode_text(op, data)
        if session.socket is not None:
            self.transmit(session.socket, message)

    def tell_binary(self, session: Session, op: int, payload: bytes) -> None:
        """Send a binary message, or keep it for the resume."""
        if op not in BINARY_OPS:
            raise LocalProtocolError(f"op {op} does not travel in binary messages")
        message = session.replay.add(partial(encode_server_binary, op, payload))
        if session.socket is not None:
            self.transmit(session.socket, message)

    def transmit(self, socket: Socket, message: str | bytes) -> None:
        """Send one encoded message, unless a fault has other plans."""
        messages = [message] if socket.mischief is None else socket.mischief.apply(message)
        for each in messages:
            self.put(socket, each)

    def put(self, socket: Socket, message: str | bytes) -> None:
        """Send one encoded message as it is."""
        if isinstance(message, str):
            self.outputs.append(SendText(socket.link, message))
        else:
            self.outputs.append(SendBinary(socket.link, message))

    # -- sockets -------------------------------------------------------------

    def open_socket(self, link: int, version: int, now: float) -> Socket:
        """Begin to listen to a WebSocket."""
        bucket = TokenBucket(self.config.message_rate, self.config.message_burst, now)
        socket = self.sockets[link] = Socket(link, version, bucket, now)
        self.strangers += 1
        return socket

    def attach(self, session: Session, socket: Socket, now: float) -> None:
        """Make ``socket`` the one of ``session``; start to expect heartbeats."""
        self.strangers -= 1
        session.socket, socket.session = socket, session
        session.version = socket.version
        if session.resume_timer is not None:
            session.resume_timer.cancel()
            session.resume_timer = None
        if socket.timer is not None:
            socket.timer.cancel()
        socket.heard_at = now
        self._await_heartbeat(socket)

    def close(self, socket: Socket, code: int, reason: str, now: float) -> None:
        """Close a WebSocket. What clients make of ``code`` decides about its session."""
        self.outputs.append(CloseWebSocket(socket.link, code, reason))
        session = self.forget(socket, code)
        if session is not None:
            keep = close_code(code).policy is ClosePolicy.RESUME
            if keep:
                self.detach(session, now)
            else:
                self.end(session, now)

    def dismiss(self, session: Session, code: int, reason: str, now: float) -> None:
        """End a session for good, whatever ``code`` would mean to clients."""
        if session.socket is not None:
            self.supersede(session, code, reason)
        session.close_code = code
        self.end(session, now)

    def supersede(self, session: Session, code: int, reason: str) -> None:
        """Close the socket of a session, which gets another one or ends."""
        assert session.socket is not None
        self.outputs.append(CloseWebSocket(session.socket.link, code, reason))
        self.forget(session.socket, code)

    def forget(self, socket: Socket, code: int | None) -> Session | None:
        """Stop listening to a WebSocket; return the session that has lost it."""
        del self.sockets[socket.link]
        if socket.timer is not None:
            socket.timer.cancel()
        session = socket.session
        if session is None:
            self.strangers -= 1
        else:
            session.socket = socket.session = None
            session.close_code = code
        return session

    def lost(self, socket: Socket, code: int | None, now: float) -> None:
        """Take note that the client closed, or the network cut, a WebSocket."""
        session = self.forget(socket, code)
        if session is not None:
            if code in CLIENT_LEAVES:
                self.end(session, now)
            else:
                self.detach(session, now)

    def _await_heartbeat(self, socket: Socket) -> None:
        patience = self.config.heartbeat_interval * self.config.missed_heartbeats

        def check(now: float) -> None:
            due = socket.heard_at + patience
            if now < due:
                socket.timer = self.timers.call_at(due, check)
            else:
                self.close(socket, 4009, "no heartbeat came", now)

        socket.timer = self.timers.call_at(socket.heard_at + patience, check)

    # -- sessions ------------------------------------------------------------

    def room(self, server_id: int, channel_id: int | None) -> Room:
        """Return the room to join; ``channel_id`` None: wherever people of this server are."""
        rooms = [room for room in self.rooms if room.server_id == server_id]
        for room in rooms:
            if channel_id is None or room.channel_id == channel_id:
                return room
        for room in rooms:
            if room.channel_id is None and channel_id not in room.other_channels:
                room.channel_id = channel_id  # now somebody knew it
                return room
        room = Room(server_id, channel_id)
        self.rooms.append(room)
        return room

    def start(self, room: Room, user_id: int, session_id: str, token: str, now: float) -> Session:
        """Enter a user, who has no session on this server, into a room."""
        config = self.config
        session = Session(
            room,
            user_id,
            session_id,
            token,
            self._new_ssrc(),
            ReplayBuffer(config.replay_buffer),
            TokenBucket(config.datagram_rate, config.datagram_burst, now),
        )
        self._ordinal += 1
        session.ordinal = self._ordinal
        room.members[user_id] = session
        self.sessions[room.server_id, user_id] = session
        self.by_ssrc[session.ssrc] = session
        self.by_identity.setdefault((room.server_id, session_id), []).append(session)
        if config.network:
            session.network = self.new_network(session, config.network)
        return session

    def new_network(self, session: Session, impairment: Impairment) -> Link:
        """Return a bad network, on a course of chance that is the session's own."""
        return Link(
            loss=impairment.loss,
            duplicate=impairment.duplicate,
            reorder=impairment.reorder,
            delay=impairment.delay,
            jitter=impairment.jitter,
            seed=self.config.network_seed + 1_000_003 * session.ordinal,
        )

    def new_key(self, session: Session, mode: str, now: float) -> None:
        """Give out a secret key (op 4). Group keys are agreed on anew, too."""
        encryption = self.encryption_of(session.room, now)
        secret = self._secret_for(session.room)
        if session.previous_key is not None:
            session.previous_key.cipher.close()
        session.previous_key, session.key = session.key, Key(mode, secret)
        session.previous_key_until = now + KEY_GRACE
        self._media_changes(session.room)
        self.tell(
            session,
            Opcode.SESSION_DESCRIPTION,
            {
                "mode": mode,
                "secret_key": list(secret),
                "dave_protocol_version": (
                    0 if encryption is None else encryption.version_for(session)
                ),
                "audio_codec": "opus",
                "media_session_id": self.random.randbytes(16).hex(),
            },
        )
        if encryption is not None:
            encryption.join(session, now)

    def _secret_for(self, room: Room) -> bytes:
        if self.config.media != "relay":
            return self.random.randbytes(32)
        if room.secret is None:
            room.secret = self.random.randbytes(32)
        return room.secret

    def encryption_of(self, room: Room, now: float) -> "Encryption | None":
        """Return the end-to-end encryption of a room; None: it is, or is as yet, in clear."""
        if room.encryption is None and self.config.dave != "off" and room.channel_id is not None:
            room.encryption = _load_encryption()(self, room)
            for member in room.members.values():
                if member.key is not None:
                    # Its op 4 said 0, before the channel was known: it stays in clear.
                    member.max_dave_version = 0
                    room.encryption.join(member, now)
        return room.encryption

    def resumable(self, server_id: int, session_id: str, token: str) -> Session | None:
        """Return the session that these secrets belong to and that could be resumed.

        Where sessions share all three (clients choose them), the one without a socket is
        meant; if that is not one, nobody can say.
        """
        candidates = [
            session
            for session in self.by_identity.get((server_id, session_id), ())
            if same_secret(session.token, token) and session.key is not None
        ]
        detached = [session for session in candidates if session.socket is None]
        for choice in (detached, candidates):
            if len(choice) == 1:
                return choice[0]
        return None

    def replay(
        self, session: Session, version: int, seq_ack: int | None
    ) -> list[str | bytes] | None:
        """Return what a client missed that saw ``seq_ack``; None: that is no longer known.

        Below version 8 nothing was kept. Omitted means none seen, but who always omits it
        would be refused after a full buffer: such a client gets what there is.
        """
        if version < BUFFERED_RESUME:
            return []
        if seq_ack is None:
            return session.replay.kept
        return session.replay.since(seq_ack)

    def bind(self, session: Session, address: Address) -> None:
        """Send media of ``session`` to ``address`` from now on."""
        if session.address == address:
            return
        former = self.by_address.get(address)
        if former is not None:
            former.address = None  # one socket, a new session
            self._media_changes(former.room)
        if session.address is not None:
            del self.by_address[session.address]
        session.address = address
        self.by_address[address] = session
        self._media_changes(session.room)

    def _media_changes(self, room: Room) -> None:
        if self.blind is not None:
            self.blind.addresses_changed(room.members.values())

    def detach(self, session: Session, now: float) -> None:
        """Keep a session without a socket, if there is something to resume."""
        if session.key is None:
            self.end(session, now)
            return
        when = now + self.config.resume_window
        session.resume_timer = self.timers.call_at(when, lambda now: self.end(session, now))

    def end(self, session: Session, now: float) -> None:
        """End a session that has no socket any more, and tell the others (op 13)."""
        session.ended = True
        for timer in session.timers:
            timer.cancel()
        room = session.room
        del room.members[session.user_id]
        if not room.members:
            self.rooms.remove(room)
            if room.encryption is not None:
                room.encryption.close()
        del self.sessions[room.server_id, session.user_id]
        del self.by_ssrc[session.ssrc]
        if session.address is not None:
            del self.by_address[session.address]
        namesakes = self.by_identity[room.server_id, session.session_id]
        namesakes.remove(session)
        if not namesakes:
            del self.by_identity[room.server_id, session.session_id]
        for _ in session.held:
            session.judge.count(BadReason.AUDIO_BEFORE_SPEAKING)
        close_route(session)
        self._media_changes(room)
        stats = session.stats()
        for key in (session.key, session.previous_key):
            if key is not None:
                key.cipher.close()
        self.ended.append(stats)
        self.outputs.append(SessionEnded(stats))
        members = list(room.members.values())
        if room.encryption is not None:
            members = room.encryption.leave(session, now)
        for member in members:
            self.tell(member, Opcode.CLIENT_DISCONNECT, {"user_id": str(session.user_id)})
        if room.encryption is not None:
            room.encryption.flush(now)

    def _new_ssrc(self) -> int:
        while True:
            ssrc = self.random.getrandbits(32)
            if ssrc and ssrc not in self.by_ssrc:
                return ssrc


def _load_encryption() -> "type[Encryption]":
    """Import what needs `cryptography`: only servers that speak DAVE do."""
    try:
        from .encryption import Encryption
    except ImportError:
        raise BackendUnavailable(
            "a server with end-to-end encryption needs the package cryptography:"
            " pip install 'voicekit[server]', or set dave=\"off\""
        ) from None
    return Encryption


def same_secret(known: str, given: str) -> bool:
    """Compare two secrets in a time that does not tell how much of them is equal."""
    return hmac.compare_digest(
        known.encode(errors="surrogatepass"), given.encode(errors="surrogatepass")
    )
