"""End-to-end encryption of one room: its delivery service, and how members hear from it.

Order matters to real clients: op 11 names whoever may turn up in a welcome, so who left but
is still in the MLS group is named, too, and its op 13 waits for the removal. Op 25 follows
op 4. What members are told is numbered, and replayed to those who lost their socket.
"""

from typing import TYPE_CHECKING

from ..codes import Opcode
from .delivery import LATE, PROTOCOL_VERSION, Delivery, DeliveryFaults
from .stats import CallStats

if TYPE_CHECKING:
    from .session import Room, Session
    from .switchboard import Switchboard
    from .timers import Timer

__all__ = ["PLAINTEXT_GRACE", "Encryption"]

#: Op 22 travels by TCP, and audio that overtook it is no fault: a retransmission and a bit.
PLAINTEXT_GRACE = 1.0


class Encryption:
    """The `Delivery` of one room, wired to its sessions."""

    def __init__(self, board: "Switchboard", room: "Room") -> None:
        assert room.channel_id is not None
        self._board = board
        self._room = room
        self._delivery = Delivery(
            room.channel_id, first_transition_id=board.config.first_transition_id
        )
        self._timer: Timer | None = None
        #: Users who left but are in the group, and who is still to be told so.
        self._farewells: dict[int, set[Session]] = {}

    # -- getters ---------------------------------------------------------------

    @property
    def version(self) -> int:
        """The DAVE version of the call."""
        return self._delivery.version

    @property
    def departed(self) -> tuple[int, ...]:
        """Users in the MLS group who have left."""
        return tuple(user for user in self._delivery.group if user not in self._room.members)

    def version_for(self, session: "Session") -> int:
        """Return what op 4 tells a session."""
        return self._delivery.version_for(session.max_dave_version)

    def faults_of(self, user_id: int) -> DeliveryFaults:
        """What is to go wrong for one user."""
        return self._delivery.faults_of(user_id)

    def stats(self) -> CallStats:
        """An account of the call."""
        delivery = self._delivery
        return CallStats(
            server_id=self._room.server_id,
            channel_id=self._room.channel_id,
            users=tuple(self._room.members),
            dave_version=delivery.version,
            epoch=delivery.epoch,
            group=delivery.group,
            settled=delivery.settled(),
            refused=dict(delivery.refused),
        )

    # -- sessions --------------------------------------------------------------

    def announced(self, session: "Session") -> None:
        """Take note that an op 11 named the members to a new session, and it to them."""
        self._farewells.pop(session.user_id, None)
        for user_id in self.departed:
            self._farewells.setdefault(user_id, set()).add(session)

    def join(self, session: "Session", now: float) -> None:
        """Take a session that op 4 has just been sent to."""
        session.announced_versions.clear()
        session.judge.allow_plaintext()
        self._delivery.join(session.user_id, session.max_dave_version, now)
        self._deliver(now)

    def leave(self, session: "Session", now: float) -> list["Session"]:
        """Take a session that is over; return whom to tell (op 13) at once."""
        self._delivery.leave(session.user_id, now)
        for waiting in self._farewells.values():
            waiting.discard(session)
        members = list(self._room.members.values())
        if session.user_id not in self._delivery.group:
            return members
        following = self._delivery.following
        late = {m for m in members if m.max_dave_version and m.user_id not in following}
        self._farewells[session.user_id] = late
        return [member for member in members if member not in late]

    def resumed(self, session: "Session", now: float) -> None:
        """Take a session that was on no socket: it may hear of an op 22 only now."""
        if session.judge.encrypting:
            session.judge.expect_encryption(now + PLAINTEXT_GRACE)

    def receive(self, session: "Session", op: int, payload: object, now: float) -> None:
        """Take a DAVE message of a member."""
        reason = self._delivery.receive(session.user_id, op, payload, now)
        if reason in LATE:
            session.messages_late += 1
        elif reason is not None:
            session.messages_bad[reason] += 1
        self._deliver(now)

    def close(self) -> None:
        """Stop; nobody is left."""
        if self._timer is not None:
            self._timer.cancel()

    # -- the way out -------------------------------------------------------------

    def flush(self, now: float) -> None:
        """Send what the delivery service has to say."""
        self._deliver(now)

    def _deliver(self, now: float) -> None:
        for user_id, op, payload in self._delivery:
            session = self._room.members.get(user_id)
            if session is None:
                continue
            self._judge_by(session, op, payload, now)
            if isinstance(payload, bytes):
                self._board.tell_binary(session, op, payload)
            else:
                self._board.tell(session, op, payload)
        self._bid_farewell()
        self._await_timeout()

    def _bid_farewell(self) -> None:
        group = self._delivery.group
        for user_id in [user for user in self._farewells if user not in group]:
            for session in self._farewells.pop(user_id):
                if not session.ended:
                    self._board.tell(session, Opcode.CLIENT_DISCONNECT, {"user_id": str(user_id)})

    def _await_timeout(self) -> None:
        due = self._delivery.next_timeout()
        if self._timer is not None:
            if due == self._timer.when and self._timer.callback is not None:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._board.timers.call_at(due, self._timeout)

    def _timeout(self, now: float) -> None:
        self._timer = None
        self._delivery.handle_timeout(now)
        self._deliver(now)

    # -- what follows for frames ---------------------------------------------------

    def _judge_by(self, session: "Session", op: int, payload: object, now: float) -> None:
        """Tell the judge from when on a client has to encrypt, by what it is told."""
        match op, payload:
            case (Opcode.MLS_ANNOUNCE_COMMIT_TRANSITION | Opcode.MLS_WELCOME, bytes()):
                transition_id = int.from_bytes(payload[:2], "big")
                session.announced_versions[transition_id] = PROTOCOL_VERSION
                if not transition_id:
                    self._execute(session, 0, now)
            case (
                Opcode.DAVE_PREPARE_TRANSITION,
                {"transition_id": int(transition_id), "protocol_version": int(version)},
            ):
                session.announced_versions[transition_id] = version
                if not transition_id:
                    session.judge.allow_plaintext()  # alone, or in clear
            case (Opcode.DAVE_EXECUTE_TRANSITION, {"transition_id": int(transition_id)}):
                self._execute(session, transition_id, now)

    def _execute(self, session: "Session", transition_id: int, now: float) -> None:
        version = session.announced_versions.get(transition_id)
        if version is None:
            return
        for announced in list(session.announced_versions):  # the older ones are overtaken
            del session.announced_versions[announced]
            if announced == transition_id:
                break
        if not version:
            session.judge.allow_plaintext()
        elif session.socket is None:
            session.judge.expect_encryption(None)
        elif not session.judge.encrypting:
            session.judge.expect_encryption(now + PLAINTEXT_GRACE)
