"""What `Registry.poll` reports. Past tense: it has happened."""

import msgspec

from .errors import ConnectFailed
from .server_info import VoiceServerInfo

__all__ = [
    "CallFailed",
    "ChannelJoined",
    "ChannelLeft",
    "ChannelMoved",
    "ChannelNotJoined",
    "RegistryEvent",
]


class _Event(msgspec.Struct, frozen=True):
    guild_id: int
    channel_id: int


class ChannelJoined(_Event, frozen=True):
    """Both events are here: make a connection with ``info``, and `Registry.put` it.

    A host that can not make one calls `Registry.disconnect`.
    """

    info: VoiceServerInfo


class ChannelMoved(_Event, frozen=True):
    """A connection is in another channel now, by our own will or a moderator's."""

    old_channel_id: int


class ChannelLeft(_Event, frozen=True):
    """We are out of the channel: we left, or were kicked."""


class ChannelNotJoined(_Event, frozen=True):
    """No answer in time, or op 4 could not be sent. After a move we are where we were."""

    error: ConnectFailed  #: its text says what may be wrong


class CallFailed(_Event, frozen=True):
    """Something of the host's raised; everything else was done all the same."""

    doing: str  #: what was called, such as "send_voice_state" or "close"
    error: Exception


RegistryEvent = ChannelJoined | ChannelMoved | ChannelLeft | ChannelNotJoined | CallFailed
