"""The DAVE delivery service of one channel: who is in the MLS group, and what comes next.

It never holds a secret of the group. It collects key packages, proposes adds and removes as
the external sender, lets the first valid commit win, hands each newcomer its own part of the
welcome, and executes a transition when all are ready or after a timeout.

    pending   a member without a group: its key package waits for a commit
    group     leaves[i] is the user at leaf i; a newcomer takes the leftmost blank one

Without a group every pending member keeps one of its own, of epoch 0, so the same proposals
fit all of them; whose commit comes first becomes leaf 0 of the call's group.

Proposals go out in batches, one at a time: a member that commits twice in one epoch can only
follow its last commit, so what comes up meanwhile waits for the next epoch.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import msgspec

from ..codes import Opcode
from .mls import (
    Commit,
    ExternalSender,
    KeyPackage,
    MlsError,
    Proposal,
    Welcome,
    encode_append,
    encode_revoke,
    parse_commit_welcome,
    parse_key_package,
)

__all__ = ["Delivery", "DeliveryFaults"]

PROTOCOL_VERSION = 1
#: How long members may take to be ready for a transition; Discord: "roughly two seconds".
TRANSITION_TIMEOUT = 2.0
#: A batch of proposals that nobody committed by then is revoked and proposed anew.
BATCH_TIMEOUT = 1.0


class DeliveryFaults(msgspec.Struct):
    """What the service does wrong on request. Numbers count down with each use."""

    corrupt_proposals: int = 0
    corrupt_commits: int = 0
    corrupt_welcomes: int = 0
    wrong_external_sender: int = 0
    ghost_adds: int = 0
    drop_executes: int = 0
    execute_delay: float = 0.0  # seconds on top, for `delayed_users`, or for all
    delayed_users: frozenset[int] = frozenset()
    late_external_sender: int = 0  # send op 25 after the first op 27


class _Member(msgspec.Struct):
    version: int
    package: KeyPackage | None = None  # waits to be added
    rejoining: bool = False  # said op 31: is to be removed and added again


class _Transition(msgspec.Struct):
    version: int
    waiting: set[int]
    members: set[int]
    deadline: float


class Delivery:
    """Sans-I/O: call a method, then take what `poll` says: (user id, op, bytes or ``d``)."""

    def __init__(
        self,
        channel_id: int,
        *,
        enabled: bool = True,
        first_transition_id: int = 1,
        faults: DeliveryFaults | None = None,
    ) -> None:
        self._group_id = channel_id.to_bytes(8, "big")
        self._enabled = enabled
        self._sender = ExternalSender()
        self._members: dict[int, _Member] = {}
        self._leaves: list[int | None] = []
        self._epoch: int | None = None
        self._proposals: dict[bytes, Proposal] = {}  # the batch under way, by reference
        self._batch_deadline: float | None = None
        self._next_transition = first_transition_id
        self._transitions: dict[int, _Transition] = {}
        self._delayed: list[tuple[float, int, int]] = []  # when, user, transition id
        self._out: deque[tuple[int, int, object]] = deque()
        self._version = PROTOCOL_VERSION if enabled else 0  # of the call
        self._encrypted_since: float | None = None
        self.faults = faults if faults is not None else DeliveryFaults()
        self.refused: dict[str, int] = {}

    # -- getters ----------------------------------------------------------------

    @property
    def version(self) -> int:
        """The protocol version of the call: 0 as long as anybody can not speak DAVE."""
        return self._version

    @property
    def epoch(self) -> int | None:
        """The epoch of the group; None without one."""
        return self._epoch

    @property
    def group(self) -> tuple[int, ...]:
        """Users in the group, also those who left and are not removed yet."""
        return tuple(user for user in self._leaves if user is not None)

    def settled(self) -> bool:
        """Whether nothing is under way: no proposal, no transition, nobody pending."""
        alone = len(self._members) < 2 or self._version == 0
        waiting = any(member.package is not None for member in self._members.values())
        return not self._transitions and not self._proposals and (alone or not waiting)

    def poll(self) -> tuple[int, int, object] | None:
        """Return the next message: to whom, op, payload."""
        return self._out.popleft() if self._out else None

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due."""
        times = [transition.deadline for transition in self._transitions.values()]
        times += [due for due, _, _ in self._delayed]
        if self._batch_deadline is not None:
            times.append(self._batch_deadline)
        return min(times, default=None)

    def handle_timeout(self, now: float) -> None:
        """Execute transitions whose time is up; propose anew what nobody committed."""
        if self._batch_deadline is not None and now >= self._batch_deadline:
            self._revoke(list(self._proposals))
            self._propose(now)
        for transition_id, transition in list(self._transitions.items()):
            if now >= transition.deadline and transition_id in self._transitions:
                self._execute(transition_id, transition, now)
        due = [entry for entry in self._delayed if entry[0] <= now]
        self._delayed = [entry for entry in self._delayed if entry[0] > now]
        for _, user_id, transition_id in due:
            if user_id in self._members:
                self._say(user_id, Opcode.DAVE_EXECUTE_TRANSITION, transition_id=transition_id)

    # -- members ------------------------------------------------------------------

    def version_for(self, max_version: int) -> int:
        """Return what op 4 tells a newcomer: the version with it in the call."""
        if not self._enabled or not max_version:
            return 0
        return min([PROTOCOL_VERSION, max_version, *(m.version for m in self._members.values())])

    def join(self, user_id: int, max_version: int, now: float) -> None:
        """Take a member whose op 4 has been sent."""
        member = self._members[user_id] = _Member(min(max_version, PROTOCOL_VERSION))
        if not self._enabled:
            return
        if not member.version:
            if self._version and len(self._members) > 1:
                self._downgrade(now)
            self._version = 0
        elif all(other.version for other in self._members.values()):
            if not self._version:
                self._version = PROTOCOL_VERSION
            self._welcome_member(user_id)

    def leave(self, user_id: int, now: float) -> None:
        """Take a member's leaving."""
        member = self._members.pop(user_id, None)
        if member is None or not self._enabled:
            return
        for transition_id, transition in list(self._transitions.items()):
            transition.members.discard(user_id)
            transition.waiting.discard(user_id)
            if not transition.waiting and transition_id in self._transitions:
                self._execute(transition_id, transition, now)
        if not self._members:
            self._forget_group()
            self._version = PROTOCOL_VERSION
        elif self._version == 0:
            if all(other.version for other in self._members.values()):
                self._upgrade()
        elif len(self._members) == 1 and self._epoch is not None:
            self._reset_sole_member()
        else:
            self._revoke_adds_of(user_id)
            self._propose(now)

    def _welcome_member(self, user_id: int) -> None:
        if self.faults.late_external_sender:
            self.faults.late_external_sender -= 1
            self._propose_to_newcomer(user_id)
            self._send_external_sender(user_id)
        else:
            self._send_external_sender(user_id)
            self._propose_to_newcomer(user_id)

    def _send_external_sender(self, user_id: int) -> None:
        package = self._sender.package
        if self.faults.wrong_external_sender:
            self.faults.wrong_external_sender -= 1
            package = ExternalSender().package
        self._out.append((user_id, Opcode.MLS_EXTERNAL_SENDER, package))

    def _propose_to_newcomer(self, user_id: int) -> None:
        """In-flight adds, to one who may yet be the first to commit."""
        if self._epoch is None and self._proposals:
            self._send_proposals((user_id,), self._proposals.values())

    def _reset_sole_member(self) -> None:
        (user_id,) = self._members
        self._forget_group()
        self._members[user_id].package = None
        self._say(user_id, Opcode.DAVE_PREPARE_EPOCH, protocol_version=PROTOCOL_VERSION, epoch=1)
        self._say(
            user_id,
            Opcode.DAVE_PREPARE_TRANSITION,
            transition_id=0,
            protocol_version=PROTOCOL_VERSION,
        )

    def _downgrade(self, now: float) -> None:
        able = {user for user, member in self._members.items() if member.version}
        self._forget_group()
        for user_id in able:
            self._members[user_id].package = None
        transition_id = self._take_transition_id()
        for user_id in able:
            self._say(
                user_id,
                Opcode.DAVE_PREPARE_TRANSITION,
                transition_id=transition_id,
                protocol_version=0,
            )
        self._begin_transition(transition_id, 0, able, now)

    def _upgrade(self) -> None:
        self._version = PROTOCOL_VERSION
        self._forget_group()
        for user_id, member in self._members.items():
            member.package = None
            self._say(
                user_id, Opcode.DAVE_PREPARE_EPOCH, protocol_version=PROTOCOL_VERSION, epoch=1
            )
            self._send_external_sender(user_id)

    def _forget_group(self) -> None:
        self._epoch = None
        self._leaves = []
        self._proposals.clear()
        self._batch_deadline = None
        self._transitions.clear()

    # -- what members say -----------------------------------------------------------

    def receive(self, user_id: int, op: int, payload: object, now: float) -> str | None:
        """Take op 23, 26, 28 or 31 of a member; return a reason if it was refused."""
        if user_id not in self._members or not self._version and op != Opcode.DAVE_TRANSITION_READY:
            return self._refuse("unexpected_dave")
        try:
            match op, payload:
                case Opcode.MLS_KEY_PACKAGE, bytes():
                    return self._take_key_package(user_id, payload, now)
                case Opcode.MLS_COMMIT_WELCOME, bytes():
                    return self._take_commit(user_id, payload, now)
                case Opcode.DAVE_TRANSITION_READY, int():
                    return self._take_ready(user_id, payload, now)
                case Opcode.MLS_INVALID_COMMIT_WELCOME, int():
                    return self._take_invalid(user_id)
        except MlsError:
            return self._refuse("bad_mls")
        return self._refuse("unexpected_dave")

    def _refuse(self, reason: str) -> str:
        self.refused[reason] = self.refused.get(reason, 0) + 1
        return reason

    def _take_key_package(self, user_id: int, payload: bytes, now: float) -> str | None:
        package = parse_key_package(payload)
        if package.leaf.user_id != user_id:
            return self._refuse("foreign_key_package")
        member = self._members[user_id]
        self._revoke_adds_of(user_id)
        member.package = package
        if user_id in self._leaves:
            member.rejoining = True  # it made its group anew: the leaf is dead
        self._propose(now)
        return None

    def _take_ready(self, user_id: int, transition_id: int, now: float) -> str | None:
        transition = self._transitions.get(transition_id)
        if transition is not None:
            transition.waiting.discard(user_id)
            if not transition.waiting:
                self._execute(transition_id, transition, now)
        return None

    def _take_invalid(self, user_id: int) -> str | None:
        member = self._members[user_id]
        member.package = None
        member.rejoining = user_id in self._leaves
        return None

    def _take_commit(self, user_id: int, payload: bytes, now: float) -> str | None:
        commit, welcome = parse_commit_welcome(payload)
        reason = self._judge(user_id, commit, welcome)
        if reason is not None:
            return self._refuse(reason)
        committed = [self._proposals[reference] for reference in commit.references]
        if self._epoch is None:
            self._leaves = [user_id]
            self._members[user_id].package = None
        for proposal in sorted(committed, key=lambda proposal: proposal.is_add):
            if proposal.is_add:
                self._place(proposal.user_id)
            else:
                self._leaves[self._leaves.index(proposal.user_id)] = None
        self._epoch = commit.epoch + 1
        self._proposals.clear()
        self._batch_deadline = None
        self._announce(commit, welcome, committed, now)
        self._propose(now)
        return None

    def _judge(self, user_id: int, commit: Commit, welcome: Welcome | None) -> str | None:
        """As far as somebody without the group's secrets can."""
        adds = {r for r in commit.references if r in self._proposals and self._proposals[r].is_add}
        added = [self._members.get(self._proposals[r].user_id) for r in adds]
        packages = {m.package.reference for m in added if m is not None and m.package is not None}
        # All of the batch that the committer was shown: not its own add.
        shown = {
            reference
            for reference, proposal in self._proposals.items()
            if not (proposal.is_add and proposal.user_id == user_id)
        }
        expected_leaf = 0
        if self._epoch is not None:
            if user_id not in self._leaves:
                return "not_a_member"
            expected_leaf = self._leaves.index(user_id)
        checks = (
            (commit.group_id == self._group_id, "foreign_group"),
            (commit.epoch == (self._epoch or 0), "old_epoch"),
            (commit.sender_leaf == expected_leaf, "foreign_leaf"),
            (not commit.inline, "inline_proposal"),
            (bool(commit.references), "empty_commit"),
            (set(commit.references) == shown, "other_proposals"),
            (len(packages) == len(adds), "gone"),
            (set(welcome.secrets if welcome is not None else ()) == packages, "wrong_welcome"),
        )
        return next((reason for right, reason in checks if not right), None)

    def _place(self, user_id: int) -> None:
        if None in self._leaves:
            self._leaves[self._leaves.index(None)] = user_id
        else:
            self._leaves.append(user_id)

    def _announce(
        self, commit: Commit, welcome: Welcome | None, committed: list[Proposal], now: float
    ) -> None:
        transition_id = self._take_transition_id()
        prefix = transition_id.to_bytes(2, "big")
        added = {proposal.user_id for proposal in committed if proposal.is_add}
        present = {user for user in self.group if user in self._members}
        for user_id in present - added:
            message = commit.message
            if self.faults.corrupt_commits:
                self.faults.corrupt_commits -= 1
                message = _corrupted(message)
            self._out.append((user_id, Opcode.MLS_ANNOUNCE_COMMIT_TRANSITION, prefix + message))
        for user_id in added & present:
            member = self._members[user_id]
            assert member.package is not None
            assert welcome is not None
            message = welcome.for_member(member.package.reference)
            member.package = None
            member.rejoining = False
            if self.faults.corrupt_welcomes:
                self.faults.corrupt_welcomes -= 1
                message = _corrupted(message)
            self._out.append((user_id, Opcode.MLS_WELCOME, prefix + message))
        if transition_id:
            self._begin_transition(transition_id, PROTOCOL_VERSION, present, now)

    # -- proposals --------------------------------------------------------------------

    def _propose(self, now: float) -> None:
        """Propose what the group lacks, to those who can commit it: one batch at a time."""
        if self._version == 0 or self._proposals:
            return
        epoch = self._epoch or 0
        fresh: list[Proposal] = []
        for leaf, user_id in enumerate(self._leaves):
            if user_id is None:
                continue
            member = self._members.get(user_id)
            if member is None or (member.rejoining and member.package is not None):
                fresh.append(self._sender.propose_remove(self._group_id, epoch, leaf, user_id))
        for user_id, member in self._members.items():
            if member.package is not None:
                fresh.append(self._sender.propose_add(self._group_id, epoch, member.package))
        self._batch_deadline = None
        if not fresh or (self._epoch is None and len(fresh) < 2):
            return  # one alone has nobody to add
        self._proposals = {proposal.reference: proposal for proposal in fresh}
        self._batch_deadline = now + BATCH_TIMEOUT
        self._send_proposals(self._committers(), fresh)

    def _committers(self) -> tuple[int, ...]:
        if self._epoch is None:
            return tuple(user for user, member in self._members.items() if member.package)
        return tuple(
            user
            for user in self.group
            if user in self._members and not self._members[user].rejoining
        )

    def _send_proposals(self, to: Iterable[int], proposals: Iterable[Proposal]) -> None:
        proposals = list(proposals)
        for user_id in to:
            # Nobody can add itself; with nobody to add yet there is nothing to commit.
            others = [p for p in proposals if not (p.is_add and p.user_id == user_id)]
            if not others:
                continue
            if self.faults.ghost_adds:
                self.faults.ghost_adds -= 1
                others.append(self._ghost())
            payload = encode_append(others)
            if self.faults.corrupt_proposals:
                self.faults.corrupt_proposals -= 1
                payload = _corrupted(payload)
            self._out.append((user_id, Opcode.MLS_PROPOSALS, payload))

    def _revoke_adds_of(self, user_id: int) -> None:
        self._revoke(
            [
                reference
                for reference, proposal in self._proposals.items()
                if proposal.user_id == user_id and proposal.is_add
            ]
        )

    def _revoke(self, references: list[bytes]) -> None:
        """Withdraw proposals of the batch from those who got them."""
        for user_id in self._committers():
            theirs = [
                reference
                for reference in references
                if not (self._proposals[reference].user_id == user_id)
            ]
            if theirs:
                self._out.append((user_id, Opcode.MLS_PROPOSALS, encode_revoke(theirs)))
        for reference in references:
            del self._proposals[reference]
        if not self._proposals:
            self._batch_deadline = None

    def _ghost(self) -> Proposal:
        """An add of somebody whom no op 11 announced."""
        package = next(m.package for m in self._members.values() if m.package is not None)
        ghost = msgspec.structs.replace(
            package, raw=package.raw.replace(package.leaf.user_id.to_bytes(8, "big"), b"\7" * 8)
        )
        return self._sender.propose_add(self._group_id, self._epoch or 0, ghost)

    # -- transitions --------------------------------------------------------------------

    def _take_transition_id(self) -> int:
        transition_id = self._next_transition
        self._next_transition = transition_id + 1 & 0xFFFF or 1
        return transition_id

    def _begin_transition(
        self, transition_id: int, version: int, members: set[int], now: float
    ) -> None:
        self._transitions[transition_id] = _Transition(
            version, set(members), set(members), now + TRANSITION_TIMEOUT
        )

    def _execute(self, transition_id: int, transition: _Transition, now: float) -> None:
        for begun in list(self._transitions):  # the older ones are overtaken
            del self._transitions[begun]
            if begun == transition_id:
                break
        if self.faults.drop_executes:
            self.faults.drop_executes -= 1
            return
        slow = self.faults.delayed_users
        for user_id in transition.members:
            if user_id not in self._members:
                continue
            if self.faults.execute_delay and (user_id in slow or not slow):
                self._delayed.append((now + self.faults.execute_delay, user_id, transition_id))
            else:
                self._say(user_id, Opcode.DAVE_EXECUTE_TRANSITION, transition_id=transition_id)

    def _say(self, user_id: int, op: int, **data: int) -> None:
        self._out.append((user_id, op, data))

    def __iter__(self) -> Iterator[tuple[int, int, object]]:
        while (message := self.poll()) is not None:
            yield message


def _corrupted(message: bytes) -> bytes:
    """Flip a bit near the end: inside a signature or a ciphertext, not a length."""
    at = len(message) - 8
    return message[:at] + bytes((message[at] ^ 1,)) + message[at + 1 :]
