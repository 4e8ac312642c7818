"""The DAVE delivery service of one call: plain, and slower than it could be.

Whenever something changes, all proposals are withdrawn and what the group lacks is proposed
anew. Only a commit of exactly what is proposed is taken, so the first such one wins and no
member commits twice. Who began anew (op 31, or another op 26) is removed and added again.
"""

from collections.abc import Callable

from messages import (
    ANNOUNCE_COMMIT,
    EXECUTE_TRANSITION,
    EXTERNAL_SENDER,
    PREPARE_EPOCH,
    PREPARE_TRANSITION,
    PROPOSALS,
    WELCOME,
)
from mls import ADD, REMOVE, Commit, ExternalSender, KeyPackage, Malformed, vec

APPEND, REVOKE = b"\x00", b"\x01"
#: How long a transition waits for members, and a proposal for a commit.
PATIENCE = 2.0


class Delivery:
    """``send(user_id, op, payload)`` reaches a member, ``later(seconds, call)`` is a timer."""

    def __init__(
        self,
        channel_id: int,
        send: Callable[[int, int, object], None],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.group_id = channel_id.to_bytes(8, "big")
        self.version = 1
        self.refused: list[str] = []
        self._send, self._later = send, later
        self._sender = ExternalSender()
        self._speaks_dave: dict[int, bool] = {}
        self._packages: dict[int, KeyPackage] = {}  # of those who wait
        self._tree: list[int | None] = []
        self._restarted: set[int] = set()  # in the tree, but with a new group of their own
        self._epoch: int | None = None
        self._proposed: dict[bytes, tuple[bytes, int, bytes]] = {}  # kind, user, message
        self._shown: dict[int, list[bytes]] = {}
        self._round = 0
        self._transition = 0
        self._awaited: dict[int, set[int]] = {}  # by transition: who is not ready
        self._executors: dict[int, frozenset[int]] = {}  # by transition: who is told

    # -- members ---------------------------------------------------------------

    def in_group(self, user_id: int) -> bool:
        """Whether a user, who may have left, has a leaf."""
        return user_id in self._tree

    def follows(self, user_id: int) -> bool:
        """Whether a member needs no welcome."""
        return user_id in self._tree and user_id not in self._restarted

    def gone(self) -> list[int]:
        """Return who left but has a leaf."""
        return [user for user in self._tree if user is not None and user not in self._speaks_dave]

    def version_with(self, speaks_dave: bool) -> int:
        """Return what op 4 says to a newcomer."""
        return int(speaks_dave and all(self._speaks_dave.values()))

    def join(self, user_id: int, speaks_dave: bool) -> None:
        """Take a member whose op 4 is out."""
        self._speaks_dave[user_id] = speaks_dave
        if user_id in self._tree:
            self._restarted.add(user_id)
        self._packages.pop(user_id, None)
        if all(self._speaks_dave.values()):
            self._send(user_id, EXTERNAL_SENDER, self._sender.announcement)
            if self._epoch is None:
                self._show(user_id)
        elif self.version:
            self._downgrade()

    def leave(self, user_id: int) -> None:
        """Take a member's leaving."""
        if self._speaks_dave.pop(user_id, None) is None:
            return
        self._packages.pop(user_id, None)
        self._shown.pop(user_id, None)
        for transition_id in list(self._awaited):
            self.ready(user_id, transition_id)
        if not self.version:
            if all(self._speaks_dave.values()):
                self._upgrade()
        elif len(self._speaks_dave) == 1 and self._epoch is not None:
            [last] = self._speaks_dave
            self._first_epoch()
            self._send(last, PREPARE_TRANSITION, {"transition_id": 0, "protocol_version": 1})
        else:
            self._propose()

    def _downgrade(self) -> None:
        self.version = 0
        self._forget_group()
        able = {user for user, speaks_dave in self._speaks_dave.items() if speaks_dave}
        transition_id = self._begin_transition(able)
        for user_id in able:
            data = {"transition_id": transition_id, "protocol_version": 0}
            self._send(user_id, PREPARE_TRANSITION, data)

    def _upgrade(self) -> None:
        self.version = 1
        self._first_epoch()
        for user_id in self._speaks_dave:
            self._send(user_id, EXTERNAL_SENDER, self._sender.announcement)

    def _first_epoch(self) -> None:
        self._forget_group()
        for user_id in self._speaks_dave:
            self._send(user_id, PREPARE_EPOCH, {"protocol_version": 1, "epoch": 1})

    def _forget_group(self) -> None:
        self._tree, self._epoch = [], None
        self._proposed, self._shown = {}, {}
        self._packages.clear()
        self._restarted.clear()
        self._awaited.clear()

    # -- what members say --------------------------------------------------------

    def ready(self, user_id: int, transition_id: int) -> None:
        """Take an op 23."""
        awaited = self._awaited.get(transition_id)
        if awaited is not None:
            awaited.discard(user_id)
            if not awaited:
                self._execute(transition_id)

    def key_package(self, user_id: int, payload: bytes) -> None:
        """Take an op 26."""
        try:
            package = KeyPackage.parse(payload)
        except Malformed as error:
            self.refused.append(f"key package: {error}")
            return
        if package.user_id != user_id:
            self.refused.append("key package: of another user")
        elif self.version:
            self._packages[user_id] = package
            if user_id in self._tree:
                self._restarted.add(user_id)
            self._propose()

    def invalid(self, user_id: int) -> None:
        """Take an op 31; an op 26 follows."""
        self._packages.pop(user_id, None)
        if user_id in self._tree:
            self._restarted.add(user_id)
        for transition_id in list(self._awaited):
            self.ready(user_id, transition_id)

    def commit(self, user_id: int, payload: bytes) -> None:
        """Take an op 28: announce it if it is right, and the first."""
        try:
            commit = Commit.parse(payload)
        except Malformed as error:
            self.refused.append(f"commit: {error}")
            return
        if not self.version or commit.epoch != (self._epoch or 0):
            return  # another one was first
        leaf = self._tree.index(user_id) if self.follows(user_id) else 0
        adds = [self._packages[user] for kind, user, _ in self._fit_for(user_id) if kind == ADD]
        if (
            commit.group_id != self.group_id
            or commit.leaf != leaf
            or (self._epoch is not None and not self.follows(user_id))
            or sorted(commit.references) != sorted(self._shown.get(user_id, []))
            or not commit.references
            or set(commit.secrets) != {package.reference for package in adds}
        ):
            return  # of proposals that were withdrawn, at best
        if self._epoch is None:
            self._tree = [user_id]
            del self._packages[user_id]
        committed = [self._proposed[reference] for reference in commit.references]
        for kind, user, _ in committed:
            if kind == REMOVE:
                self._tree[self._tree.index(user)] = None
                self._restarted.discard(user)
        for kind, user, _ in committed:
            if kind == ADD:
                blank = self._tree.index(None) if None in self._tree else len(self._tree)
                self._tree[blank : blank + 1] = [user]
        self._epoch = commit.epoch + 1
        self._proposed, self._shown = {}, {}
        self._announce(commit, adds)
        self._propose()

    def _announce(self, commit: Commit, adds: list[KeyPackage]) -> None:
        following = {user for user in self._speaks_dave if self.follows(user)}
        transition_id = self._begin_transition(following).to_bytes(2, "big")
        for package in adds:
            del self._packages[package.user_id]
            welcome = commit.welcome(package)
            self._send(package.user_id, WELCOME, transition_id + welcome)
        for user_id in following - {package.user_id for package in adds}:
            self._send(user_id, ANNOUNCE_COMMIT, transition_id + commit.message)

    # -- proposals -----------------------------------------------------------------

    def _propose(self) -> None:
        """Withdraw everything; propose what the group lacks to those who can commit it."""
        for user_id, references in self._shown.items():
            self._send(user_id, PROPOSALS, REVOKE + vec(b"".join(map(vec, references))))
        self._proposed, self._shown = {}, {}
        committers = [user for user in self._speaks_dave if self.follows(user)]
        if self._epoch is not None and not committers:
            self._tree, self._epoch = [], None  # nobody is left to add the others
            self._restarted.clear()
        if self._epoch is None:
            committers = list(self._packages)
        for leaf, user in enumerate(self._tree):
            restarted = user in self._restarted and user in self._packages
            if user is not None and (user not in self._speaks_dave or restarted):
                self._sign(REMOVE, user, leaf.to_bytes(4, "big"))
        for user, package in self._packages.items():
            self._sign(ADD, user, package.raw)
        for user_id in committers:
            self._show(user_id)
        if self._shown:
            self._round += 1
            this = self._round
            self._later(PATIENCE, lambda: self._insist(this))

    def _sign(self, kind: bytes, user_id: int, body: bytes) -> None:
        proposal = self._sender.propose(self.group_id, self._epoch or 0, kind + body)
        message, reference = proposal
        self._proposed[reference] = (kind, user_id, message)

    def _fit_for(self, user_id: int) -> list[tuple[bytes, int, bytes]]:
        """All but its own add: nobody can add itself."""
        return [p for p in self._proposed.values() if p[:2] != (ADD, user_id)]

    def _show(self, user_id: int) -> None:
        proposals = self._fit_for(user_id)
        if proposals:
            self._shown[user_id] = [r for r, p in self._proposed.items() if p in proposals]
            messages = b"".join(message for _, _, message in proposals)
            self._send(user_id, PROPOSALS, APPEND + vec(messages))

    def _insist(self, this: int) -> None:
        if self._shown and this == self._round:
            self._propose()

    # -- transitions ------------------------------------------------------------------

    def _begin_transition(self, members: set[int]) -> int:
        self._transition = self._transition % 0xFFFF + 1
        transition_id = self._transition
        self._awaited[transition_id] = set(members)
        everybody = frozenset(members)
        self._executors[transition_id] = everybody
        self._later(PATIENCE, lambda: self._execute(transition_id))
        return transition_id

    def _execute(self, transition_id: int) -> None:
        members = self._executors.pop(transition_id, frozenset())
        if self._awaited.pop(transition_id, None) is not None:
            for user_id in members & self._speaks_dave.keys():
                self._send(user_id, EXECUTE_TRANSITION, {"transition_id": transition_id})
