"""Connections by guild and channel, for hosts without a framework: `Registry`, without I/O.

It has a `Join` for each channel, hands the host's two events to the right one and to its
connection, and is generic over what a connection is: a `VoiceConnection`, a ``Voice`` of a
driver, or something of the host's own (`voicekit.connection_kinds`).
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from .connection_kinds import ConnectionKind
from .errors import AlreadyConnected, NotConnected
from .guild_channels import Entry, GuildChannels
from .join import Join, Joined, JoinFailed, JoinState, JoinTimedOut, Left, SendVoiceState
from .one_caller import Turn, one_caller
from .registry_events import (
    CallFailed,
    ChannelJoined,
    ChannelLeft,
    ChannelMoved,
    ChannelNotJoined,
    RegistryEvent,
)
from .server_info import VoiceServerInfo, require_id, snowflake

__all__ = ["Registry"]

C = TypeVar("C")


class Registry(Generic[C]):
    """The voice connections of one user, in any number of guilds and channels.

    ``send_voice_state`` is called with each `SendVoiceState`: it sends its ``payload`` as op 4,
    or starts a task that does. ``kind`` says what to do with a connection. ``timeout`` is how
    long the host's gateway may take to answer (seconds).

    After each call drain `poll` to None, then read `next_timeout`. One thread at a time:
    `LocalProtocolError`. What ``send_voice_state`` or a connection raises ends nothing: it is
    reported as `CallFailed`.

    Several channels of one guild do not mix: state updates name their channel, server updates
    may (``channel_id`` or ``connection_id``), and those that do not go to whoever waits for
    one. Where a member sits in one channel of a guild only, as on Discord, ``one_per_guild``
    makes `create` of another channel a move.
    """

    def __init__(
        self,
        user_id: int,
        send_voice_state: Callable[[SendVoiceState], object],
        kind: ConnectionKind[C],
        *,
        one_per_guild: bool = False,
        timeout: float = 60.0,
    ) -> None:
        self._turn = Turn()
        self._user_id = require_id("user_id", user_id)
        self._send_voice_state = send_voice_state
        self._kind = kind
        self._one_per_guild = one_per_guild
        self._timeout = timeout
        self._guilds: dict[int, GuildChannels[C]] = {}
        self._waiting: dict[Entry[C], GuildChannels[C]] = {}  # those with a deadline
        self._events: deque[RegistryEvent] = deque()
        #: Events of ours that could not be told to belong to one of several channels.
        self.unmatched = 0

    def __repr__(self) -> str:
        channels = sum(len(guild.entries) for guild in self._guilds.values())
        return f"<Registry of user {self._user_id}: {channels} channels>"

    def poll(self) -> RegistryEvent | None:
        """Return what has happened next; None when there is nothing more for now."""
        return self._events.popleft() if self._events else None

    def next_timeout(self) -> float | None:
        """Return when `handle_timeout` is due, on the caller's clock; None: never."""
        due = (entry.join.next_timeout() for entry in self._waiting)
        return min((time for time in due if time is not None), default=None)

    # -- one channel --------------------------------------------------------------------

    @one_caller
    def create(
        self, guild_id: int, channel_id: int, now: float, *, mute: bool = False, deaf: bool = False
    ) -> C | None:
        """Return the live connection of the channel, or ask for one and return None.

        `ChannelJoined` or `ChannelNotJoined` comes then. Asking again meanwhile asks nothing.
        """
        require_id("guild_id", guild_id)
        require_id("channel_id", channel_id)
        guild = self._guilds.get(guild_id) or GuildChannels(guild_id)
        entry = guild.find(channel_id)
        if entry is not None and entry.leaving:
            self._drop(guild, entry)  # the null state of that stay does no harm
            entry = None
        if entry is None and self._one_per_guild and (others := guild.staying()):
            others[0].join.move(channel_id, now, mute=mute, deaf=deaf)
            self._settle(guild, others[0], now)
            return None
        if entry is None:
            join = Join(
                guild_id, channel_id, self._user_id, mute=mute, deaf=deaf, timeout=self._timeout
            )
            entry = Entry(join)
            self._guilds[guild_id] = guild
            guild.entries.append(entry)
            join.start(now)
        elif self._is_live(entry):
            return entry.connection
        elif entry.connection is not None and entry.join.state is JoinState.JOINED:
            entry.connection = None  # its call has ended: a new one needs a new session
            entry.join.rejoin(now)
        self._settle(guild, entry, now)
        return None

    @one_caller
    def put(self, guild_id: int, channel_id: int, connection: C, now: float) -> bool:
        """Take the connection that was made after `ChannelJoined`, and tell it what came since.

        False: we are out of the channel again, and the connection was closed. Raises
        `AlreadyConnected` where the channel has a live connection already.
        """
        guild = self._guilds.get(guild_id) or GuildChannels(guild_id)
        entry = guild.find(channel_id)
        if entry is None or entry.leaving or entry.join.info is None:
            self._attempt("close", guild_id, channel_id, self._kind.close, connection, now)
            return False
        if entry.connection is not connection and self._is_live(entry):
            raise AlreadyConnected(
                f"channel {channel_id} of guild {guild_id} has a live connection already:"
                " get returns it, disconnect ends it"
            )
        entry.connection = connection
        self._catch_up(guild, entry, now)
        return True

    def get(self, guild_id: int, channel_id: int) -> C | None:
        """Return the live connection of the channel, or None."""
        entry = self._find(guild_id, channel_id)
        return entry.connection if entry is not None and self._is_live(entry) else None

    def is_connected(self, guild_id: int, channel_id: int) -> bool:
        """Whether the channel has a live connection."""
        return self.get(guild_id, channel_id) is not None

    def connection_id(self, guild_id: int, channel_id: int) -> str | None:
        """Return what the host's events call the connection; None where they do not."""
        entry = self._find(guild_id, channel_id)
        return None if entry is None else entry.connection_id

    @one_caller
    def remove(self, guild_id: int, channel_id: int) -> C | None:
        """Forget the channel, closing and sending nothing; return its connection, or None."""
        entry = self._find(guild_id, channel_id)
        if entry is None:
            return None
        self._drop(self._guilds[guild_id], entry)
        return entry.connection

    @one_caller
    def move(self, guild_id: int, channel_id: int, to_channel_id: int, now: float) -> None:
        """Take the connection to another channel of the guild; `ChannelMoved` follows."""
        guild, entry = self._require("move", guild_id, channel_id)
        if guild.find(to_channel_id) not in (None, entry):
            raise AlreadyConnected(
                f"move: we are in channel {to_channel_id} already: disconnect from it first"
            )
        entry.join.move(to_channel_id, now)
        self._settle(guild, entry, now)

    @one_caller
    def rejoin(self, guild_id: int, channel_id: int, now: float) -> None:
        """Leave and join again for a new session: the answer to `NeedNewSession`."""
        guild, entry = self._require("rejoin", guild_id, channel_id)
        entry.join.rejoin(now)
        self._settle(guild, entry, now)

    @one_caller
    def set_self(
        self,
        guild_id: int,
        channel_id: int,
        now: float,
        *,
        mute: bool | None = None,
        deaf: bool | None = None,
    ) -> None:
        """Mute or deafen ourselves in the channel, for everybody to see. None: as it is."""
        guild, entry = self._require("set_self", guild_id, channel_id)
        entry.join.set_self(now, mute=mute, deaf=deaf)
        self._settle(guild, entry, now)

    @one_caller
    def disconnect(self, guild_id: int, channel_id: int, now: float) -> None:
        """Close the connection and leave the channel; `ChannelLeft` follows."""
        guild, entry = self._require("disconnect", guild_id, channel_id)
        self._close(guild, entry, now)
        entry.leaving = True
        entry.join.leave(now)
        self._settle(guild, entry, now)

    # -- many -----------------------------------------------------------------------------

    def __iter__(self) -> Iterator[tuple[int, int, C]]:
        """Iterate over the guild, the channel and the connection of all that are live."""
        return iter([each for guild_id in list(self._guilds) for each in self.of_guild(guild_id)])

    def of_guild(self, guild_id: int) -> list[tuple[int, int, C]]:
        """Return the guild, the channel and the connection of all that are live in a guild."""
        guild = self._guilds.get(guild_id) or GuildChannels(guild_id)
        return [
            (guild_id, entry.channel_id, entry.connection)
            for entry in guild.entries
            if entry.connection is not None and self._is_live(entry)
        ]

    def for_each(self, function: Callable[[C], object]) -> None:
        """Call ``function`` with each live connection; it may change the registry."""
        for guild_id, channel_id, connection in self:
            self._attempt("for_each", guild_id, channel_id, function, connection)

    def disconnect_guild(self, guild_id: int, now: float) -> None:
        """Leave every channel of a guild."""
        guild = self._guilds.get(guild_id) or GuildChannels(guild_id)
        for entry in guild.staying():
            self.disconnect(guild_id, entry.channel_id, now)

    def disconnect_all(self, now: float) -> None:
        """Leave every channel."""
        for guild_id in list(self._guilds):
            self.disconnect_guild(guild_id, now)

    def stop_guild(self, guild_id: int, now: float) -> None:
        """Stop what is played in a guild; its connections stay."""
        for _, channel_id, connection in self.of_guild(guild_id):
            self._attempt("stop", guild_id, channel_id, self._kind.stop, connection, now)

    # -- the host's gateway -----------------------------------------------------------------

    @one_caller
    def receive_voice_state(self, event: Mapping[str, Any], now: float) -> None:
        """Take the ``d`` of a VOICE_STATE_UPDATE, of whatever user and guild."""
        guild = self._guild_of(event)
        if guild is None or snowflake(event.get("user_id")) != self._user_id:
            return
        gone = event.get("channel_id") is None
        entries = guild.left_by(event) if gone else guild.entered_by(event)
        self.unmatched += not entries
        for entry in entries:
            entry.note_connection_id(event)
            entry.join.receive_voice_state(event, now)
            parked = guild.note_state(entry)
            if parked is not None:
                entry.join.receive_voice_server(parked, now)
            self._hand_state(guild, entry, event, now)
            self._settle(guild, entry, now)

    @one_caller
    def receive_voice_server(self, event: Mapping[str, Any], now: float) -> None:
        """Take the ``d`` of a VOICE_SERVER_UPDATE, of whatever guild."""
        guild = self._guild_of(event)
        if guild is None:
            return
        entries = guild.served_by(event)
        if entries is None:
            return
        self.unmatched += not entries
        for entry in entries:
            entry.note_connection_id(event)
            entry.join.receive_voice_server(event, now)
            self._hand_server(guild, entry, event, now)
            self._settle(guild, entry, now)

    @one_caller
    def voice_state_failed(self, guild_id: int, channel_id: int, why: str, now: float) -> None:
        """Say that a task of ``send_voice_state`` could not send: the host's gateway is not there.

        `ChannelNotJoined` or `ChannelLeft` follows.
        """
        entry = self._find(guild_id, channel_id)
        if entry is not None:
            entry.join.voice_state_failed(why, now)
            self._settle(self._guilds[guild_id], entry, now)

    @one_caller
    def handle_timeout(self, now: float) -> None:
        """Give up what is overdue. Too early does nothing."""
        for entry, guild in list(self._waiting.items()):
            entry.join.handle_timeout(now)
            self._settle(guild, entry, now)

    # -- looking up -----------------------------------------------------------------------------

    def _guild_of(self, event: Mapping[str, Any]) -> GuildChannels[C] | None:
        guild_id = snowflake(event.get("guild_id"))
        return None if guild_id is None else self._guilds.get(guild_id)

    def _find(self, guild_id: int, channel_id: int) -> Entry[C] | None:
        guild = self._guilds.get(guild_id)
        return None if guild is None else guild.find(channel_id)

    def _require(
        self, call: str, guild_id: int, channel_id: int
    ) -> tuple[GuildChannels[C], Entry[C]]:
        entry = self._find(guild_id, channel_id)
        if entry is None or entry.leaving:
            raise NotConnected(
                f"{call}: we are not in channel {channel_id} of guild {guild_id}: create it first"
            )
        return self._guilds[guild_id], entry

    def _is_live(self, entry: Entry[C]) -> bool:
        connection = entry.connection
        return connection is not None and not entry.leaving and self._kind.is_live(connection)

    # -- steps ----------------------------------------------------------------------------------

    def _settle(self, guild: GuildChannels[C], entry: Entry[C], now: float) -> None:
        """Do what the join says, and note its deadline."""
        join = entry.join
        while (item := join.poll()) is not None:
            where = guild.guild_id, entry.channel_id
            match item:
                case SendVoiceState():
                    sent = self._attempt("send_voice_state", *where, self._send_voice_state, item)
                    if not sent:
                        join.voice_state_failed("send_voice_state raised", now)
                case Joined(info):
                    self._joined(guild, entry, info, now)
                case JoinTimedOut(channel_id, error) | JoinFailed(channel_id, error):
                    self._events.append(ChannelNotJoined(guild.guild_id, channel_id, error))
                case Left():
                    self._events.append(ChannelLeft(*where))
        if join.state is JoinState.OUT:
            self._close(guild, entry, now)
            self._drop(guild, entry)
            return
        if entry.told is None or (join.state is JoinState.JOINED and join.info is not None):
            self._note_channel(guild, entry, join.channel_id, now)
        if join.next_timeout() is None:
            self._waiting.pop(entry, None)
        elif entry in guild.entries:  # what was called may have removed it
            self._waiting[entry] = guild

    def _joined(
        self, guild: GuildChannels[C], entry: Entry[C], info: VoiceServerInfo, now: float
    ) -> None:
        self._note_channel(guild, entry, info.channel_id, now)
        if not self._is_live(entry):
            entry.connection = None
            entry.told = info
            self._events.append(ChannelJoined(guild.guild_id, entry.channel_id, info))

    def _note_channel(
        self, guild: GuildChannels[C], entry: Entry[C], channel_id: int, now: float
    ) -> None:
        old = entry.channel_id
        if channel_id == old:
            return
        other = guild.find(channel_id)
        if other is not None:
            self._close(guild, other, now)
            self._drop(guild, other)  # its place is taken: nobody is in a channel twice
        entry.channel_id = channel_id
        if entry.told is not None:
            self._events.append(ChannelMoved(guild.guild_id, channel_id, old))

    def _close(self, guild: GuildChannels[C], entry: Entry[C], now: float) -> None:
        connection = entry.connection
        if connection is not None and self._is_live(entry):
            where = guild.guild_id, entry.channel_id
            self._attempt("close", *where, self._kind.close, connection, now)

    def _drop(self, guild: GuildChannels[C], entry: Entry[C]) -> None:
        if entry in guild.entries:
            guild.entries.remove(entry)
        if not guild.entries:
            self._guilds.pop(guild.guild_id, None)
        self._waiting.pop(entry, None)

    # -- the connection of a channel --------------------------------------------------------------

    def _hand_state(
        self, guild: GuildChannels[C], entry: Entry[C], event: Mapping[str, Any], now: float
    ) -> None:
        session_id, given = event.get("session_id"), event.get("channel_id")
        channel_id = snowflake(given)
        if isinstance(session_id, str) and (given is None or channel_id is not None):
            call = self._kind.update_voice_state
            self._tell("update_voice_state", call, guild, entry, channel_id, session_id, now)

    def _hand_server(
        self, guild: GuildChannels[C], entry: Entry[C], event: Mapping[str, Any], now: float
    ) -> None:
        token, endpoint = event.get("token"), event.get("endpoint")
        if isinstance(token, str) and (
            endpoint is None or (isinstance(endpoint, str) and endpoint)
        ):
            call = self._kind.update_voice_server
            self._tell("update_voice_server", call, guild, entry, token, endpoint, now)

    def _catch_up(self, guild: GuildChannels[C], entry: Entry[C], now: float) -> None:
        """Tell a new connection what has changed since the info that it was made of."""
        told, info = entry.told, entry.join.info
        if told is None or info is None or told == info:
            return
        entry.told = info
        # In this order a move is a move: the token belongs to the new channel.
        if (told.channel_id, told.session_id) != (info.channel_id, info.session_id):
            state = self._kind.update_voice_state
            self._tell(
                "update_voice_state", state, guild, entry, info.channel_id, info.session_id, now
            )
        if (told.token, told.endpoint) != (info.token, info.endpoint):
            server = self._kind.update_voice_server
            self._tell("update_voice_server", server, guild, entry, info.token, info.endpoint, now)

    def _tell(
        self,
        doing: str,
        call: Callable[..., object],
        guild: GuildChannels[C],
        entry: Entry[C],
        *args: object,
    ) -> None:
        if self._is_live(entry):
            where = guild.guild_id, entry.channel_id
            self._attempt(doing, *where, call, entry.connection, *args)

    def _attempt(
        self, doing: str, guild_id: int, channel_id: int, call: Callable[..., object], *args: object
    ) -> bool:
        try:
            call(*args)
        except Exception as error:  # the host's: its own failure, and nobody else's
            self._events.append(CallFailed(guild_id, channel_id, doing, error))
            return False
        return True
