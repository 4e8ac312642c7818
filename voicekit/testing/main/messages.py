"""What bots send on the main gateway, and the codes for what they must not.

https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import msgspec

from .world import Guild, User

__all__ = [
    "Identify",
    "MainOp",
    "Refused",
    "RequestMembers",
    "Resume",
    "VoiceStateRequest",
    "decode",
    "event_intents",
]


class MainOp(IntEnum):
    """Opcodes of the main gateway."""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    PRESENCE_UPDATE = 3
    VOICE_STATE_UPDATE = 4
    RESUME = 6
    RECONNECT = 7
    REQUEST_GUILD_MEMBERS = 8
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11
    REQUEST_SOUNDBOARD_SOUNDS = 31
    REQUEST_CHANNEL_INFO = 43


#: What there is to ask for: bits 0 to 25. https://discord.com/developers/docs/events/gateway
ALL_INTENTS = (1 << 26) - 1
GUILDS, MEMBERS, VOICE_STATES = 1 << 0, 1 << 1, 1 << 7

_INTENTS: Mapping[str, int] = {
    "GUILD_CREATE": GUILDS,
    "CHANNEL_CREATE": GUILDS,
    "GUILD_MEMBER_ADD": MEMBERS,
    "VOICE_STATE_UPDATE": VOICE_STATES,
}


def event_intents(name: str) -> int:
    """Return the intents of which one is needed to get an event; 0: none."""
    return _INTENTS.get(name, 0)


class Refused(Exception):
    """A message for which the socket is closed with ``code``."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


class _Message(msgspec.Struct):
    op: int
    d: msgspec.Raw = msgspec.Raw(b"null")


class Identify(msgspec.Struct):
    """Op 2."""

    token: str
    intents: int
    properties: dict[str, Any] = {}
    shard: tuple[int, int] = (0, 1)

    def __repr__(self) -> str:
        return f"Identify(token=<hidden>, intents={self.intents}, shard={self.shard})"


class Resume(msgspec.Struct):
    """Op 6."""

    token: str
    session_id: str
    seq: int

    def __repr__(self) -> str:
        return f"Resume(token=<hidden>, session_id=<hidden>, seq={self.seq})"


class VoiceStateRequest(msgspec.Struct):
    """Op 4. A null channel leaves."""

    guild_id: str | int
    channel_id: str | int | None
    self_mute: bool = False
    self_deaf: bool = False

    @property
    def guild(self) -> int:
        """The guild's id; 0: there is none."""
        return _snowflake(self.guild_id)

    @property
    def channel(self) -> int | None:
        """The channel's id, if one is named; 0: one that does not exist."""
        return None if self.channel_id is None else _snowflake(self.channel_id)


class RequestMembers(msgspec.Struct):
    """Op 8."""

    guild_id: str | int | list[str | int]
    query: str | None = None
    limit: int = 0
    presences: bool = False
    user_ids: str | int | list[str | int] | None = None
    nonce: str | None = None

    @property
    def guild(self) -> int:
        """The guild's id; 0: there is none."""
        ids = self.guild_id if isinstance(self.guild_id, list) else [self.guild_id]
        return _snowflake(ids[0]) if ids else 0

    def wanted(self, guild: Guild) -> list[User]:
        """Return who of the guild is asked for."""
        members = list(guild.members.values())
        if self.user_ids is not None:
            ids = self.user_ids if isinstance(self.user_ids, list) else [self.user_ids]
            wanted = {_snowflake(one) for one in ids}
            members = [one for one in members if one.id in wanted]
        elif self.query:
            members = [one for one in members if one.name.startswith(self.query)]
        return members[: self.limit] if self.limit > 0 else members


#: What each opcode's ``d`` is. None: a message that is known, and from which nothing follows.
_BODIES: Mapping[int, Any] = {
    MainOp.HEARTBEAT: int | None,
    MainOp.IDENTIFY: Identify,
    MainOp.PRESENCE_UPDATE: None,
    MainOp.VOICE_STATE_UPDATE: VoiceStateRequest,
    MainOp.RESUME: Resume,
    MainOp.REQUEST_GUILD_MEMBERS: RequestMembers,
    MainOp.REQUEST_SOUNDBOARD_SOUNDS: None,
    MainOp.REQUEST_CHANNEL_INFO: None,
}
#: Before a session there is, and once there is one; a heartbeat is right in both.
_LOGINS = frozenset({MainOp.IDENTIFY, MainOp.RESUME})

_DECODER = msgspec.json.Decoder(_Message)


def decode(message: bytes, *, is_ready: bool) -> tuple[MainOp, Any]:
    """Return the opcode and the body of a message. Raises `Refused` for what is wrong."""
    try:
        envelope = _DECODER.decode(message)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Refused(4002, "this is not a message") from None
    if envelope.op not in _BODIES:
        raise Refused(4001, f"opcode {envelope.op} is not for clients")
    op = MainOp(envelope.op)
    if is_ready and op in _LOGINS:
        raise Refused(4005, "this connection is logged in already")
    if not is_ready and op not in _LOGINS and op is not MainOp.HEARTBEAT:
        raise Refused(4003, "identify first")
    kind = _BODIES[op]
    if kind is None:
        return op, None
    try:
        body = msgspec.json.decode(envelope.d, type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Refused(4002, f"the data of opcode {op} are malformed") from None
    if isinstance(body, Identify) and not 0 <= body.intents <= ALL_INTENTS:
        raise Refused(4013, "there are no such intents")
    return op, body


def _snowflake(value: str | int) -> int:
    if isinstance(value, int):
        return value
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else 0
