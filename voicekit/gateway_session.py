"""What a voice server has told us in one session, and whether it may."""

import hashlib

from .gateway_events import GatewayDescribed, GatewayReady
from .messages import BadMessage, ClientsConnect, Ready, SessionDescription

__all__ = ["GatewaySession"]

#: Users of one call that are remembered, so that a server can not fill the memory.
MAX_USERS = 10_000


class GatewaySession:
    """One session: made at each Identify, kept over resumes.

    The methods that take messages raise `BadMessage`, and then change nothing.
    """

    def __init__(self, user_id: int, max_dave_version: int) -> None:
        self._user_id = user_id
        self._max_dave_version = max_dave_version
        self._key_digest = b""  # the key itself is not kept
        self._users: set[int] = set()
        self.seq = -1  #: last sequence number; -1: none seen
        self.ssrc: int | None = None  #: None before Ready
        self.modes: tuple[str, ...] = ()  #: transport encryption that the server offers
        self.asked_mode: str | None = None  #: what Select Protocol asked for
        self.dave_version = 0

    def take_ready(self, data: Ready) -> GatewayReady:
        """Take op 2."""
        self.ssrc = data.ssrc
        self.modes = tuple(data.modes)
        return GatewayReady(data.ssrc, data.ip, data.port, self.modes)

    def take_description(self, data: SessionDescription) -> GatewayDescribed | None:
        """Take op 4; None if it repeats the key, whose nonces must not start anew."""
        if data.mode != self.asked_mode:
            raise BadMessage("op 4", "the mode is not the one that was asked for")
        if data.dave_protocol_version > self._max_dave_version:
            raise BadMessage("op 4", "the DAVE version is above the one that was offered")
        key = bytes(data.secret_key)
        digest = hashlib.sha256(data.mode.encode() + key).digest()
        if digest == self._key_digest:
            return None
        self._key_digest = digest
        self.dave_version = data.dave_protocol_version
        return GatewayDescribed(data.mode, key, self.dave_version)

    def take_users(self, data: ClientsConnect) -> tuple[int, ...]:
        """Take op 11; return those who were not there before, without ourselves."""
        joined = dict.fromkeys(int(user) for user in data.user_ids).keys() - self._users
        joined.discard(self._user_id)
        if len(self._users) + len(joined) > MAX_USERS:
            raise BadMessage("op 11", f"more than {MAX_USERS} users")
        self._users |= joined
        return tuple(sorted(joined))

    @property
    def users(self) -> tuple[int, ...]:
        """Who is in the call by op 11 and 13, without ourselves."""
        return tuple(self._users)

    def remove_user(self, user_id: int) -> None:
        """Take the user of an op 13."""
        self._users.discard(user_id)
