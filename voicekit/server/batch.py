"""The proposals under way in one group: what was proposed to whom, and until when it holds."""

from collections import deque
from collections.abc import Iterable

from .mls import Proposal

__all__ = ["Batch"]

#: Adds in one batch: 64 take dave.py some 100 ms, and the batch goes to every member.
MAX_ADDS = 64
#: A batch that nobody committed by then is withdrawn. More after each failure of a single
#: add, for slow networks, and back again.
TIMEOUT = 1.0
MAX_TIMEOUT = 8.0
#: Withdrawn proposals that a commit under way may still name.
MAX_RETIRED = 1024


class Batch:
    """One batch after the other; false while there is none."""

    def __init__(self) -> None:
        self.proposals: dict[bytes, Proposal] = {}  #: by reference
        self.deadline: float | None = None
        self.max_adds = MAX_ADDS
        self.audience: set[int] = set()  #: who was shown it
        self._timeout = TIMEOUT
        self._retired: deque[bytes] = deque(maxlen=MAX_RETIRED)

    def __bool__(self) -> bool:
        return bool(self.proposals)

    @property
    def adds(self) -> list[int]:
        """Whom it adds."""
        return [proposal.user_id for proposal in self.proposals.values() if proposal.is_add]

    def begin(self, proposals: Iterable[Proposal], now: float) -> None:
        """Propose something new; nothing else is under way."""
        self.proposals = {proposal.reference: proposal for proposal in proposals}
        self.deadline = now + self._timeout

    def fit_for(self, user_id: int) -> dict[bytes, Proposal]:
        """What a member is shown and can commit: all but its own add."""
        return {
            reference: proposal
            for reference, proposal in self.proposals.items()
            if not (proposal.is_add and proposal.user_id == user_id)
        }

    def hopeless(self) -> bool:
        """Whether nobody who was shown it has anything to commit."""
        return not any(self.fit_for(user_id) for user_id in self.audience)

    def was_withdrawn(self, references: set[bytes]) -> bool:
        """Whether a commit names what does not hold any more."""
        return not references.isdisjoint(self._retired)

    def withdraw(self, references: Iterable[bytes]) -> dict[int, list[bytes]]:
        """Take proposals back; return who is to be told which."""
        withdrawn = set(references)
        told = {user: withdrawn & self.fit_for(user).keys() for user in sorted(self.audience)}
        for reference in withdrawn:
            del self.proposals[reference]
        self._retired.extend(withdrawn)
        if not self.proposals:
            self.deadline = None
            self.audience.clear()
        return {user: sorted(theirs) for user, theirs in told.items() if theirs}

    def committed(self) -> None:
        """Take note that somebody committed it."""
        self.withdraw(list(self.proposals))
        self._timeout = max(TIMEOUT, self._timeout / 2)
        self.max_adds = min(MAX_ADDS, 2 * self.max_adds)

    def failed(self) -> list[int]:
        """Take note that nobody did in time; return who is to blame, if that is known."""
        adds = self.adds
        if len(adds) > 1:
            self.max_adds = len(adds) // 2
            return []
        self.max_adds = 1
        self._timeout = min(MAX_TIMEOUT, 2 * self._timeout)
        return adds
