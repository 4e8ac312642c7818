"""Who gets into which voice channel, and on which voice server: op 4 and what moderators do.

What follows from a request is said by the `Host` of each voice server, in events that
come back to `take`: they change the world, and go out to whom they concern.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from voicekit.server import HostVoiceServer, HostVoiceState, VoiceServer
from voicekit.server.timers import Timers

from . import objects
from .world import Channel, Guild, VoiceState, World

__all__ = ["VoiceStates"]

#: Between the close of a voice WebSocket and the news of why, in seconds, where that order is
#: wanted: long enough for a client to act upon the close alone.
CLOSE_LEAD = 0.1

#: ``tell(name, data, guild, only)``: an event for everybody in a guild, or one user of it.
Tell = Callable[[str, dict[str, Any], Guild, int | None], object]


class VoiceStates:
    """The voice channels of all guilds. Methods are named for what Discord would be doing."""

    def __init__(
        self, world: World, servers: Sequence[VoiceServer], timers: Timers, tell: Tell
    ) -> None:
        self._world = world
        self._servers = servers
        self._timers = timers
        self._tell = tell
        self._wishes: dict[tuple[int, int], tuple[bool, bool]] = {}  # self mute, self deaf
        #: Users whose voice session was declared invalid, and who may come anew.
        self._stale: set[tuple[int, int]] = set()

    # -- what members ask for ---------------------------------------------------------

    def request(
        self,
        guild: Guild,
        user_id: int,
        channel_id: int | None,
        now: float,
        *,
        mute: bool = False,
        deaf: bool = False,
    ) -> None:
        """Answer op 4. A channel that is full, locked or not there is not answered at all."""
        state = guild.voice_states.get(user_id)
        if channel_id is None:
            self.kick(guild, user_id, now, code=4014)
            return
        channel = guild.channels.get(channel_id)
        if channel is None or not self._admits(guild, channel, user_id):
            return
        self._wishes[guild.id, user_id] = mute, deaf
        is_stale = (guild.id, user_id) in self._stale
        if state is not None and state.channel_id == channel_id and not is_stale:
            state.self_mute, state.self_deaf = mute, deaf
            self._say(guild, state)
            return
        if is_stale:
            self._withdraw(guild, user_id, now)
        self._send_to(guild, user_id, channel, now)

    def _admits(self, guild: Guild, channel: Channel, user_id: int) -> bool:
        if channel.is_locked:
            return False
        others = [state for state in guild.in_channel(channel.id) if state.user_id != user_id]
        return not channel.user_limit or len(others) < channel.user_limit

    # -- what moderators and machines do --------------------------------------------------

    def move(
        self,
        guild: Guild,
        user_id: int,
        channel: Channel,
        now: float,
        *,
        close_first: bool = False,
    ) -> None:
        """Move a user who sits in a channel. ``close_first``: 4014 comes before the news."""
        if user_id not in guild.voice_states:
            return
        if close_first:
            self.close(guild, user_id, 4014, now)
            later = partial(self._send_to, guild, user_id, channel)
            self._timers.call_at(now + CLOSE_LEAD, later)
        else:
            self._send_to(guild, user_id, channel, now)

    def kick(
        self,
        guild: Guild,
        user_id: int,
        now: float,
        *,
        code: int = 4014,
        close_first: bool = False,
    ) -> None:
        """Take a user out of its channel, at its own wish or not."""
        if user_id not in guild.voice_states:
            return
        if close_first:
            self.close(guild, user_id, code, now)
            later = partial(self._leave, guild, user_id)
            self._timers.call_at(now + CLOSE_LEAD, later)
        else:
            self._leave(guild, user_id, now, code=code)

    def close(self, guild: Guild, user_id: int, code: int, now: float) -> None:
        """Close a user's voice WebSocket; nothing is said on the main gateway.

        4006 makes its session invalid, too: it has to leave and join again.
        """
        if (server := self._server_of(guild, user_id)) is None:
            return
        if code == 4006:
            server.host.revoke(guild.id, user_id)
            self._stale.add((guild.id, user_id))
        server.faults.close(code, now, user_id=user_id)

    def drop(self, guild: Guild, user_id: int, now: float) -> None:
        """Cut a user's voice WebSocket without a close frame. The session stays."""
        if (server := self._server_of(guild, user_id)) is not None:
            server.faults.drop(now, user_id=user_id)

    def change_region(
        self, guild: Guild, channel: Channel, region: int, now: float, *, null_for: float | None
    ) -> None:
        """Move a channel to another voice server: a new endpoint, and the old one closes.

        ``null_for``: the endpoint is null first, for this many seconds.
        """
        if not 0 <= region < len(self._servers):
            raise ValueError(f"there is no voice server {region} of {len(self._servers)}")
        if null_for is None:
            self._switch(guild, channel, region, now)
            return
        host = self._servers[channel.region].host
        for state in guild.in_channel(channel.id):
            host.update_server(guild.id, state.user_id, None)
        self._timers.call_at(now + null_for, partial(self._switch, guild, channel, region))

    def null_endpoint(
        self, guild: Guild, user_id: int, now: float, *, seconds: float | None
    ) -> None:
        """Say that the voice server is gone; ``seconds`` later, that it is there again."""
        if (server := self._server_of(guild, user_id)) is None:
            return
        server.host.update_server(guild.id, user_id, None)
        if seconds is not None:
            self._timers.call_at(now + seconds, partial(self._restore, server, guild.id, user_id))

    # -- what the voice servers' hosts say --------------------------------------------------

    def take(self, event: HostVoiceState | HostVoiceServer) -> None:
        """Take an event of a `Host`: change the world by it, and tell it."""
        guild = self._world.guilds.get(event.server_id)
        if guild is None or event.user_id not in guild.members:
            return
        if isinstance(event, HostVoiceServer):
            self._tell("VOICE_SERVER_UPDATE", event.data, guild, event.user_id)
            return
        if event.channel_id is None:
            former = guild.voice_states.pop(event.user_id, None)
            if former is not None:
                data = objects.voice_state(former, guild) | {"channel_id": None}
                self._tell("VOICE_STATE_UPDATE", data, guild, None)
            return
        mute, deaf = self._wishes.get((guild.id, event.user_id), (False, False))
        state = VoiceState(guild.id, event.user_id, event.channel_id, event.session_id, mute, deaf)
        guild.voice_states[event.user_id] = state
        self._say(guild, state)

    # -- steps ----------------------------------------------------------------------------

    def _say(self, guild: Guild, state: VoiceState) -> None:
        self._tell("VOICE_STATE_UPDATE", objects.voice_state(state, guild), guild, None)

    def _server_of(self, guild: Guild, user_id: int) -> VoiceServer | None:
        """Return the voice server that a user's call is on."""
        state = guild.voice_states.get(user_id)
        if state is None or state.channel_id not in guild.channels:
            return None
        return self._servers[guild.channels[state.channel_id].region]

    def _send_to(self, guild: Guild, user_id: int, channel: Channel, now: float) -> None:
        server, former = self._servers[channel.region], self._server_of(guild, user_id)
        state = guild.voice_states.get(user_id)
        if former is None or former is server or state is None:
            server.host.join(guild.id, channel.id, user_id, now)
            return
        server.host.admit(guild.id, channel.id, user_id, state.session_id)
        former.host.withdraw(guild.id, user_id, now)

    def _switch(self, guild: Guild, channel: Channel, region: int, now: float) -> None:
        former, channel.region = channel.region, region
        if former == region:
            return
        new, old = self._servers[region].host, self._servers[former].host
        for state in guild.in_channel(channel.id):
            new.admit(guild.id, channel.id, state.user_id, state.session_id, say_state=False)
            old.withdraw(guild.id, state.user_id, now)

    def _leave(self, guild: Guild, user_id: int, now: float, code: int = 4014) -> None:
        if (server := self._server_of(guild, user_id)) is not None:
            server.host.leave(guild.id, user_id, now, code=code)

    def _withdraw(self, guild: Guild, user_id: int, now: float) -> None:
        """Forget a voice session that is invalid, so that the next one has a new name."""
        self._stale.discard((guild.id, user_id))
        if (server := self._server_of(guild, user_id)) is not None:
            server.host.withdraw(guild.id, user_id, now)
        guild.voice_states.pop(user_id, None)

    def _restore(self, server: VoiceServer, guild_id: int, user_id: int, now: float) -> None:
        server.host.update_server(guild_id, user_id, server.host.endpoint)
