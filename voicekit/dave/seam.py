"""The seam of end-to-end encryption (DAVE) in the connection.

The connection hands every DAVE message to one object of this Protocol and asks it to
encrypt what goes out and decrypt what comes in. Version 0 is no end-to-end encryption:
stage channels stay there. `DaveMachine` is the real thing; `Passthrough` knows version 0
only.
"""

from typing import Protocol

from .._frame_gate import FrameGate
from .._sender import SendEpoch
from ..events import DaveEvent

__all__ = ["DaveSession", "Passthrough"]


class DaveSession(Protocol):
    """End-to-end encryption of one connection; called from the connection's thread only."""

    @property
    def max_version(self) -> int:
        """What Identify offers as ``max_dave_protocol_version``."""

    @property
    def version(self) -> int:
        """The version in force for what is sent; 0 sends in clear."""

    @property
    def generation(self) -> int:
        """Grows whenever more frames can be decrypted than before."""

    @property
    def gate(self) -> FrameGate | None:
        """What does the work of `encrypt` and `decrypt`, for a shorter way; or None."""

    @property
    def send_epoch(self) -> SendEpoch:
        """Always the same object, bumped before `encrypt` begins to answer differently."""

    @property
    def epoch(self) -> int | None:
        """The MLS group's epoch, where it is known."""

    @property
    def privacy_code(self) -> str | None:
        """30 digits that all members see alike; None without a group."""

    @property
    def members(self) -> tuple[int, ...]:
        """Users in the MLS group."""

    @property
    def counts(self) -> dict[str, int]:
        """What was counted, for ``stats().dave``."""

    def verification_code(self, user_id: int) -> str | None:
        """45 digits to compare with a member; None for a stranger. Takes 80 ms."""

    def identifying(self) -> None:
        """Forget who is in the call: a new Identify asks for it anew."""

    def resumed(self, now: float) -> None:
        """Take an op 9: the session goes on over another WebSocket."""

    def session_described(self, version: int, channel_id: int, user_id: int, now: float) -> None:
        """Begin a session of ``version`` (op 4); the MLS group id is the channel id."""

    def receive_json(self, op: int, data: object, now: float) -> None:
        """Take op 21, 22 or 24 with its decoded ``d``."""

    def receive_binary(self, op: int, payload: bytes, now: float) -> None:
        """Take op 25, 27, 29 or 30."""

    def users_joined(self, user_ids: tuple[int, ...], now: float) -> None:
        """Take the users of an op 11."""

    def user_left(self, user_id: int, now: float) -> None:
        """Take the user of an op 13."""

    def poll(self) -> tuple[int, object] | None:
        """Return the next message to send: (op, bytes for a binary one, else ``d``)."""

    def poll_event(self) -> DaveEvent | None:
        """Return the next event."""

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due."""

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""

    def encrypt(self, opus: bytes, /) -> bytes | None:
        """Return the frame to send for ``opus``; None: it must not go out now.

        Has something to say by itself (`poll`, `poll_event`) only with None or silence.
        """

    def decrypt(self, user_id: int, frame: bytes, now: float, /) -> bytes | None:
        """Return the Opus packet in ``frame``; None: no key fits. Has nothing to say."""

    def awaits_key(self, frame: bytes, /) -> bool:
        """Whether a frame that `decrypt` refused may be opened by a key to come."""


class Passthrough:
    """Version 0: frames are the Opus packets themselves, DAVE messages mean nothing."""

    max_version = 0
    version = 0
    generation = 0
    gate = None
    send_epoch = SendEpoch()  # never bumped: what is sent stays in clear
    epoch = None
    privacy_code = None
    members: tuple[int, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Nothing is counted."""
        return {}

    def verification_code(self, user_id: int) -> str | None:
        """Nobody can be verified."""
        return None

    def identifying(self) -> None:
        """Nothing to forget."""

    def resumed(self, now: float) -> None:
        """Nothing was lost."""

    def session_described(self, version: int, channel_id: int, user_id: int, now: float) -> None:
        """Nothing to begin."""

    def receive_json(self, op: int, data: object, now: float) -> None:
        """Ignore it."""

    def receive_binary(self, op: int, payload: bytes, now: float) -> None:
        """Ignore it."""

    def users_joined(self, user_ids: tuple[int, ...], now: float) -> None:
        """Ignore it."""

    def user_left(self, user_id: int, now: float) -> None:
        """Ignore it."""

    def poll(self) -> tuple[int, object] | None:
        """Nothing is ever to be sent."""
        return None

    def poll_event(self) -> DaveEvent | None:
        """Nothing ever happens."""
        return None

    def next_timeout(self) -> float | None:
        """There are no timers."""
        return None

    def handle_timeout(self, now: float) -> None:
        """There are no timers."""

    def encrypt(self, opus: bytes, /) -> bytes | None:
        """Return ``opus``."""
        return opus

    def decrypt(self, user_id: int, frame: bytes, now: float, /) -> bytes | None:
        """Return ``frame``."""
        return frame

    def awaits_key(self, frame: bytes, /) -> bool:
        """There are no keys."""
        return False
