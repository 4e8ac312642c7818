"""The DAVE state machine: what follows from each of the opcodes 21 to 31.

    op 4   version V > 0       begin: a group of the channel's id; op 26
    op 24  epoch 1             begin anew; op 26
    op 25                      kept: the group can be joined once both are there
    op 27                      op 28, a commit of the proposals (and a welcome)
    op 29 / 30                 the next epoch: its keys are stored under the transition id,
                               op 23; with id 0 they are used at once
    op 21  version 0           a downgrade under a transition id; op 23
    op 22                      what the transition id stands for is used
    29 / 30 that fail          op 31, begin anew, op 26, at a limited rate

A frame goes out in clear only in a version 0 call, before the session's first epoch, or
after an announced downgrade. From the first epoch on there is always a key: after a reset
the old one serves until the next is there, and where the library has lost it, silence.
"""

from collections import deque
from collections.abc import Iterable
from enum import Enum

import msgspec

from ..codes import SILENCE_FRAME, Opcode
from ..events import (
    DaveEvent,
    DaveFailed,
    DaveRecovering,
    DaveTransition,
    E2eeWithheld,
    ProtocolViolation,
)
from ..messages import DaveExecuteTransition, DavePrepareEpoch, DavePrepareTransition
from .backend import CommitResult, DaveBackend
from .displayable import privacy_code
from .wire import (
    Malformed,
    check_external_sender,
    check_proposals,
    has_marker,
    parse_commit,
    split_transition,
)

__all__ = ["DaveCounters", "DaveMachine", "SendMode"]

#: How long receivers keep old keys, and take clear frames after an upgrade: the paper.
KEY_EXPIRY = 10.0
#: A welcome refused for a member not announced yet waits this long for op 11. Servers send
#: both within a round trip.
WELCOME_PATIENCE = 1.0
#: Recoveries (op 31, op 26) within the window before the machine gives up. A server that
#: needs more is broken, or at war with us.
MAX_RECOVERIES = 5
RECOVERY_WINDOW = 30.0
#: Transition ids that may be pending at once; servers overlap two or three.
MAX_PENDING = 32


class SendMode(Enum):
    """How frames go out."""

    CLEAR = "clear"
    ENCRYPTED = "encrypted"


class DaveCounters(msgspec.Struct):
    """What the machine has counted."""

    commits_ignored: int = 0
    proposals_ignored: int = 0
    recoveries: int = 0
    transitions: int = 0
    silenced: int = 0  # frames that became silence for want of a key


class _Pending(msgspec.Struct, frozen=True):
    """What a transition id stands for. ``key`` is None for a downgrade."""

    version: int
    key: object


class DaveMachine:
    """End-to-end encryption of one connection over one `DaveBackend`. See `DaveSession`."""

    def __init__(self, backend: DaveBackend, *, require_e2ee: bool = False) -> None:
        self._backend = backend
        self._require_e2ee = require_e2ee
        self._withheld = False
        self._version = 0
        self._announced = 0  # by op 4 or 24: the version of the group being made
        self._mode = SendMode.CLEAR
        self._channel_id = 0
        self._user_id = 0
        self._users: set[int] = set()
        self._active = False
        self._external_sender: bytes | None = None
        self._epoch: int | None = None
        self._privacy_code: str | None = None
        self._members: tuple[int, ...] = ()
        self._own_commit: bytes | None = None
        self._pending: dict[int, _Pending] = {}
        self._welcome: tuple[int, bytes] | None = None
        self._welcome_deadline: float | None = None
        self._clear_until: float | None = None  # receive passthrough; inf while version 0
        self._keys_expire_at: float | None = None
        self._recoveries: deque[float] = deque()
        self._failed = False
        self._generation = 0
        self._messages: deque[tuple[int, object]] = deque()
        self._events: deque[DaveEvent] = deque()
        self.counters = DaveCounters()

    def __repr__(self) -> str:
        return f"<DaveMachine version={self._version} {self._mode.value} epoch={self._epoch}>"

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
        return self._mode is SendMode.ENCRYPTED

    @property
    def epoch(self) -> int | None:
        """The group's epoch; None without one, and between a welcome and the next commit."""
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
        return self._generation

    def awaits_key(self, frame: bytes) -> bool:
        """Whether a key that opens the frame may be on its way: its sender switches first."""
        return self._announced > 0 and not self._failed and has_marker(frame)

    # -- the loop -----------------------------------------------------------------

    def poll(self) -> tuple[int, object] | None:
        """Return the next message to send: op, and bytes or ``d``."""
        return self._messages.popleft() if self._messages else None

    def poll_event(self) -> DaveEvent | None:
        """Return the next event."""
        return self._events.popleft() if self._events else None

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due."""
        times = (self._welcome_deadline, self._keys_expire_at, self._clear_deadline())
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Drop old keys, end receive passthrough, give up on a refused welcome."""
        if self._keys_expire_at is not None and now >= self._keys_expire_at:
            self._keys_expire_at = None
            self._backend.expire_receive_keys()
        deadline = self._clear_deadline()
        if deadline is not None and now >= deadline:
            self._clear_until = None
        if self._welcome_deadline is not None and now >= self._welcome_deadline:
            assert self._welcome is not None
            transition_id = self._welcome[0]
            self._forget_welcome()
            self._recover(transition_id, "the welcome was refused", now)

    def _clear_deadline(self) -> float | None:
        return self._clear_until if self._clear_until != _ALWAYS else None

    # -- from the connection ----------------------------------------------------------

    def identifying(self) -> None:
        """Forget who is there: a new Identify is on its way (a resume keeps them)."""
        self._users.clear()

    def session_described(self, version: int, channel_id: int, user_id: int, now: float) -> None:
        """Take an op 4: a new session, with a group of its own."""
        self._channel_id = channel_id
        self._user_id = user_id
        self._version = 0
        self._mode = SendMode.CLEAR
        self._recoveries.clear()
        self._failed = False
        self._clear_until = _ALWAYS
        if version:
            self._begin(version)
        else:
            self._announced = 0
            self._active = False

    def users_joined(self, user_ids: Iterable[int], now: float) -> None:
        """Take an op 11; a welcome that waits for one of them is tried again."""
        self._users.update(user_ids)
        if self._welcome is not None:
            transition_id, welcome = self._welcome
            if self._backend.process_welcome(welcome, self._known()):
                self._forget_welcome()
                self._entered(transition_id, None, now)

    def user_left(self, user_id: int, now: float) -> None:
        """Take an op 13."""
        self._users.discard(user_id)

    def receive_json(self, op: int, data: object, now: float) -> None:
        """Take op 21, 22 or 24."""
        match data:
            case DavePrepareTransition(transition_id, version):
                self._prepare_transition(transition_id, version, now)
            case DaveExecuteTransition(transition_id):
                self._execute(transition_id, now)
            case DavePrepareEpoch(version, epoch):
                self._announced = version
                if epoch == 1:
                    self._begin(version)

    def receive_binary(self, op: int, payload: bytes, now: float) -> None:
        """Take op 25, 27, 29 or 30. Malformed ones become `ProtocolViolation` events."""
        try:
            match op:
                case Opcode.MLS_EXTERNAL_SENDER:
                    check_external_sender(payload)
                    self._external_sender = payload
                    if self._active:
                        self._backend.set_external_sender(payload)
                case Opcode.MLS_PROPOSALS:
                    self._take_proposals(payload)
                case Opcode.MLS_ANNOUNCE_COMMIT_TRANSITION:
                    self._take_commit(payload, now)
                case Opcode.MLS_WELCOME:
                    self._take_welcome(payload, now)
        except Malformed as error:
            self._events.append(ProtocolViolation(f"op {op}", str(error), 1))
            if op in _ENTERING and len(payload) >= 2 and self._active:
                transition_id = int.from_bytes(payload[:2], "big")
                self._recover(transition_id, "a commit or welcome was malformed", now)

    # -- frames -----------------------------------------------------------------------

    def encrypt(self, opus: bytes) -> bytes | None:
        """Return the frame to send for one Opus packet: silence where it must not go out."""
        if self._mode is SendMode.CLEAR:
            if not self._require_e2ee:
                return opus
            if not self._withheld:
                self._withheld = True
                self._events.append(E2eeWithheld())
            self.counters.silenced += 1
            return SILENCE_FRAME
        frame = self._backend.encrypt(opus)
        if frame is None:
            self.counters.silenced += 1
            return SILENCE_FRAME
        return frame

    def decrypt(self, user_id: int, frame: bytes, now: float) -> bytes | None:
        """Return the Opus packet of a frame: the same object where it was in clear."""
        if has_marker(frame) and (self._announced or self._version):
            return self._backend.decrypt(user_id, frame)
        if self._clear_until is not None or frame == SILENCE_FRAME:
            return frame
        return None

    # -- opcodes ------------------------------------------------------------------------

    def _begin(self, version: int) -> None:
        """Make a group of which only we know yet, and offer to join the call's."""
        self._active = True
        self._announced = version
        self._epoch = None
        self._privacy_code = None
        self._members = ()
        self._own_commit = None
        self._pending.clear()
        self._forget_welcome()
        self._backend.start(version, self._channel_id, self._user_id)
        if self._external_sender is not None:
            self._backend.set_external_sender(self._external_sender)
        package = self._backend.key_package()
        if package is not None:
            self._messages.append((Opcode.MLS_KEY_PACKAGE, package))

    def _take_proposals(self, payload: bytes) -> None:
        check_proposals(payload)
        if not self._active or self._external_sender is None:
            self.counters.proposals_ignored += 1
            return
        answer = self._backend.process_proposals(payload, self._known())
        if answer is None:
            self.counters.proposals_ignored += 1
            return
        self._own_commit = answer
        self._messages.append((Opcode.MLS_COMMIT_WELCOME, answer))

    def _take_commit(self, payload: bytes, now: float) -> None:
        transition_id, commit = split_transition(payload)
        header = parse_commit(commit)
        if not self._active or self._is_foreign(header.group_id, header.epoch, commit):
            self.counters.commits_ignored += 1
            return
        match self._backend.process_commit(commit):
            case CommitResult.APPLIED:
                self._entered(transition_id, header.epoch + 1, now)
            case CommitResult.IGNORED:
                self.counters.commits_ignored += 1
            case CommitResult.FAILED:
                self._recover(transition_id, "a commit could not be processed", now)

    def _is_foreign(self, group_id: bytes, epoch: int, commit: bytes) -> bool:
        """Whether a commit is none of our business: another group, an old epoch, a stranger's."""
        if group_id != self._channel_id.to_bytes(8, "big"):
            return True
        if not self._backend.established:
            # Without a group there is only one commit that we can follow: our own.
            return self._own_commit is None or not self._own_commit.startswith(commit)
        return self._epoch is not None and epoch < self._epoch

    def _take_welcome(self, payload: bytes, now: float) -> None:
        transition_id, welcome = split_transition(payload)
        if not self._active or self._backend.established:
            self.counters.commits_ignored += 1
            return
        if self._backend.process_welcome(welcome, self._known()):
            self._entered(transition_id, None, now)
        else:
            # Perhaps it names somebody whose op 11 is still on its way.
            self._welcome = (transition_id, welcome)
            self._welcome_deadline = now + WELCOME_PATIENCE

    def _entered(self, transition_id: int, epoch: int | None, now: float) -> None:
        """A new epoch: everybody's receiving keys now, our sending key with op 22."""
        self._epoch = epoch
        self._own_commit = None
        authenticator = self._backend.authenticator
        self._privacy_code = privacy_code(authenticator) if authenticator is not None else None
        self._members = tuple(sorted(self._backend.roster))
        self._backend.add_receive_keys()
        self._generation += 1
        self._store(transition_id, _Pending(self._announced, self._backend.send_key()), now)

    def _prepare_transition(self, transition_id: int, version: int, now: float) -> None:
        if version == 0:
            self._clear_until = _ALWAYS
            self._generation += 1
            self._store(transition_id, _Pending(0, None), now)
        elif transition_id == 0 and not self._backend.established:
            pass  # the sole member's reset: the group that follows brings its own transition
        elif transition_id not in self._pending:
            self._announced = version

    def _store(self, transition_id: int, pending: _Pending, now: float) -> None:
        if len(self._pending) >= MAX_PENDING:
            del self._pending[next(iter(self._pending))]
        self._pending[transition_id] = pending
        if transition_id == 0:
            self._execute(0, now)
        else:
            data = {"transition_id": transition_id}
            self._messages.append((Opcode.DAVE_TRANSITION_READY, data))

    def _execute(self, transition_id: int, now: float) -> None:
        pending = self._pending.get(transition_id)
        if pending is None:
            return
        # What was announced before it is overtaken: its op 22, if it comes yet, means nothing.
        for announced in list(self._pending):
            del self._pending[announced]
            if announced == transition_id:
                break
        self._version = pending.version
        if pending.version == 0:
            self._mode = SendMode.CLEAR
            self._announced = 0
        else:
            self._backend.install_send_key(pending.key)
            self._mode = SendMode.ENCRYPTED
            self._withheld = False
            if self._clear_until == _ALWAYS:
                self._clear_until = now + KEY_EXPIRY
            self._keys_expire_at = now + KEY_EXPIRY
        self.counters.transitions += 1
        self._events.append(DaveTransition(transition_id, pending.version, self._epoch))

    def _recover(self, transition_id: int, why: str, now: float) -> None:
        recent = self._recoveries
        while recent and now - recent[0] > RECOVERY_WINDOW:
            recent.popleft()
        if len(recent) >= MAX_RECOVERIES:
            if not self._failed:
                self._failed = True
                self._events.append(DaveFailed(why, len(recent)))
            return
        recent.append(now)
        self.counters.recoveries += 1
        data = {"transition_id": transition_id}
        self._messages.append((Opcode.MLS_INVALID_COMMIT_WELCOME, data))
        self._events.append(DaveRecovering(transition_id, why))
        self._begin(self._announced or self._version)

    def _forget_welcome(self) -> None:
        self._welcome = None
        self._welcome_deadline = None

    def _known(self) -> frozenset[int]:
        return frozenset(self._users | {self._user_id})


_ALWAYS = float("inf")
_ENTERING = frozenset({Opcode.MLS_ANNOUNCE_COMMIT_TRANSITION, Opcode.MLS_WELCOME})
