"""Making things go wrong, on purpose: now by a method call, later by a script."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from ..codes import Opcode
from .fault_specs import DELIVERY_FAULTS, MALFORMED, Fault, FaultKind, Impairment
from .host import Host
from .mischief import Mischief
from .outputs import DropWebSocket
from .session import Session
from .switchboard import Switchboard

__all__ = ["Faults"]

#: How long messages are collected to be sent in reverse: below any client's patience.
REORDER_WAIT = 0.5


class Faults:
    """Each method strikes the sessions of ``user_id``, or all of them, at once.

    A session without a socket has nothing to close, drop or send to: it is passed over.
    """

    def __init__(self, board: Switchboard, host: Host, only: Session | None = None) -> None:
        self._board = board
        self._host = host
        self._only = only

    # -- the socket ------------------------------------------------------------

    def close(self, code: int, now: float, *, user_id: int | None = None) -> None:
        """Close the WebSocket. Codes after which clients resume keep the session."""
        for session in self._chosen(user_id):
            if session.socket is not None:
                self._board.close(session.socket, code, "", now)

    def drop(self, now: float, *, user_id: int | None = None) -> None:
        """Cut the TCP connection without a close frame. The session stays."""
        for session in self._chosen(user_id):
            if session.socket is not None:
                self._board.outputs.append(DropWebSocket(session.socket.link))
                self._board.lost(session.socket, None, now)

    def refuse_resume(self, count: int, now: float, *, user_id: int | None = None) -> None:
        """Refuse the next ``count`` resumes with 4006; the first ends the session."""
        for session in self._chosen(user_id):
            session.refuse_resumes = count

    # -- messages --------------------------------------------------------------

    def stop_acks(
        self, now: float, *, seconds: float = math.inf, user_id: int | None = None
    ) -> None:
        """Leave heartbeats without an answer, over resumes, too."""
        for session in self._chosen(user_id):
            session.acks_stopped_until = now + seconds

    def ask_heartbeat(self, now: float, *, user_id: int | None = None) -> None:
        """Ask for a heartbeat (op 3)."""
        for session in self._chosen(user_id):
            self._board.tell(session, Opcode.HEARTBEAT, None)

    def malformed(self, name: str, now: float, *, user_id: int | None = None) -> None:
        """Send one of `voicekit.server.MALFORMED`."""
        self.raw(MALFORMED[name](), now, user_id=user_id)

    def raw(self, message: str | bytes, now: float, *, user_id: int | None = None) -> None:
        """Send any text or binary message as it is, without a number or a replay."""
        for session in self._chosen(user_id):
            if session.socket is not None:
                self._board.put(session.socket, message)

    def say(self, op: int, data: Any, now: float, *, user_id: int | None = None) -> None:
        """Send a well-formed text message, numbered and replayed where its opcode is."""
        for session in self._chosen(user_id):
            self._board.tell(session, op, data)

    def say_binary(
        self, op: int, payload: bytes, now: float, *, user_id: int | None = None
    ) -> None:
        """Send a well-formed binary message, numbered and replayed."""
        for session in self._chosen(user_id):
            self._board.tell_binary(session, op, payload)

    def reorder(self, count: int, now: float, *, user_id: int | None = None) -> None:
        """Collect the next ``count`` messages, at most 0.5 s, and send them in reverse."""
        for session in self._chosen(user_id):
            mischief = _mischief(session)
            if mischief is not None:
                mischief.reverse = count
                flush = partial(self._flush, session)
                self._board.timers.call_at(now + REORDER_WAIT, flush)

    def duplicate(self, count: int, now: float, *, user_id: int | None = None) -> None:
        """Send each of the next ``count`` messages twice."""
        for session in self._chosen(user_id):
            mischief = _mischief(session)
            if mischief is not None:
                mischief.duplicates = count

    # -- the main gateway ------------------------------------------------------

    def null_endpoint(
        self, now: float, *, seconds: float = math.inf, user_id: int | None = None
    ) -> None:
        """Say that the voice server is gone; ``seconds`` later, that it is there again."""
        for session in self._chosen(user_id):
            server_id, user = session.room.server_id, session.user_id
            self._host.update_server(server_id, user, None)
            if seconds < math.inf:
                endpoint, token = self._host.endpoint, session.token
                restore = partial(self._restore, server_id, user, endpoint, token)
                self._board.timers.call_at(now + seconds, restore)

    def move(
        self, channel_id: int, now: float, *, user_id: int | None = None, close_first: bool = False
    ) -> None:
        """Move to another channel of the same server."""
        for session in self._chosen(user_id):
            self._host.move(
                session.room.server_id, session.user_id, channel_id, now, close_first=close_first
            )

    def kick(self, now: float, *, user_id: int | None = None, close_first: bool = False) -> None:
        """Kick out of the channel."""
        for session in self._chosen(user_id):
            self._host.leave(session.room.server_id, session.user_id, now, close_first=close_first)

    # -- end-to-end encryption ---------------------------------------------------

    def delivery(
        self, kind: FaultKind | str, value: float, now: float, *, user_id: int | None = None
    ) -> None:
        """Set a fault of the DAVE delivery service, such as ``"corrupt-welcome"``.

        ``value`` is the count of messages, or the seconds of ``"delay-execute"``; 0 ends it.
        """
        for session in self._chosen(user_id):
            encryption = self._board.encryption_of(session.room, now)
            if encryption is not None:
                faults = encryption.faults_of(session.user_id)
                setattr(faults, DELIVERY_FAULTS[FaultKind(kind)], value)

    # -- the network -----------------------------------------------------------

    def network(self, impairment: Impairment, now: float, *, user_id: int | None = None) -> None:
        """Impair audio and RTCP on the way to clients from now on."""
        for session in self._chosen(user_id):
            if session.network is None:
                session.network = self._board.new_network(session, impairment)
            else:  # what is on its way stays there
                for knob in impairment.__struct_fields__:
                    setattr(session.network, knob, getattr(impairment, knob))

    # -- scripts ---------------------------------------------------------------

    def arm(self, session: Session, now: float) -> None:
        """Set the scripted faults on a session that is about to become ready."""
        for fault in self._board.config.faults:
            if fault.user_id in (None, session.user_id):
                if fault.kind in DELIVERY_FAULTS and not fault.at:
                    self._strike(session, fault, now)  # in time for its op 25
                    continue
                strike = partial(self._strike, session, fault)
                self._board.timers.call_at(now + fault.at, strike)

    def _strike(self, session: Session, fault: Fault, now: float) -> None:
        if not session.ended:
            one = Faults(self._board, self._host, session)
            if fault.kind in DELIVERY_FAULTS:
                assert isinstance(fault.value, int | float)
                one.delivery(fault.kind, fault.value, now)
            else:
                _STRIKES[fault.kind](one, fault.value, now)

    def _chosen(self, user_id: int | None) -> list[Session]:
        if self._only is not None:
            return [self._only]
        sessions = self._board.sessions.values()
        return [session for session in sessions if user_id in (None, session.user_id)]

    def _restore(
        self, server_id: int, user_id: int, endpoint: str | None, token: str, now: float
    ) -> None:
        self._host.update_server(server_id, user_id, endpoint, token)

    def _flush(self, session: Session, now: float) -> None:
        if session.socket is not None and session.socket.mischief is not None:
            for message in session.socket.mischief.flush():
                self._board.put(session.socket, message)


def _mischief(session: Session) -> Mischief | None:
    """Return what stands between the server and the session's socket, if it has one."""
    socket = session.socket
    if socket is None:
        return None
    if socket.mischief is None:
        socket.mischief = Mischief()
    return socket.mischief


#: What a scripted fault calls, with its value.
_STRIKES: dict[FaultKind, Callable[[Faults, Any, float], None]] = {
    FaultKind.CLOSE: lambda faults, code, now: faults.close(code, now),
    FaultKind.DROP: lambda faults, _, now: faults.drop(now),
    FaultKind.STOP_ACKS: lambda faults, seconds, now: faults.stop_acks(now, seconds=seconds),
    FaultKind.ASK_HEARTBEAT: lambda faults, _, now: faults.ask_heartbeat(now),
    FaultKind.REFUSE_RESUME: lambda faults, count, now: faults.refuse_resume(count, now),
    FaultKind.MALFORMED: lambda faults, name, now: faults.malformed(name, now),
    FaultKind.REORDER: lambda faults, count, now: faults.reorder(count, now),
    FaultKind.DUPLICATE: lambda faults, count, now: faults.duplicate(count, now),
    FaultKind.NULL_ENDPOINT: lambda faults, seconds, now: faults.null_endpoint(
        now, seconds=seconds
    ),
    FaultKind.MOVE: lambda faults, channel_id, now: faults.move(channel_id, now),
    FaultKind.KICK: lambda faults, _, now: faults.kick(now),
    FaultKind.NETWORK: lambda faults, impairment, now: faults.network(impairment, now),
}
