"""The seam of end-to-end encryption (DAVE) in the connection.

The connection hands every DAVE message to one object of this Protocol and asks it to
encrypt what goes out and decrypt what comes in. Version 0 is no end-to-end encryption:
stage channels stay there, and `Passthrough` is that version.
"""

from typing import Protocol

__all__ = ["DaveSession", "Passthrough"]


class DaveSession(Protocol):
    """End-to-end encryption of one connection; called from the connection's thread only."""

    @property
    def max_version(self) -> int:
        """What Identify offers as ``max_dave_protocol_version``."""

    @property
    def version(self) -> int:
        """The version in force; 0 sends and receives in clear."""

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

    def encrypt(self, opus: bytes) -> bytes | None:
        """Return the frame to send for ``opus``; None: it must not go out now."""

    def decrypt(self, user_id: int, frame: bytes, now: float) -> bytes | None:
        """Return the Opus packet in ``frame``; None: no key fits."""


class Passthrough:
    """Version 0: frames are the Opus packets themselves, DAVE messages mean nothing."""

    max_version = 0
    version = 0

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

    def encrypt(self, opus: bytes) -> bytes | None:
        """Return ``opus``."""
        return opus

    def decrypt(self, user_id: int, frame: bytes, now: float) -> bytes | None:
        """Return ``frame``."""
        return frame
