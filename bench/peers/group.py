"""An end-to-end encrypted call of voicekit and one peer, without a call: MLS messages only."""

from collections.abc import Callable

from voicekit.dave.libdave import Backend
from voicekit.server.delivery import PROTOCOL_VERSION, Delivery

__all__ = ["Group", "Receive"]

GROUP_ID = 127121515262115840
OURS, THEIRS = 104694319306248193, 104694319306248194
BEGIN = 4
EXTERNAL_SENDER, KEY_PACKAGE, PROPOSALS, COMMIT_WELCOME, COMMIT, WELCOME = range(25, 31)
#: Our key as of the first and only epoch.
LAYER = 1

#: Hands the peer a message, (op, payload), and returns its answers.
Receive = Callable[[int, bytes], list[tuple[int, bytes]]]


class Group:
    """A group of two, over the delivery service of voicekit's server and Discord's libdave."""

    def __init__(self, peer: Receive) -> None:
        """Bring the peer into the group. Raises `RuntimeError` if it does not get in."""
        self._backend = Backend()
        self._backend.start(PROTOCOL_VERSION, GROUP_ID, OURS)
        peer(BEGIN, GROUP_ID.to_bytes(8, "big") + THEIRS.to_bytes(8, "big"))
        delivery = Delivery(GROUP_ID)
        receive = {OURS: self._receive, THEIRS: peer}
        for user in receive:
            delivery.join(user, PROTOCOL_VERSION, 0.0)
        for user, op, payload in delivery:
            if isinstance(payload, bytes):
                for answer, said in receive[user](op, payload):
                    delivery.receive(user, answer, said, 0.0)
        if not self._backend.established or set(delivery.group) != {OURS, THEIRS}:
            raise RuntimeError(f"no group came of it: {delivery.refused}")
        self._backend.add_receive_keys(LAYER)

    def decrypt(self, frame: bytes) -> bytes | None:
        """Return the Opus in a frame of the peer's; None: it can not be decrypted."""
        return self._backend.decrypt(THEIRS, frame)

    def _receive(self, op: int, payload: bytes) -> list[tuple[int, bytes]]:
        known = frozenset((OURS, THEIRS))
        if op == EXTERNAL_SENDER:
            self._backend.set_external_sender(payload)
            return [(KEY_PACKAGE, self._backend.key_package() or b"")]
        if op == PROPOSALS:
            made = self._backend.process_proposals(payload, known)
            return [(COMMIT_WELCOME, made)] if made else []
        if op == COMMIT:
            self._backend.process_commit(payload[2:])
        elif op == WELCOME:
            self._backend.process_welcome(payload[2:], known)
        return []
