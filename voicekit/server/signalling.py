"""The WebSocket side: the handshake, speaking, heartbeats, resume.

`TABLE` says what each opcode does in each phase of a socket; everything else is its rows.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ..codes import Opcode, Platform
from ..messages import (
    BadMessage,
    DaveTransitionReady,
    Heartbeat,
    Identify,
    InvalidCommitWelcome,
    Resume,
    SelectProtocol,
    Speaking,
    Video,
    decode_client_binary,
    decode_text,
    encode_text,
)
from .forwarding import Forwarding
from .host import Host
from .outputs import SessionResumed, SessionStarted
from .session import Session, Socket
from .switchboard import BUFFERED_RESUME, Switchboard, same_secret

__all__ = ["BINARY_TABLE", "TABLE", "Signalling"]

#: From this version on heartbeats are objects; below they are bare numbers.
HEARTBEAT_OBJECTS = 8

#: What op 16 says of the server.
BACKEND_VERSION = {"voice": "0.1.0", "rtc_worker": "0.1.0"}


class Signalling:
    """What clients say, and what they are told."""

    def __init__(
        self,
        board: Switchboard,
        forwarding: Forwarding,
        host: Host,
        established: Callable[[Session, float], None],
    ) -> None:
        self._board = board
        self._forwarding = forwarding
        self._host = host
        self._established = established

    # -- input ---------------------------------------------------------------

    def open(self, link: int, path: str, now: float) -> None:
        """Take a new WebSocket: say Hello, and wait for Identify or Resume."""
        board, config = self._board, self._board.config
        version = _version(path)
        socket = board.open_socket(link, version or config.max_version, now)
        if version is None or not config.min_version <= version <= config.max_version:
            # Discord rejects versions it has given up, and connections without one.
            board.sockets_refused += 1
            board.close(socket, 4012, "no such gateway version", now)
        elif board.strangers > config.max_strangers:
            board.sockets_refused += 1
            board.close(socket, 1013, "too many sockets that have not identified", now)
        else:
            socket.timer = board.timers.call_at(
                now + config.identify_timeout,
                lambda now: board.close(socket, 4003, "neither Identify nor Resume came", now),
            )
            if config.hello_delay:
                board.timers.call_at(now + config.hello_delay, lambda _: self._hello(socket))
            else:
                self._hello(socket)

    def receive(self, link: int, message: str | bytes, now: float) -> None:
        """Take one message, text or binary."""
        board, config = self._board, self._board.config
        socket = board.sockets.get(link)
        if socket is None:
            board.late_inputs += 1
            return
        if socket.session is not None:
            socket.session.messages_received += 1
        if not socket.bucket.take(now):
            self._refuse(socket, 4021, "rate_limited", "too many messages", now)
        elif len(message) > config.max_message_size:
            self._refuse(socket, 1009, "too_large", "the message is too large", now)
        else:
            self._dispatch(socket, message, now)

    def _dispatch(self, socket: Socket, message: str | bytes, now: float) -> None:
        try:
            if isinstance(message, str):
                decoded, table = decode_text(message), TABLE
            else:
                decoded, table = decode_client_binary(message), BINARY_TABLE
        except BadMessage as error:
            self._refuse(socket, 4002, "undecodable", error.what, now)
            return
        answer = table.get(decoded.op, _UNKNOWN)[socket.phase]
        if isinstance(answer, int):
            self._refuse(socket, answer, f"op_{decoded.op}_{answer}", f"op {decoded.op}", now)
        else:
            answer(self, socket, decoded.data, now)

    def _refuse(self, socket: Socket, code: int, reason: str, why: str, now: float) -> None:
        """Count a bad message and close the socket with the code that is meant for it."""
        bad = self._board.messages_bad
        if socket.session is not None:
            bad = socket.session.messages_bad
        bad[reason] += 1
        self._board.close(socket, code, why, now)

    def _hello(self, socket: Socket) -> None:
        milliseconds = self._board.config.heartbeat_interval * 1000
        whole = int(milliseconds)
        data = {
            "heartbeat_interval": whole if whole == milliseconds else milliseconds,
            "v": socket.version,
        }
        if self._board.sockets.get(socket.link) is socket:
            self._board.transmit(socket, encode_text(Opcode.HELLO, data))

    # -- the handshake -------------------------------------------------------

    def _identify(self, socket: Socket, data: Identify, now: float) -> None:
        board, config = self._board, self._board.config
        server_id, user_id = int(data.server_id), int(data.user_id)
        channel_id = None if data.channel_id is None else int(data.channel_id)
        placement = self._host.placement(server_id, user_id)
        if placement is not None:
            token = placement.token
            if data.session_id != placement.session_id or (
                channel_id is not None and channel_id != placement.channel_id
            ):
                self._refuse(socket, 4006, "wrong_session", "this session is not there", now)
                return
            channel_id = placement.channel_id
        else:
            token = data.token if config.token is None else config.token
            channel_id = config.default_channel_id if channel_id is None else channel_id
        if not same_secret(token, data.token):
            self._refuse(socket, 4004, "wrong_token", "the token is wrong", now)
            return
        former = board.sessions.get((server_id, user_id))
        if former is None and len(board.sessions) >= config.max_sessions:
            board.sockets_refused += 1
            board.close(socket, 1013, "too many sessions", now)
            return
        max_dave_version = data.max_dave_protocol_version
        if socket.version < BUFFERED_RESUME or config.dave == "off":
            max_dave_version = 0  # its binary messages carry numbers
        room = board.room(server_id, channel_id)
        if config.dave == "required" and (not max_dave_version or room.channel_id is None):
            why = "end-to-end encryption is required"
            if max_dave_version:
                why += ", and nobody said which channel it is"
            self._refuse(socket, 4017, "no_dave", why, now)
            return
        group = [m for m in room.members.values() if m.max_dave_version and m is not former]
        if max_dave_version and len(group) >= config.max_group:
            board.sockets_refused += 1
            board.close(socket, 1013, "too many members for one group", now)
            return
        if former is not None:
            self._replace(former, data.session_id, now)
            room = board.room(server_id, channel_id)  # it may have been the last one there
        session = board.start(room, user_id, data.session_id, data.token, now)
        session.max_dave_version = max_dave_version
        board.attach(session, socket, now)
        self._ready(session)

    def _replace(self, session: Session, session_id: str, now: float) -> None:
        """End the session of a user who identifies again: one voice state per server.

        With the same session id it is the same client that starts anew, and its old session
        is no longer valid. With another one the user has joined from elsewhere, which ends
        the old main session: Discord then closes 4014, and the old client must not come back.
        """
        if session.session_id == session_id:
            self._board.dismiss(session, 4006, "identified again", now)
        else:
            self._board.dismiss(session, 4014, "joined from elsewhere", now)

    def _ready(self, session: Session) -> None:
        board = self._board
        assert board.udp_address is not None
        host, port = board.udp_address
        board.tell(
            session,
            Opcode.READY,
            {
                "ssrc": session.ssrc,
                "ip": host,
                "port": port,
                "modes": list(board.modes),
                "experiments": [],
                # Discord sends one, too, and it is wrong there, too.
                "heartbeat_interval": 1,
            },
        )
        others = session.others
        users = [str(member.user_id) for member in others]
        if session.room.encryption is not None:
            users += [str(user_id) for user_id in session.room.encryption.departed]
            session.room.encryption.announced(session)
        if users:  # a lone client gets no op 11
            board.tell(session, Opcode.CLIENTS_CONNECT, {"user_ids": users})
        for member in others:
            newcomer = {"user_ids": [str(session.user_id)]}
            board.tell(member, Opcode.CLIENTS_CONNECT, newcomer)
            if board.config.undocumented:
                self._introduce(member, session)
                self._introduce(session, member)

    def _introduce(self, session: Session, to: Session) -> None:
        user_id = str(session.user_id)
        self._board.tell(to, Opcode.CLIENT_FLAGS, {"user_id": user_id, "flags": 0})
        platform = {"user_id": user_id, "platform": Platform.DESKTOP}
        self._board.tell(to, Opcode.CLIENT_PLATFORM, platform)

    def _select_protocol(self, socket: Socket, data: SelectProtocol, now: float) -> None:
        """Give out a key. May come again: the session is negotiated anew."""
        board, session = self._board, _session(socket)
        mode = data.data.mode
        if data.protocol != "udp":
            self._refuse(socket, 4012, "bad_protocol", "only udp is spoken here", now)
            return
        if mode not in board.modes:
            self._refuse(socket, 4016, "bad_mode", "this mode was not offered", now)
            return
        self._forwarding.claim_address(session, data.data.address, data.data.port)
        first = session.key is None
        if first:
            self._established(session, now)
        board.new_key(session, mode, now)
        if not first:
            return
        for member in session.others:
            if member.speaking is not None:
                board.tell(session, Opcode.SPEAKING, _speaking(member))
            if member.video is not None:
                board.tell(session, Opcode.VIDEO, member.video)
        room = session.room
        board.outputs.append(
            SessionStarted(room.server_id, room.channel_id, session.user_id, session.ssrc, mode)
        )

    def _resume(self, socket: Socket, data: Resume, now: float) -> None:
        board = self._board
        session = board.resumable(int(data.server_id), data.session_id, data.token)
        missed = None if session is None else self._missed(session, socket, data)
        if session is None or missed is None:
            if session is not None:
                board.dismiss(session, 4006, "it could not be resumed", now)
            self._refuse(socket, 4006, "resume_refused", "there is nothing to resume", now)
            return
        if session.socket is not None:  # half open: the client knew before us
            board.supersede(session, 4006, "resumed on another socket")
        board.attach(session, socket, now)
        session.resumes += 1
        board.outputs.append(SessionResumed(session.room.server_id, session.user_id, session.ssrc))
        resumed = encode_text(Opcode.RESUMED, None)
        messages = [*missed, resumed] if board.config.replay_first else [resumed, *missed]
        for message in messages:
            board.transmit(socket, message)
        if session.room.encryption is not None:
            session.room.encryption.resumed(session, now)

    def _missed(self, session: Session, socket: Socket, data: Resume) -> list[str | bytes] | None:
        """Return what to replay; None refuses the resume, and the session is lost."""
        if session.refuse_resumes:
            session.refuse_resumes -= 1
            return None
        if data.channel_id is not None and session.room.channel_id not in (
            None,
            int(data.channel_id),
        ):
            return None
        return self._board.replay(session, socket.version, data.seq_ack)

    # -- the session ---------------------------------------------------------

    def _heartbeat(self, socket: Socket, data: Heartbeat | int | None, now: float) -> None:
        if data is None:
            self._refuse(socket, 4002, "undecodable", "a heartbeat without a nonce", now)
            return
        socket.heard_at = now
        session = socket.session
        if session is not None:
            session.heartbeats += 1
            if now < session.acks_stopped_until:
                return
        nonce = data.t if isinstance(data, Heartbeat) else data
        ack = {"t": nonce} if socket.version >= HEARTBEAT_OBJECTS else nonce
        self._board.transmit(socket, encode_text(Opcode.HEARTBEAT_ACK, ack))

    def _speaking(self, socket: Socket, data: Speaking, now: float) -> None:
        session = _session(socket)
        if data.ssrc != session.ssrc:
            session.messages_bad["wrong_ssrc"] += 1
            return
        if session.speaking and not data.speaking:
            session.silent_since = now
        session.speaking = data.speaking
        for member in session.others:
            if member.key is not None:  # a newcomer is told after its op 4
                self._board.tell(member, Opcode.SPEAKING, _speaking(session))
        self._forwarding.speaking_changed(session, now)

    def _video(self, socket: Socket, data: Video, now: float) -> None:
        session = _session(socket)
        if data.audio_ssrc not in (0, session.ssrc):
            session.messages_bad["wrong_ssrc"] += 1
            return
        session.video = {
            "user_id": str(session.user_id),
            "audio_ssrc": session.ssrc,
            "video_ssrc": data.video_ssrc,
            "rtx_ssrc": data.rtx_ssrc or 0,
            "streams": [],
        }
        for member in session.others:
            if member.key is not None:
                self._board.tell(member, Opcode.VIDEO, session.video)

    def _backend_version(self, socket: Socket, data: object, now: float) -> None:
        self._board.tell(_session(socket), Opcode.VOICE_BACKEND_VERSION, BACKEND_VERSION)

    def _dave(self, op: int, socket: Socket, payload: bytes | int, now: float) -> None:
        session = _session(socket)
        if session.room.encryption is not None:
            session.room.encryption.receive(session, op, payload, now)

    def _transition_ready(self, socket: Socket, data: DaveTransitionReady, now: float) -> None:
        self._dave(Opcode.DAVE_TRANSITION_READY, socket, data.transition_id, now)

    def _invalid_commit(self, socket: Socket, data: InvalidCommitWelcome, now: float) -> None:
        self._dave(Opcode.MLS_INVALID_COMMIT_WELCOME, socket, data.transition_id, now)

    def _key_package(self, socket: Socket, payload: bytes, now: float) -> None:
        self._dave(Opcode.MLS_KEY_PACKAGE, socket, payload, now)

    def _commit_welcome(self, socket: Socket, payload: bytes, now: float) -> None:
        self._dave(Opcode.MLS_COMMIT_WELCOME, socket, payload, now)

    def _ignore(self, socket: Socket, data: object, now: float) -> None:
        """Known, and nothing follows from it here."""


def _version(path: str) -> int | None:
    """Return the gateway version of ``/?v=8``; None: there is none, or it is no number."""
    try:
        values = parse_qs(urlsplit(path).query, max_num_fields=16).get("v", [])
    except ValueError:
        return None
    if len(values) != 1 or len(values[0]) > 3 or not values[0].isdecimal():
        return None
    return int(values[0])


def _session(socket: Socket) -> Session:
    assert socket.session is not None
    return socket.session


def _speaking(session: Session) -> dict[str, Any]:
    return {
        "speaking": session.speaking,
        "ssrc": session.ssrc,
        "user_id": str(session.user_id),
    }


#: What an opcode does in a phase: a method of `Signalling`, or the code to close with.
Answer = Callable[[Signalling, Socket, Any, float], None] | int
Row = tuple[Answer, Answer, Answer]

_UNKNOWN: Row = (4001, 4001, 4001)
_ignored: Row = (4003, Signalling._ignore, Signalling._ignore)

TABLE: Mapping[int, Row] = {
    #                    OPEN, READY, ESTABLISHED
    Opcode.IDENTIFY: (Signalling._identify, 4005, 4005),
    Opcode.RESUME: (Signalling._resume, 4005, 4005),
    Opcode.HEARTBEAT: (Signalling._heartbeat, Signalling._heartbeat, Signalling._heartbeat),
    Opcode.SELECT_PROTOCOL: (4003, Signalling._select_protocol, Signalling._select_protocol),
    Opcode.SPEAKING: (4003, Signalling._speaking, Signalling._speaking),
    Opcode.VIDEO: (4003, Signalling._video, Signalling._video),
    Opcode.VOICE_BACKEND_VERSION: (4003, Signalling._backend_version, Signalling._backend_version),
    Opcode.SESSION_UPDATE: _ignored,
    Opcode.MEDIA_SINK_WANTS: _ignored,
    Opcode.NO_ROUTE: _ignored,
    Opcode.DAVE_TRANSITION_READY: (
        4003,
        Signalling._transition_ready,
        Signalling._transition_ready,
    ),
    Opcode.MLS_INVALID_COMMIT_WELCOME: (
        4003,
        Signalling._invalid_commit,
        Signalling._invalid_commit,
    ),
}

BINARY_TABLE: Mapping[int, Row] = {
    Opcode.MLS_KEY_PACKAGE: (4003, Signalling._key_package, Signalling._key_package),
    Opcode.MLS_COMMIT_WELCOME: (4003, Signalling._commit_welcome, Signalling._commit_welcome),
}
