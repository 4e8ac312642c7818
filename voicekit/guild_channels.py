"""The channels of one guild that a `Registry` is in, and which of them an event is about."""

from collections import deque
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from .join import Join, JoinState
from .server_info import VoiceServerInfo, snowflake

__all__ = ["Entry", "GuildChannels"]

C = TypeVar("C")

#: Server updates that name no channel and came before the state update they belong to.
MAX_PARKED = 8

_AWAITS_NULL_STATE = (JoinState.LEAVING, JoinState.REJOINING)


class Entry(Generic[C]):
    """One channel that we are in, or on the way into or out of."""

    def __init__(self, join: Join) -> None:
        self.join = join
        self.channel_id = join.channel_id
        self.connection: C | None = None
        self.told: VoiceServerInfo | None = None  # what the connection was made of
        self.connection_id: str | None = None  # of hosts that number connections
        self.leaving = False
        self.entered_as = 0  # the how-manieth of its guild to get a state update

    def note_connection_id(self, event: Mapping[str, Any]) -> None:
        """Learn what the host calls the connection, where it does."""
        connection_id = event.get("connection_id")
        if isinstance(connection_id, str):
            self.connection_id = connection_id


class GuildChannels(Generic[C]):
    """All entries of one guild. There are few: looking through them is as good as a table."""

    def __init__(self, guild_id: int) -> None:
        self.guild_id = guild_id
        self.entries: list[Entry[C]] = []
        self._parked: deque[Mapping[str, Any]] = deque(maxlen=MAX_PARKED)
        self._entries_made = 0

    def find(self, channel_id: int) -> Entry[C] | None:
        """Return the entry of a channel."""
        for entry in self.entries:
            if entry.channel_id == channel_id:
                return entry
        return None

    def staying(self) -> list[Entry[C]]:
        """Return the entries that are not being left."""
        return [entry for entry in self.entries if not entry.leaving]

    def entered_by(self, event: Mapping[str, Any]) -> list[Entry[C]]:
        """Return the entry, if any, that a state update with a channel is about."""
        named = self._named_by(event)
        if named:
            return named
        # A moderator moves one of several: the session tells which, where each has its own.
        session_id = event.get("session_id")
        of_session = [
            entry
            for entry in self.entries
            if entry.join.info is not None and entry.join.info.session_id == session_id
        ]
        return of_session if len(of_session) == 1 else []

    def left_by(self, event: Mapping[str, Any]) -> list[Entry[C]]:
        """Return the entries that a null state update takes us out of."""
        named = self._named_by(event)
        if named:
            return named
        # Without a word about which, it is the one that asked first, or we are out of all.
        leaving = [entry for entry in self.entries if entry.join.state in _AWAITS_NULL_STATE]
        return leaving[:1] or list(self.entries)

    def served_by(self, event: Mapping[str, Any]) -> list[Entry[C]] | None:
        """Return the entry, if any, that a server update is about; None: it was parked."""
        named = self._named_by(event)
        if named:
            return named
        waiting = [entry for entry in self.entries if entry.join.awaits_server]
        entered = [entry for entry in waiting if not entry.join.awaits_state]
        if waiting and not entered:
            self._parked.append(event)  # each may be meant: the next state update tells
            return None
        # A host answers one op 4 after the other: the state first that came first.
        return sorted(entered, key=lambda entry: entry.entered_as)[:1]

    def note_state(self, entry: Entry[C]) -> Mapping[str, Any] | None:
        """Say that ``entry`` has had a state update; return a server update that came early."""
        self._entries_made += 1
        entry.entered_as = self._entries_made
        join = entry.join
        if self._parked and join.awaits_server and not join.awaits_state:
            return self._parked.popleft()
        return None

    def _named_by(self, event: Mapping[str, Any]) -> list[Entry[C]]:
        """By the connection's id or the channel's, or because there is one only."""
        connection_id = event.get("connection_id")
        channel_id = snowflake(event.get("channel_id"))
        for entry in self.entries:
            if isinstance(connection_id, str) and entry.connection_id == connection_id:
                return [entry]
        for entry in self.entries:
            if channel_id is not None and channel_id in (entry.channel_id, entry.join.channel_id):
                return [entry]
        return list(self.entries) if len(self.entries) == 1 else []
