"""Transitions that were announced and not executed yet, by their id.

    op 29 / 30   the epoch's own sending key, under the message's id
    op 21        a change of version, such as a downgrade to 0
    op 22        executes one; those announced before it are overtaken with it

0 is an id like any other, apart from being executed as soon as it is announced.
"""

import msgspec

__all__ = ["KEEP_KEY", "Transition", "Transitions"]

#: Transitions that may be pending at once; servers overlap two or three.
MAX_PENDING = 32

#: The key of a transition that changes the version only.
KEEP_KEY = object()


class Transition(msgspec.Struct, frozen=True):
    """What an op 22 will bring into force."""

    version: int  #: 0: a downgrade, frames go out in clear
    key: object = KEEP_KEY  #: the backend's sending key; None: the library had none
    layer: int = 0  #: the receive keys that belong to it
    group: int = 0  #: which of our groups, counted
    epoch: int | None = None

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

    def forget(self) -> None:
        """Forget all of them."""
        self._pending.clear()
