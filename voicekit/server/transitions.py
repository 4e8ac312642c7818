"""Transitions of one call: announced, awaited from all members, executed.

op 21, 29 or 30 (id)  →  members say op 23 (id)  →  op 22 (id) to all of them,
                                                    at the latest after a timeout
"""

from collections.abc import Callable, Iterable

import msgspec

__all__ = ["Transition", "Transitions"]

#: How long members may take to be ready for a transition; Discord: "roughly two seconds".
TRANSITION_TIMEOUT = 2.0


class Transition(msgspec.Struct):
    """One change of keys or of version, from its announcement to its execution."""

    id: int
    version: int
    members: set[int]
    waiting: set[int]  #: who has not said op 23
    deadline: float


class Transitions:
    """Those under way, the oldest first. An id of 0 is effective at once and never here."""

    def __init__(self, first_id: int) -> None:
        self._next_id = first_id
        self._pending: dict[int, Transition] = {}

    def __bool__(self) -> bool:
        return bool(self._pending)

    def take_id(self) -> int:
        """Return an id for the next transition: 1, 2 … 65535, 1 …"""
        taken = self._next_id
        self._next_id = (taken + 1) & 0xFFFF or 1
        return taken

    def begin(self, transition_id: int, version: int, members: Iterable[int], now: float) -> None:
        """Wait for ``members`` to be ready."""
        present = set(members)
        if transition_id and present:
            deadline = now + TRANSITION_TIMEOUT
            self._pending[transition_id] = Transition(
                transition_id, version, present, set(present), deadline
            )

    def clear(self) -> None:
        """Give up all of them."""
        self._pending.clear()

    def ready(self, user_id: int, transition_id: int) -> list[Transition]:
        """Take an op 23; return what is to be executed."""
        transition = self._pending.get(transition_id)
        if transition is not None:
            transition.waiting.discard(user_id)
        return self._take_due(lambda transition: not transition.waiting)

    def without(self, user_id: int) -> list[Transition]:
        """Wait no longer for somebody who left or began anew; return what is to be executed."""
        for transition in self._pending.values():
            transition.members.discard(user_id)
            transition.waiting.discard(user_id)
        return self._take_due(lambda transition: not transition.waiting)

    def next_timeout(self) -> float | None:
        """Return when `overdue` has something."""
        return min((transition.deadline for transition in self._pending.values()), default=None)

    def overdue(self, now: float) -> list[Transition]:
        """Return what is to be executed although not everybody is ready."""
        return self._take_due(lambda transition: now >= transition.deadline)

    def _take_due(self, is_due: Callable[[Transition], bool]) -> list[Transition]:
        """Take the newest one that is due. Those begun before it are overtaken."""
        due = [transition for transition in self._pending.values() if is_due(transition)]
        if not due:
            return []
        newest = due[-1]
        for transition_id in list(self._pending):
            del self._pending[transition_id]
            if transition_id == newest.id:
                break
        return [newest]
