"""The DAVE delivery service of one channel: who is in the MLS group, and what comes next.

It never holds a secret of the group. It collects key packages, proposes adds and removes as
the external sender, lets the first valid commit win, hands each newcomer its own part of the
welcome, and executes a transition when all are ready or after a timeout.

    pending     a member without a group: its key package waits for a commit
    group       leaves of the MLS tree, also of those who left and are not removed yet
    rejoining   in the group, but it has begun anew: to be removed and added again

Without a group every pending member keeps one of its own, of epoch 0, so the same proposals
fit all of them; whose commit comes first becomes leaf 0 of the call's group.

Proposals go out in batches, one at a time: a member that commits twice in one epoch can only
follow its last commit, so what comes up meanwhile waits for the next epoch. A batch that
nobody commits in time is withdrawn; smaller ones find out whose key package is to blame, and
that one is proposed alone from then on, whenever nobody else waits.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from ..codes import Opcode
from .batch import Batch
from .delivery_faults import DeliveryFaults, Outbox
from .ghost import make_key_package
from .leaves import Leaves
from .limits import TokenBucket
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
from .transitions import Transition, Transitions

__all__ = ["LATE", "PROTOCOL_VERSION", "Delivery", "DeliveryFaults"]

PROTOCOL_VERSION = 1

#: Key packages of one member, per second and at once: each makes two commits for everybody.
KEY_PACKAGE_RATE = 0.5
KEY_PACKAGE_BURST = 8.0
#: Refusals that are nobody's fault: another commit, a withdrawal or a downgrade was first.
#: libdave commits nothing at all when everything was withdrawn.
LATE = frozenset({"old_epoch", "withdrawn", "empty_commit", "version_0"})


class _Member(msgspec.Struct):
    version: int
    bucket: TokenBucket
    package: KeyPackage | None = None  # waits to be added
    signature_key: bytes = b""  # of its newest key package
    rejoining: bool = False
    failures: int = 0  # batches of its add alone that nobody committed


class Delivery:
    """Sans-I/O: call a method, then take what `poll` says: (user id, op, bytes or ``d``)."""

    def __init__(
        self,
        channel_id: int,
        *,
        first_transition_id: int = 1,
        faults: DeliveryFaults | None = None,
    ) -> None:
        self._group_id = channel_id.to_bytes(8, "big")
        self._sender = ExternalSender()
        self._members: dict[int, _Member] = {}
        self._leaves = Leaves()
        self._epoch: int | None = None
        self._batch = Batch()
        self._transitions = Transitions(first_transition_id)
        self._version = PROTOCOL_VERSION
        self._outbox = Outbox(faults if faults is not None else DeliveryFaults())
        self.refused: dict[str, int] = {}  #: messages of members, by reason

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
        return self._leaves.users

    @property
    def following(self) -> tuple[int, ...]:
        """Members of the group who can follow its commits; all others need a welcome."""
        return tuple(self._committers())

    @property
    def faults(self) -> DeliveryFaults:
        """What goes wrong for whoever comes first."""
        return self._outbox.faults

    def faults_of(self, user_id: int) -> DeliveryFaults:
        """What goes wrong for one user."""
        return self._outbox.faults_of(user_id)

    def settled(self) -> bool:
        """Whether nothing is under way: no proposal, no transition, nobody pending."""
        alone = len(self._members) < 2 or self._version == 0
        waiting = any(member.package is not None for member in self._members.values())
        return not self._transitions and not self._batch and (alone or not waiting)

    def poll(self) -> tuple[int, int, object] | None:
        """Return the next message: to whom, op, payload."""
        return self._outbox.poll()

    def __iter__(self) -> Iterator[tuple[int, int, object]]:
        while (message := self.poll()) is not None:
            yield message

    # -- time -------------------------------------------------------------------

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due."""
        times = (
            self._transitions.next_timeout(),
            self._outbox.next_timeout(),
            self._batch.deadline,
        )
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Execute transitions whose time is up; propose anew what nobody committed."""
        if self._batch.deadline is not None and now >= self._batch.deadline:
            for user_id in self._batch.failed():
                self._members[user_id].failures += 1
            self._revoke(self._batch.proposals, now)
            self._propose(now)
        self._execute(self._transitions.overdue(now), now)
        self._outbox.handle_timeout(now)

    # -- members ------------------------------------------------------------------

    def version_for(self, max_version: int) -> int:
        """Return what op 4 tells a newcomer: the version with it in the call."""
        return min([PROTOCOL_VERSION, max_version, *(m.version for m in self._members.values())])

    def join(self, user_id: int, max_version: int, now: float) -> None:
        """Take a member whose op 4 is out; one that is there already begins anew."""
        if user_id in self._members:
            self._begin_anew(user_id, now)
        else:
            bucket = TokenBucket(KEY_PACKAGE_RATE, KEY_PACKAGE_BURST, now)
            self._members[user_id] = _Member(
                min(max_version, PROTOCOL_VERSION), bucket, rejoining=user_id in self._leaves
            )
        if self._everybody_speaks_dave():
            self._send_external_sender(user_id, now)
            if self._epoch is None and self._batch:
                # In-flight adds, to one who may yet be the first to commit.
                self._show(user_id, now)
        elif self._version:
            self._downgrade(now)

    def leave(self, user_id: int, now: float) -> None:
        """Take a member's leaving."""
        if self._members.pop(user_id, None) is None:
            return
        self._outbox.forget(user_id)
        self._batch.audience.discard(user_id)
        self._execute(self._transitions.without(user_id), now)
        if not self._members:
            self._forget_group()
            self._version = PROTOCOL_VERSION
        elif not self._version:
            if self._everybody_speaks_dave():
                self._upgrade(now)
        elif len(self._members) == 1 and self._epoch is not None:
            self._reset_sole_member(now)
        else:
            self._revoke_adds_of(user_id, now)
            self._propose(now)

    def _everybody_speaks_dave(self) -> bool:
        return all(member.version for member in self._members.values())

    def _begin_anew(self, user_id: int, now: float) -> None:
        """Take note that a member has made its group anew: its leaf and its package are dead."""
        member = self._members[user_id]
        self._revoke_adds_of(user_id, now)
        self._batch.audience.discard(user_id)
        member.package = None
        member.rejoining = user_id in self._leaves
        self._execute(self._transitions.without(user_id), now)

    def _send_external_sender(self, user_id: int, now: float) -> None:
        package = self._sender.package
        if self._outbox.strikes(user_id, "wrong_external_sender"):
            package = ExternalSender().package
        self._outbox.put(user_id, Opcode.MLS_EXTERNAL_SENDER, package, now)

    def _reset_sole_member(self, now: float) -> None:
        self._prepare_first_epoch(now)
        (user_id,) = self._members
        data = {"transition_id": 0, "protocol_version": PROTOCOL_VERSION}
        self._outbox.put(user_id, Opcode.DAVE_PREPARE_TRANSITION, data, now)

    def _downgrade(self, now: float) -> None:
        able = [user for user, member in self._members.items() if member.version]
        self._version = 0
        self._forget_group()
        transition_id = self._transitions.take_id() if able else 0
        for user_id in able:
            self._members[user_id].package = None
            data = {"transition_id": transition_id, "protocol_version": 0}
            self._outbox.put(user_id, Opcode.DAVE_PREPARE_TRANSITION, data, now)
        self._transitions.begin(transition_id, 0, able, now)

    def _upgrade(self, now: float) -> None:
        self._version = PROTOCOL_VERSION
        self._prepare_first_epoch(now)
        for user_id in self._members:
            self._send_external_sender(user_id, now)

    def _prepare_first_epoch(self, now: float) -> None:
        """Let everybody begin anew, each with a group of its own."""
        self._forget_group()
        for user_id, member in self._members.items():
            member.package = None
            data = {"protocol_version": PROTOCOL_VERSION, "epoch": 1}
            self._outbox.put(user_id, Opcode.DAVE_PREPARE_EPOCH, data, now)

    def _forget_group(self) -> None:
        self._epoch = None
        self._leaves.clear()
        self._batch.withdraw(self._batch.proposals)
        self._transitions.clear()
        for member in self._members.values():
            member.rejoining = False

    # -- what members say -----------------------------------------------------------

    def receive(self, user_id: int, op: int, payload: object, now: float) -> str | None:
        """Take op 23, 26, 28 or 31 of a member; return a reason if it was refused.

        ``payload`` is the binary message, or the transition id. Reasons in `LATE` are
        nobody's fault.
        """
        reason = self._receive(user_id, op, payload, now)
        if reason is not None:
            self.refused[reason] = self.refused.get(reason, 0) + 1
        return reason

    def _receive(self, user_id: int, op: int, payload: object, now: float) -> str | None:
        if user_id not in self._members or not self._members[user_id].version:
            return "unexpected_dave"
        if op == Opcode.DAVE_TRANSITION_READY and isinstance(payload, int):
            self._execute(self._transitions.ready(user_id, payload), now)
            return None
        if not self._version:
            return "version_0"
        try:
            match op, payload:
                case Opcode.MLS_KEY_PACKAGE, bytes():
                    return self._take_key_package(user_id, parse_key_package(payload), now)
                case Opcode.MLS_COMMIT_WELCOME, bytes():
                    return self._take_commit(user_id, *parse_commit_welcome(payload), now)
                case Opcode.MLS_INVALID_COMMIT_WELCOME, int():
                    self._begin_anew(user_id, now)
                    return None
        except MlsError:
            return "bad_mls"
        return "unexpected_dave"

    def _take_key_package(self, user_id: int, package: KeyPackage, now: float) -> str | None:
        if package.leaf.user_id != user_id:
            return "foreign_key_package"
        others = (member for user, member in self._members.items() if user != user_id)
        if any(other.signature_key == package.leaf.signature_key for other in others):
            return "duplicate_key"  # no group may have it twice: RFC 9420 §7.3
        member = self._members[user_id]
        self._begin_anew(user_id, now)
        if not member.bucket.take(now):
            return "rate_limited"
        member.package = package
        member.signature_key = package.leaf.signature_key
        self._propose(now)
        return None

    def _take_commit(
        self, user_id: int, commit: Commit, welcome: Welcome | None, now: float
    ) -> str | None:
        reason = self._judge(user_id, commit, welcome)
        if reason is not None:
            return reason
        commit.verify_leaf()
        committed = [self._batch.proposals[reference] for reference in commit.references]
        if self._epoch is None:
            self._leaves.add(user_id)
            self._members[user_id].package = None
        # Removes first, then adds in the order of the commit: RFC 9420 §12.3.
        for proposal in committed:
            if not proposal.is_add:
                self._leaves.remove(proposal.user_id)
        added = [proposal.user_id for proposal in committed if proposal.is_add]
        for newcomer in added:
            self._leaves.add(newcomer)
        self._epoch = commit.epoch + 1
        self._batch.committed()
        self._announce(commit, welcome, added, now)
        self._propose(now)
        return None

    def _judge(self, user_id: int, commit: Commit, welcome: Welcome | None) -> str | None:
        """Say what is wrong with a commit, as far as somebody without secrets can tell."""
        references = set(commit.references)
        shown = self._batch.fit_for(user_id)
        added = [self._members[p.user_id] for p in shown.values() if p.is_add]
        packages = {member.package.reference for member in added if member.package is not None}
        founder = self._epoch is None
        leaf = 0 if founder else self._leaf_of(user_id)
        path = commit.leaf
        key = self._members[user_id].signature_key
        checks: tuple[tuple[Callable[[], bool], str], ...] = (
            (lambda: commit.group_id == self._group_id, "foreign_group"),
            (lambda: commit.epoch == (self._epoch or 0), "old_epoch"),
            (lambda: not commit.inline, "inline_proposal"),
            (lambda: references != set(), "empty_commit"),
            (lambda: not self._batch.was_withdrawn(references), "withdrawn"),
            (lambda: leaf is not None, "not_a_member"),
            (lambda: commit.sender_leaf == leaf, "foreign_leaf"),
            (lambda: references == shown.keys(), "other_proposals"),
            (lambda: len(references) == len(commit.references), "other_proposals"),
            (lambda: set(welcome.secrets if welcome else ()) == packages, "wrong_welcome"),
            (lambda: path is None or (path.user_id, path.signature_key) == (user_id, key),
             "foreign_leaf"),
        )  # fmt: skip
        return next((reason for is_right, reason in checks if not is_right()), None)

    def _leaf_of(self, user_id: int) -> int | None:
        rejoining = self._members[user_id].rejoining
        return self._leaves.index(user_id) if user_id in self._leaves and not rejoining else None

    def _announce(
        self, commit: Commit, welcome: Welcome | None, added: list[int], now: float
    ) -> None:
        transition_id = self._transitions.take_id()
        prefix = transition_id.to_bytes(2, "big")
        for user_id in added:
            member = self._members[user_id]
            assert member.package is not None
            assert welcome is not None
            message = prefix + welcome.for_member(member.package.reference)
            member.package = None
            member.rejoining = False
            member.failures = 0
            self._outbox.put(user_id, Opcode.MLS_WELCOME, message, now)
        followers = self._committers()
        for user_id in followers:
            if user_id not in added:
                message = prefix + commit.message
                self._outbox.put(user_id, Opcode.MLS_ANNOUNCE_COMMIT_TRANSITION, message, now)
        self._transitions.begin(transition_id, PROTOCOL_VERSION, followers, now)

    # -- proposals --------------------------------------------------------------------

    def _propose(self, now: float) -> None:
        """Propose what the group lacks, to those who can commit it: one batch at a time."""
        if not self._version:
            return
        if self._epoch is not None and not self._committers():
            self._forget_group()  # nobody is left who could add the others
        pending = [user for user, member in self._members.items() if member.package is not None]
        if self._epoch is None and len(pending) < 2:
            return  # one alone has nobody to add
        gone = [user for user in self.group if self._is_dead(user)]
        fresh = [user for user in pending if not self._members[user].failures]
        if self._batch:
            better = (gone or fresh) and self._is_suspect(self._batch.proposals.values())
            if not better and not self._batch.hopeless():
                return
            self._revoke(self._batch.proposals, now)
        suspects = sorted(pending, key=lambda user: self._members[user].failures)
        added = fresh[: self._batch.max_adds] or suspects[: 0 if gone else 1]
        proposals = [self._propose_remove(user) for user in gone]
        proposals += [self._propose_add(user) for user in added]
        if proposals:
            self._batch.begin(proposals, now)
            for user_id in pending if self._epoch is None else self._committers():
                self._show(user_id, now)

    def _propose_remove(self, user_id: int) -> Proposal:
        leaf = self._leaves.index(user_id)
        return self._sender.propose_remove(self._group_id, self._epoch or 0, leaf, user_id)

    def _propose_add(self, user_id: int) -> Proposal:
        package = self._members[user_id].package
        assert package is not None
        return self._sender.propose_add(self._group_id, self._epoch or 0, package)

    def _is_dead(self, user_id: int) -> bool:
        """Whether the leaf of a member of the group is to be removed."""
        member = self._members.get(user_id)
        return member is None or (member.rejoining and member.package is not None)

    def _is_suspect(self, proposals: Iterable[Proposal]) -> bool:
        """Whether they are nothing but adds that have failed before."""
        return all(p.is_add and self._members[p.user_id].failures for p in proposals)

    def _committers(self) -> list[int]:
        """Members of the group who can follow it."""
        return [
            user
            for user in self.group
            if user in self._members and not self._members[user].rejoining
        ]

    def _show(self, user_id: int, now: float) -> None:
        """Send the batch to one member. Nobody can add itself, so its own add is left out."""
        shown = list(self._batch.fit_for(user_id).values())
        if not shown:
            return
        self._batch.audience.add(user_id)
        if self._outbox.strikes(user_id, "ghost_adds"):
            ghost = make_key_package()
            shown.append(self._sender.propose_add(self._group_id, self._epoch or 0, ghost))
        self._outbox.put(user_id, Opcode.MLS_PROPOSALS, encode_append(shown), now)

    def _revoke_adds_of(self, user_id: int, now: float) -> None:
        proposals = self._batch.proposals.items()
        self._revoke([r for r, p in proposals if p.is_add and p.user_id == user_id], now)

    def _revoke(self, references: Iterable[bytes], now: float) -> None:
        for user_id, theirs in self._batch.withdraw(references).items():
            self._outbox.put(user_id, Opcode.MLS_PROPOSALS, encode_revoke(theirs), now)

    # -- transitions --------------------------------------------------------------------

    def _execute(self, transitions: list[Transition], now: float) -> None:
        for transition in transitions:
            data = {"transition_id": transition.id}
            for user_id in sorted(transition.members):
                self._outbox.put(user_id, Opcode.DAVE_EXECUTE_TRANSITION, data, now)
