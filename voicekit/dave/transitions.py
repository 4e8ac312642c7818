"""Transitions that were announced and not executed yet, by their id.

    op 29 / 30   the epoch's own sending key, under the message's id
    op 21        a change of version, such as a downgrade to 0
    op 22        executes one; those announced before it are overtaken with it

0 is an id like any other, apart from being executed as soon as it is announced.

Where an op 22 gets lost, we would go on with a key that the others drop after ten seconds.
So a change of keys, never a downgrade, takes effect by itself after a while: servers give
all members two seconds to be ready, and an op 22 may be two more on its way.
"""

import math

import msgspec

__all__ = ["KEEP_KEY", "PATIENCE", "Transition", "Transitions"]

#: Transitions that may be pending at once; servers overlap two or three.
MAX_PENDING = 32

#: How long an op 22 may take, in seconds.
PATIENCE = 5.0

#: The key of a transition that changes the version only.
KEEP_KEY = object()


class Transition(msgspec.Struct, frozen=True):
    """What an op 22 will bring into force."""

    version: int  #: 0: a downgrade, frames go out in clear
    key: object = KEEP_KEY  #: the backend's sending key; None: the library had none
    layer: int = 0  #: the receive keys that belong to it
    group: int = 0  #: which of our groups, counted
    epoch: int | None = None
    overdue: float = math.inf  #: takes effect then without an op 22

    def __repr__(self) -> str:
        return f"<Transition version={self.version} epoch={self.epoch}>"


class Transitions:
    """The pending ones, oldest first."""

    def __init__(self) -> None:
        self._pending: dict[int, Transition] = {}

    def __contains__(self, transition_id: int) -> bool:
        return transition_id in self._pending

    def __bool__(self) -> bool:
        return bool(self._pending)

    @property
    def downgrading(self) -> bool:
        """Whether a downgrade is pending."""
        return any(transition.version == 0 for transition in self._pending.values())

    def add(self, transition_id: int, transition: Transition) -> None:
        """Announce one; an older one of the same id is replaced."""
        self._pending.pop(transition_id, None)
        if len(self._pending) >= MAX_PENDING:
            del self._pending[next(iter(self._pending))]
        self._pending[transition_id] = transition

    def take(self, transition_id: int) -> Transition | None:
        """Take one, and forget those announced before it; None: it is not pending."""
        transition = self._pending.get(transition_id)
        if transition is not None:
            for announced in list(self._pending):
                del self._pending[announced]
                if announced == transition_id:
                    break
        return transition

    def next_timeout(self) -> float | None:
        """Return when `overdue` has something."""
        times = [transition.overdue for transition in self._pending.values()]
        return min((time for time in times if time < math.inf), default=None)

    def overdue(self, now: float) -> int | None:
        """Return the id of the newest one whose op 22 did not come in time, or None."""
        due = [id_ for id_, transition in self._pending.items() if transition.overdue <= now]
        return due[-1] if due else None

    def forget(self) -> None:
        """Forget all of them."""
        self._pending.clear()
