"""The way from the delivery service to the members, and what can be made to go wrong on it."""

from collections import deque
from collections.abc import Callable

import msgspec

from ..codes import Opcode

__all__ = ["DeliveryFaults", "Outbox"]

#: A late op 25 follows the next proposals or welcome, or comes after this time.
EXTERNAL_SENDER_DELAY = 2.0


class DeliveryFaults(msgspec.Struct):
    """What goes wrong on request. Whole numbers count messages, down with each use."""

    corrupt_proposals: int = 0
    corrupt_commits: int = 0
    corrupt_welcomes: int = 0
    wrong_external_sender: int = 0
    late_external_sender: int = 0  #: op 25 after the op 27 or 30 that needs it
    ghost_adds: int = 0  #: with the proposals, the add of somebody whom no op 11 announced
    drop_executes: int = 0
    execute_delay: float = 0.0  #: seconds that each op 22 comes late


#: Messages that are corrupted: by op, the fault that counts them.
_CORRUPTED: dict[int, str] = {
    Opcode.MLS_PROPOSALS: "corrupt_proposals",
    Opcode.MLS_ANNOUNCE_COMMIT_TRANSITION: "corrupt_commits",
    Opcode.MLS_WELCOME: "corrupt_welcomes",
}
_NEEDS_EXTERNAL_SENDER = frozenset({Opcode.MLS_PROPOSALS, Opcode.MLS_WELCOME})


class Outbox:
    """Messages to members, in order: (user id, op, bytes or ``d``)."""

    def __init__(self, faults: DeliveryFaults) -> None:
        self.faults = faults  #: that strike whoever comes first
        self._faults_of: dict[int, DeliveryFaults] = {}
        self._queue: deque[tuple[int, int, object]] = deque()
        self._late: list[tuple[float, int, int, object]] = []  # due, then the message

    def faults_of(self, user_id: int) -> DeliveryFaults:
        """The faults that strike one user."""
        return self._faults_of.setdefault(user_id, DeliveryFaults())

    def strikes(self, user_id: int, fault: str) -> bool:
        """Whether a fault strikes now; that uses up one of its count."""
        for faults in (self._faults_of.get(user_id), self.faults):
            count = getattr(faults, fault, 0)
            if count:
                setattr(faults, fault, count - 1)
                return True
        return False

    def put(self, user_id: int, op: int, payload: object, now: float) -> None:
        """Send one message, unless a fault has other plans."""
        if op == Opcode.DAVE_EXECUTE_TRANSITION:
            if self.strikes(user_id, "drop_executes"):
                return
            delay = self._faults_of.get(user_id, self.faults).execute_delay
            delay = delay or self.faults.execute_delay
            if delay:
                self._late.append((now + delay, user_id, op, payload))
                return
        elif op == Opcode.MLS_EXTERNAL_SENDER and self.strikes(user_id, "late_external_sender"):
            self._late.append((now + EXTERNAL_SENDER_DELAY, user_id, op, payload))
            return
        elif op in _CORRUPTED and self.strikes(user_id, _CORRUPTED[op]):
            assert isinstance(payload, bytes)
            payload = _corrupted(payload)
        self._queue.append((user_id, op, payload))
        if op in _NEEDS_EXTERNAL_SENDER and self._late:
            self._release(lambda _, user, op: (user, op) == (user_id, Opcode.MLS_EXTERNAL_SENDER))

    def poll(self) -> tuple[int, int, object] | None:
        """Return the next message."""
        return self._queue.popleft() if self._queue else None

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due."""
        return min((entry[0] for entry in self._late), default=None)

    def handle_timeout(self, now: float) -> None:
        """Send what was delayed until ``now``."""
        self._release(lambda due, _, __: due <= now)

    def forget(self, user_id: int) -> None:
        """Send nothing more to somebody who left."""
        self._faults_of.pop(user_id, None)
        self._queue = deque(message for message in self._queue if message[0] != user_id)
        self._late = [entry for entry in self._late if entry[1] != user_id]

    def _release(self, is_due: Callable[[float, int, int], bool]) -> None:
        waiting, self._late = self._late, []
        for entry in sorted(waiting, key=lambda entry: entry[0]):
            if is_due(*entry[:3]):
                self._queue.append(entry[1:])
            else:
                self._late.append(entry)


def _corrupted(message: bytes) -> bytes:
    """Flip a bit near the end: inside a signature, a tag or a ciphertext, not a length."""
    at = len(message) - 8
    return message[:at] + bytes((message[at] ^ 1,)) + message[at + 1 :]
