"""The DAVE state machine: what follows from each of the opcodes 21 to 31.

    op 4   version V > 0       begin: a group of the channel's id; op 26
    op 24  epoch 1             begin anew; op 26
    op 24  another epoch       only announces a version
    op 25                      kept: the group can be joined once both are there
    op 27                      op 28, a commit of the proposals (and a welcome)
    op 29 / 30                 the next epoch: its keys are stored under the transition id,
                               op 23; with id 0 they are used at once
    op 21  version 0           a downgrade under a transition id; op 23
    op 21  id 0, no group      the sole member: the group's keys are not used any more
    op 22                      what the transition id stands for is used
    29 / 30 that fail          op 31, begin anew, op 26, at a limited rate

`FramePath` says what these do to frames. Remote input never raises here: what is malformed
is counted, reported and, where it was to bring an epoch, recovered from.
"""

from collections.abc import Callable, Iterable

import msgspec

from .._frame_gate import FrameGate
from .._sender import SendEpoch
from ..codes import Opcode
from ..events import DaveEvent, DaveFailed, DaveRecovering, DaveTransition, ProtocolViolation
from ..messages import DaveExecuteTransition, DavePrepareEpoch, DavePrepareTransition
from .backend import CommitResult, DaveBackend
from .displayable import privacy_code
from .frames import DaveCounters, FramePath
from .transitions import PATIENCE, Transition, Transitions
from .wire import (
    Malformed,
    MessageHeader,
    check_external_sender,
    check_proposals,
    parse_commit,
    split_transition,
)

__all__ = ["DaveMachine"]

#: A refused welcome waits this long for the op 11 of a member that was not announced yet.
#: Servers send both within a round trip.
WELCOME_PATIENCE = 1.0
#: After a resume, what the server had to say is replayed within this time. Who is not in the
#: group then may have lost its op 26 with the WebSocket.
RESUME_PATIENCE = 1.0
#: Recoveries (op 31, op 26) within the window before the machine gives up. A server that
#: needs more is broken, or at war with us.
MAX_RECOVERIES = 5
RECOVERY_WINDOW = 30.0
#: An MLS group that nobody has joined yet is at epoch 0.
PENDING_EPOCH = 0
#: Op 24 asks for a new group with this epoch.
FIRST_EPOCH = 1


class DaveMachine:
    """End-to-end encryption of one connection over one `DaveBackend`. See `DaveSession`."""

    def __init__(self, backend: DaveBackend, *, require_e2ee: bool = False) -> None:
        self._backend = backend
        self._messages: list[tuple[int, object]] = []
        self._events: list[DaveEvent] = []
        self.counters = DaveCounters()
        self._frames = FramePath(
            backend, self.counters, self._events.append, require_e2ee=require_e2ee
        )
        # Straight to where the work is done: these are called for every packet, or else
        # the gate itself is.
        self.gate: FrameGate = self._frames
        self.encrypt: Callable[[bytes], bytes | None] = self._frames.encrypt
        self.decrypt: Callable[[int, bytes, float], bytes | None] = self._frames.decrypt

        self._channel_id = 0
        self._user_id = 0
        self._users: set[int] = set()
        self._is_new = True  # no op 4 since the Identify
        self._version = 0  # in force for what we send
        self._group_version = 0  # of the group being made or used; 0: none
        self._groups = 0  # counts them
        self._external_sender: bytes | None = None
        self._own_commit: bytes | None = None
        self._epoch: int | None = None
        self._oldest_epoch = FIRST_EPOCH  # that the group can be at where `_epoch` is unknown
        self._privacy_code: str | None = None
        self._members: tuple[int, ...] = ()
        self._former_members: frozenset[int] = frozenset()  # of the group before
        self._transitions = Transitions()
        self._welcome: tuple[int, bytes] | None = None
        #: When to ask to be added again, under which transition id, and why.
        self._stuck: tuple[float, int, str] | None = None
        self._offer_again_at: float | None = None  # after a resume
        self._recoveries: list[float] = []
        self._failed = False

    def __repr__(self) -> str:
        return f"<DaveMachine version={self._version} epoch={self._epoch}>"

    # -- getters ----------------------------------------------------------------

    @property
    def max_version(self) -> int:
        """What Identify offers."""
        return self._backend.max_version

    @property
    def version(self) -> int:
        """The version in force for what we send."""
        return self._version

    @property
    def encrypted(self) -> bool:
        """Whether what is sent now is end-to-end encrypted."""
        return self._frames.encrypted

    @property
    def send_epoch(self) -> SendEpoch:
        """Bumped before each change of what is done to frames that we send."""
        return self._frames.send_epoch

    @property
    def epoch(self) -> int | None:
        """The group's epoch; None without one, or where only the server knows it."""
        return self._epoch

    @property
    def privacy_code(self) -> str | None:
        """The 30 digits that all members see alike; None without a group."""
        return self._privacy_code

    @property
    def members(self) -> tuple[int, ...]:
        """Users in the MLS group."""
        return self._members

    @property
    def counts(self) -> dict[str, int]:
        """What was counted."""
        return msgspec.structs.asdict(self.counters)

    def verification_code(self, user_id: int) -> str | None:
        """Return the 45 digits to compare with a member; None for a stranger. Takes 80 ms."""
        return self._backend.fingerprint(user_id)

    @property
    def generation(self) -> int:
        """Grows with each change of receiving keys: a reason to try a held frame again."""
        return self._frames.generation

    def awaits_key(self, frame: bytes, /) -> bool:
        """Whether a key that opens the frame may be on its way: its sender switches first."""
        return not self._failed and self._frames.awaits_key(frame)

    # -- the loop -----------------------------------------------------------------

    def poll(self) -> tuple[int, object] | None:
        """Return the next message to send: op, and bytes or ``d``."""
        return self._messages.pop(0) if self._messages else None

    def poll_event(self) -> DaveEvent | None:
        """Return the next event."""
        return self._events.pop(0) if self._events else None

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due."""
        times = (
            None if self._stuck is None else self._stuck[0],
            self._offer_again_at,
            self._frames.next_timeout(),
            self._transitions.next_timeout(),
        )
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Drop old keys, end receive passthrough, give up on an op 22 or a refused welcome."""
        self._frames.handle_timeout(now)
        overdue = self._transitions.overdue(now)
        if overdue is not None:
            self.counters.executes_missed += 1
            self._execute(overdue, now)
        if self._stuck is not None and now >= self._stuck[0]:
            _, transition_id, why = self._stuck
            self._recover(transition_id, why, now)
        if self._offer_again_at is not None and now >= self._offer_again_at:
            self._begin(self._group_version, now)

    # -- from the connection ----------------------------------------------------------

    def identifying(self) -> None:
        """Forget who is there: a new Identify is on its way (a resume keeps them)."""
        self._users.clear()
        self._external_sender = None
        self._is_new = True

    def resumed(self, now: float) -> None:
        """Take an op 9: what we said last may be lost, and no server asks for it again."""
        if self._group_version and not self._backend.established:
            self._offer_again_at = now + RESUME_PATIENCE

    def session_described(self, version: int, channel_id: int, user_id: int, now: float) -> None:
        """Take the op 4 of a new session, which has a group of its own.

        Another op 4 in the same session changes the transport key and nothing here: it
        could else end the encryption without announcing it.
        """
        if not self._is_new:
            return
        self._is_new = False
        self._channel_id = channel_id
        self._user_id = user_id
        self._version = 0
        self._group_version = 0
        self._recoveries.clear()
        self._failed = False
        self._transitions.forget()
        self._frames.begin_session()
        self._forget_group()
        if version:
            self._begin(version, now)

    def users_joined(self, user_ids: Iterable[int], now: float) -> None:
        """Take an op 11; a welcome that waits for one of them is tried again."""
        self._users.update(user_ids)
        if self._welcome is not None:
            transition_id, welcome = self._welcome
            if self._backend.process_welcome(welcome, self._known()):
                self._entered(transition_id, None, now)

    def user_left(self, user_id: int, now: float) -> None:
        """Take an op 13. Their keys go with the commit that removes them.

        If it is this commit that we could not follow, they must not go on to hear us.
        """
        self._users.discard(user_id)
        if user_id in self._former_members:
            self._frames.drop_orphaned_key()

    def receive_json(self, op: int, data: object, now: float) -> None:
        """Take op 21, 22 or 24."""
        match data:
            case DavePrepareTransition(transition_id, version):
                self._prepare_transition(transition_id, version, now)
            case DaveExecuteTransition(transition_id):
                self._execute(transition_id, now)
            case DavePrepareEpoch(version, epoch):
                self._prepare_epoch(version, epoch, now)

    def receive_binary(self, op: int, payload: bytes, now: float) -> None:
        """Take op 25, 27, 29 or 30. Malformed ones become `ProtocolViolation` events."""
        take = _BINARY.get(op)
        if take is None:
            return
        try:
            take(self, payload, now)
        except Malformed as error:
            self._violation(op, str(error))
            if op in _ENTERING and len(payload) >= 2 and self._group_version:
                transition_id = int.from_bytes(payload[:2], "big")
                self._recover(transition_id, "a commit or welcome was malformed", now)

    # -- the group ------------------------------------------------------------------------

    def _begin(self, version: int, now: float) -> None:
        """Make a group of which only we know yet, and offer to join the call's.

        Pending transitions stay: their keys are of epochs that others still enter.
        """
        self._group_version = version
        self._groups += 1
        self._oldest_epoch = FIRST_EPOCH
        if self._members:
            self._former_members = frozenset(self._members)
        self._frames.orphan_key(now)
        self._frames.expect_encryption()
        self._forget_group()
        self._backend.start(version, self._channel_id, self._user_id)
        if self._external_sender is not None:
            self._backend.set_external_sender(self._external_sender)
        package = self._backend.key_package()
        if package is not None:
            self._messages.append((Opcode.MLS_KEY_PACKAGE, package))

    def _forget_group(self) -> None:
        self._epoch = None
        self._privacy_code = None
        self._members = ()
        self._own_commit = None
        self._forget_welcome()

    def _forget_welcome(self) -> None:
        """We are in, or begin anew."""
        self._welcome = None
        self._stuck = None
        self._offer_again_at = None

    def _take_external_sender(self, payload: bytes, now: float) -> None:
        check_external_sender(payload)
        if payload == self._external_sender:
            return  # setting it again would forget proposals that are under way
        self._external_sender = payload
        if self._group_version:
            self._backend.set_external_sender(payload)

    def _take_proposals(self, payload: bytes, now: float) -> None:
        header = check_proposals(payload)
        answer = None
        if self._external_sender is not None and not self._is_out_of_date(header):
            answer = self._backend.process_proposals(payload, self._known())
        if answer is None:
            self.counters.proposals_ignored += 1
            return
        if self._backend.established:
            self._epoch = parse_commit(answer).epoch  # not known yet after a welcome
        self._own_commit = answer
        self._messages.append((Opcode.MLS_COMMIT_WELCOME, answer))

    def _is_out_of_date(self, header: MessageHeader | None) -> bool:
        """Whether proposals are for another group or epoch than ours."""
        if not self._group_version:
            return True
        if header is None:
            return False
        epoch = self._epoch if self._backend.established else PENDING_EPOCH
        return header.group_id != self._group_id() or epoch not in (None, header.epoch)

    def _take_commit(self, payload: bytes, now: float) -> None:
        transition_id, commit = split_transition(payload)
        header = parse_commit(commit)
        if not self._group_version or self._is_foreign(header, commit):
            self.counters.commits_ignored += 1
            if self._own_commit is not None and not self._backend.established:
                # Another's has won, and the welcome follows; or it is ours, and damaged.
                why = "another commit won, and no welcome came"
                self._stuck = self._stuck or (now + WELCOME_PATIENCE, transition_id, why)
            return
        match self._backend.process_commit(commit):
            case CommitResult.APPLIED:
                self._entered(transition_id, header.epoch + 1, now)
            case CommitResult.IGNORED:
                self.counters.commits_ignored += 1
            case CommitResult.FAILED:
                self._recover(transition_id, "a commit could not be processed", now)

    def _is_foreign(self, header: MessageHeader, commit: bytes) -> bool:
        """Whether a commit is none of our business: another group, an old epoch, a stranger's."""
        if header.group_id != self._group_id():
            return True
        if not self._backend.established:
            # Without a group there is only one commit that we can follow: our own.
            return self._own_commit is None or not self._own_commit.startswith(commit)
        return header.epoch < (self._oldest_epoch if self._epoch is None else self._epoch)

    def _take_welcome(self, payload: bytes, now: float) -> None:
        transition_id, welcome = split_transition(payload)
        if not self._group_version or self._backend.established:
            self.counters.welcomes_ignored += 1
        elif self._backend.process_welcome(welcome, self._known()):
            self._entered(transition_id, None, now)
        else:
            # Perhaps it names somebody whose op 11 is still on its way.
            self._welcome = (transition_id, welcome)
            self._stuck = (now + WELCOME_PATIENCE, transition_id, "the welcome was refused")

    def _entered(self, transition_id: int, epoch: int | None, now: float) -> None:
        """A new epoch: everybody's receiving keys now, our sending key with op 22."""
        backend = self._backend
        self._epoch = epoch if epoch is not None else backend.epoch
        self._own_commit = None
        self._failed = False
        self._forget_welcome()
        authenticator = backend.authenticator
        self._privacy_code = privacy_code(authenticator) if authenticator is not None else None
        self._members = tuple(sorted(backend.roster))
        self._frames.add_keys()
        self._announce(
            transition_id,
            Transition(
                version=self._group_version,
                key=backend.send_key(),
                layer=self._frames.layer,
                group=self._groups,
                epoch=self._epoch,
                overdue=now + PATIENCE,
            ),
            now,
        )

    # -- transitions ----------------------------------------------------------------------

    def _prepare_transition(self, transition_id: int, version: int, now: float) -> None:
        if not 0 <= version <= self._backend.max_version:
            self._violation(Opcode.DAVE_PREPARE_TRANSITION, f"there is no version {version}")
        elif version == 0:
            self._frames.take_clear()
            self._announce(transition_id, Transition(0, group=self._groups), now)
        elif transition_id == 0 and not self._backend.established:
            # The sole member's reset. What was pending is of a group that others left.
            self._transitions.forget()
            self._frames.end_group()
        elif transition_id in self._transitions:
            pass  # the op 29 or 30 has announced it
        elif self._frames.encrypted:
            self._announce(
                transition_id, Transition(version, group=self._groups, epoch=self._epoch), now
            )
        else:
            self._say_ready(transition_id)  # the epoch that it is about brings its own

    def _prepare_epoch(self, version: int, epoch: int, now: float) -> None:
        if not 0 < version <= self._backend.max_version:
            self._violation(Opcode.DAVE_PREPARE_EPOCH, f"there is no version {version} to prepare")
        elif epoch == FIRST_EPOCH:
            self._begin(version, now)
        elif self._group_version:
            self._group_version = version

    def _announce(self, transition_id: int, transition: Transition, now: float) -> None:
        self._transitions.add(transition_id, transition)
        if transition_id == 0:
            self._execute(0, now)
        else:
            self._say_ready(transition_id)

    def _say_ready(self, transition_id: int) -> None:
        if transition_id:
            data = {"transition_id": transition_id}
            self._messages.append((Opcode.DAVE_TRANSITION_READY, data))

    def _execute(self, transition_id: int, now: float) -> None:
        transition = self._transitions.take(transition_id)
        if transition is None:
            self.counters.executes_ignored += 1
            self._frames.drop_orphaned_key()
            return
        self._version = transition.version
        is_present = transition.group == self._groups
        if transition.version == 0 and is_present and not self._transitions:
            self._group_version = 0
            self._forget_group()
        self._frames.execute(
            transition,
            is_present=is_present,
            downgrading=self._transitions.downgrading,
            now=now,
        )
        self.counters.transitions += 1
        self._events.append(DaveTransition(transition_id, transition.version, transition.epoch))

    # -- what goes wrong ------------------------------------------------------------------

    def _recover(self, transition_id: int, why: str, now: float) -> None:
        """Ask to be removed and added again; give up where that was of no use."""
        self._forget_welcome()
        recent = self._recoveries
        while recent and now - recent[0] > RECOVERY_WINDOW:
            recent.pop(0)
        if self._failed or len(recent) >= MAX_RECOVERIES:
            if not self._failed:
                self._failed = True
                self._frames.orphan_key(now)
                self._events.append(DaveFailed(why, len(recent)))
            return
        recent.append(now)
        self.counters.recoveries += 1
        data = {"transition_id": transition_id}
        self._messages.append((Opcode.MLS_INVALID_COMMIT_WELCOME, data))
        self._events.append(DaveRecovering(transition_id, why))
        oldest = self._oldest_epoch if self._epoch is None else self._epoch
        self._begin(self._group_version, now)
        self._oldest_epoch = oldest  # it is the others' group as before

    def _violation(self, op: int, why: str) -> None:
        self.counters.malformed += 1
        self._events.append(ProtocolViolation(f"op {op}", why, 1))

    def _known(self) -> frozenset[int]:
        return frozenset(self._users | {self._user_id})

    def _group_id(self) -> bytes:
        return self._channel_id.to_bytes(8, "big")


_BINARY: dict[int, Callable[[DaveMachine, bytes, float], None]] = {
    Opcode.MLS_EXTERNAL_SENDER: DaveMachine._take_external_sender,
    Opcode.MLS_PROPOSALS: DaveMachine._take_proposals,
    Opcode.MLS_ANNOUNCE_COMMIT_TRANSITION: DaveMachine._take_commit,
    Opcode.MLS_WELCOME: DaveMachine._take_welcome,
}
#: Messages that bring an epoch: without them we are lost, hence the recovery.
_ENTERING = frozenset({Opcode.MLS_ANNOUNCE_COMMIT_TRANSITION, Opcode.MLS_WELCOME})
