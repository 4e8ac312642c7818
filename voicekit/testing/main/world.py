"""Who and what there is: users, guilds, channels, and who sits where. Data; no rules."""

import base64
from dataclasses import dataclass, field
from enum import IntEnum

__all__ = ["Channel", "ChannelKind", "Guild", "User", "VoiceState", "World"]

#: Ids look like Discord's: programs read the time of creation out of their upper bits.
#: This one is from 2026-01-01; each next one is a millisecond younger.
FIRST_ID = 1456079880192000000
_ID_STEP = 1 << 22


class ChannelKind(IntEnum):
    """Channel types. https://discord.com/developers/docs/resources/channel"""

    TEXT = 0
    VOICE = 2
    STAGE = 13


@dataclass(slots=True)
class User:
    """A user or a bot."""

    id: int
    name: str
    is_bot: bool = False


@dataclass(slots=True)
class Channel:
    """A channel of a guild."""

    id: int
    guild_id: int
    name: str
    kind: ChannelKind = ChannelKind.VOICE
    #: How many fit in; 0: no limit. Who asks for a full channel gets no answer.
    user_limit: int = 0
    #: Whether nobody may connect, which is answered with nothing, too.
    is_locked: bool = False
    #: Which of the voice servers its calls are on, counted from 0.
    region: int = 0


@dataclass(slots=True)
class VoiceState:
    """Where a user sits, as everybody in the guild is told."""

    guild_id: int
    user_id: int
    channel_id: int
    session_id: str = field(repr=False)
    self_mute: bool = False
    self_deaf: bool = False


@dataclass(slots=True)
class Guild:
    """A guild, with everybody and everything in it."""

    id: int
    name: str
    owner_id: int
    channels: dict[int, Channel] = field(default_factory=dict)
    members: dict[int, User] = field(default_factory=dict)
    voice_states: dict[int, VoiceState] = field(default_factory=dict)

    def in_channel(self, channel_id: int) -> list[VoiceState]:
        """Return who sits in a voice channel."""
        return [state for state in self.voice_states.values() if state.channel_id == channel_id]


class World:
    """All users, bots and guilds. Ids are handed out in order: every run has the same."""

    def __init__(self) -> None:
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        #: Bots by their tokens.
        self.bots: dict[str, User] = {}
        self._last_id = FIRST_ID

    def __repr__(self) -> str:
        return f"<World: {len(self.users)} users, {len(self.guilds)} guilds>"

    def new_id(self) -> int:
        """Return an id that nothing has."""
        self._last_id += _ID_STEP
        return self._last_id

    def add_user(self, name: str, *, is_bot: bool = False) -> User:
        """Add somebody who is in no guild yet."""
        user = User(self.new_id(), name, is_bot)
        self.users[user.id] = user
        return user

    def add_bot(self, name: str = "bot", *, token: str | None = None) -> User:
        """Add a bot that logs in with ``token``, or with one of its own: see `token_of`."""
        bot = self.add_user(name, is_bot=True)
        self.bots[_token(bot.id) if token is None else token] = bot
        return bot

    def token_of(self, bot: User) -> str:
        """Return what a bot logs in with. Raises `KeyError` for who is no bot of this world."""
        for token, user in self.bots.items():
            if user is bot:
                return token
        raise KeyError(bot.name)

    def add_guild(self, name: str, *members: User) -> Guild:
        """Add a guild without channels. Somebody who is nobody else owns it."""
        guild = Guild(self.new_id(), name, self.add_user("owner").id)
        guild.members = {user.id: user for user in (self.users[guild.owner_id], *members)}
        self.guilds[guild.id] = guild
        return guild

    def add_channel(
        self,
        guild: Guild,
        name: str,
        kind: ChannelKind = ChannelKind.VOICE,
        *,
        user_limit: int = 0,
    ) -> Channel:
        """Add a channel to a guild."""
        channel = Channel(self.new_id(), guild.id, name, kind, user_limit)
        guild.channels[channel.id] = channel
        return channel

    def channel(self, channel_id: int) -> Channel | None:
        """Return the channel of an id, in whichever guild it is."""
        for guild in self.guilds.values():
            if channel_id in guild.channels:
                return guild.channels[channel_id]
        return None


def _token(bot_id: int) -> str:
    """Return a token such as Discord's: some libraries read the bot's id out of it."""
    return f"{base64.b64encode(str(bot_id).encode()).decode().rstrip('=')}.stand-in.{'-' * 27}"
