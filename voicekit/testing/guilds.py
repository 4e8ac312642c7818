"""`guild`: a whole voice call for a bot under test, without Discord.

async with voicekit.testing.guild() as guild:
    guild.configure(discord)
    ...                                 # the bot logs in with guild.token and joins
    async with guild.speaker("alice") as alice:
        await alice.talk(1.0)
        frames = await alice.listen(50)
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Self

import trio

from voicekit.errors import LocalProtocolError
from voicekit.server import ServerConfig, SessionStats
from voicekit.testing.libraries import configure
from voicekit.testing.main import world
from voicekit.testing.main.machine import HEARTBEAT_INTERVAL, MainServer
from voicekit.testing.main_gateway import MainGateway
from voicekit.testing.speaker import Speaker
from voicekit.testing.thread import in_thread, outcome

__all__ = ["Guild", "guild"]

#: How long the waiting methods wait, in seconds, unless told otherwise.
TIMEOUT = 10.0
#: How often they look, in seconds.
LOOK = 0.01
#: A client that has said nothing since its key was sent has it after this long, in seconds.
SETTLED = 0.3


def guild(
    name: str = "guild",
    *,
    channels: Sequence[str] = ("General", "Music"),
    voice: ServerConfig | None = None,
    regions: int = 2,
    heartbeat_interval: float = HEARTBEAT_INTERVAL,
) -> "Guild":
    """Return a guild with a bot and voice channels in it, for ``async with`` or ``with``.

    ``voice`` are the settings of its voice servers, of which there is one for each of the
    ``regions``; by default calls are end-to-end encrypted. The main gateway asks for a
    heartbeat every ``heartbeat_interval`` seconds.
    """
    gateway = MainGateway(voice, regions=regions, heartbeat_interval=heartbeat_interval)
    bot = gateway.world.add_bot()
    made = gateway.world.add_guild(name, bot)
    for channel in channels:
        gateway.world.add_channel(made, channel)
    return Guild(gateway, made, bot)


class Guild:
    """One guild of a `MainGateway`, and the bot in it that is under test.

    Works in asyncio, trio and without either; every method may be called from any thread.
    Where ``user_id`` may be given, the bot is meant without. Channels go by their names.
    """

    def __init__(self, gateway: MainGateway, made: world.Guild, bot: world.User) -> None:
        #: Everything behind it.
        self.gateway = gateway
        self.id = made.id
        self.bot_id = bot.id
        #: What the bot logs in with.
        self.token = gateway.world.token_of(bot)
        self._guild = made
        self._undo: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<Guild {self._guild.name!r}, {self.gateway!r}>"

    # -- life -------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.gateway.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._point_back()
        self.gateway.stop()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self._point_back()
        # Not here: the bot's event loop has closes to answer meanwhile.
        await in_thread(self.gateway.stop)

    # -- for the bot's library ----------------------------------------------------------

    @property
    def rest_url(self) -> str:
        """What REST requests begin with, version and all: ``http://…/api/v10``."""
        return self.gateway.rest_url

    @property
    def gateway_url(self) -> str:
        """Where the gateway's WebSocket is: ``ws://…``."""
        return self.gateway.gateway_url

    def configure(self, library: ModuleType) -> None:
        """Point an imported library here, until the end of the block.

        For discord.py, py-cord, disnake, nextcord and interactions.py; hikari takes the URL as
        an argument: ``GatewayBot(guild.token, rest_url=guild.rest_url)``. Raises
        `LocalProtocolError` for libraries that it does not know.
        """
        self._undo.append(configure(library, self.rest_url, self.gateway_url))

    def _point_back(self) -> None:
        while self._undo:
            self._undo.pop()()

    # -- channels -----------------------------------------------------------------------

    @property
    def channels(self) -> list[str]:
        """The names of its channels."""
        return [channel.name for channel in tuple(self._guild.channels.values())]

    def region_of(self, channel: str) -> int:
        """Return which voice server a channel is on, counted from 0."""
        return self._channel(channel).region

    def channel_id(self, name: str) -> int:
        """Return a channel's id. Raises `LocalProtocolError` where there is no such channel."""
        return self._channel(name).id

    def add_channel(
        self, name: str, *, user_limit: int = 0, is_full: bool = False, is_locked: bool = False
    ) -> int:
        """Add a voice channel, which bots hear of; return its id.

        Who asks to join one that is full or locked is not answered, as on Discord.
        """

        def add(server: MainServer, now: float) -> int:
            limit = 1 if is_full else user_limit
            channel = server.add_channel(self._guild, name, user_limit=limit)
            channel.is_locked = is_locked
            if is_full:
                somebody = server.add_member(self._guild, f"somebody in {name}")
                server.voice.request(self._guild, somebody.id, channel.id, now)
            return channel.id

        return self.gateway.call(add)

    def channel_of(self, user_id: int | None = None) -> str | None:
        """Return the name of the channel that somebody sits in; None: in none."""
        state = self._guild.voice_states.get(self._user(user_id))
        return None if state is None else self._guild.channels[state.channel_id].name

    def _channel(self, name: str) -> world.Channel:
        for channel in tuple(self._guild.channels.values()):
            if channel.name == name:
                return channel
        raise LocalProtocolError(f"no channel is {name!r}: there are {', '.join(self.channels)}")

    def _user(self, user_id: int | None) -> int:
        return self.bot_id if user_id is None else user_id

    # -- what happens to the bot ----------------------------------------------------------

    def move(self, channel: str, user_id: int | None = None, *, close_first: bool = False) -> None:
        """Move somebody to another channel.

        ``close_first``: the voice WebSocket closes (4014) a moment before the bot is told why.
        """
        to, user = self._channel(channel), self._user(user_id)
        self._do(
            lambda server, now: server.voice.move(
                self._guild, user, to, now, close_first=close_first
            )
        )

    def kick(self, user_id: int | None = None, *, close_first: bool = False) -> None:
        """Take somebody out of its channel. ``close_first`` is as for `move`."""
        user = self._user(user_id)
        self._do(
            lambda server, now: server.voice.kick(self._guild, user, now, close_first=close_first)
        )

    def drop(self, user_id: int | None = None) -> None:
        """Cut somebody's voice WebSocket without a close frame. It can be resumed."""
        user = self._user(user_id)
        self._do(lambda server, now: server.voice.drop(self._guild, user, now))

    def close(self, code: int, user_id: int | None = None) -> None:
        """Close somebody's voice WebSocket with ``code``, and say nothing else.

        4006 makes the session invalid: the bot has to leave and join again.
        """
        user = self._user(user_id)
        self._do(lambda server, now: server.voice.close(self._guild, user, code, now))

    def change_region(
        self, channel: str | None = None, *, region: int = 1, null_for: float | None = None
    ) -> None:
        """Move a channel to another voice server; by default the one that the bot is in.

        ``null_for``: for this many seconds there is none (the endpoint is null).
        """
        name = self.channel_of() if channel is None else channel
        if name is None:
            raise LocalProtocolError("the bot is in no channel: say which one is meant")
        where = self._channel(name)
        self._do(
            lambda server, now: server.voice.change_region(
                self._guild, where, region, now, null_for=null_for
            )
        )

    def null_endpoint(self, user_id: int | None = None, *, seconds: float | None = None) -> None:
        """Say that the voice server is gone; ``seconds`` later, that it is there again."""
        user = self._user(user_id)
        self._do(
            lambda server, now: server.voice.null_endpoint(self._guild, user, now, seconds=seconds)
        )

    def drop_gateway(self) -> None:
        """Cut the bot's main gateway without a close frame. It can be resumed."""
        self._do(lambda server, now: server.drop(now, user_id=self.bot_id))

    def _do(self, action: Callable[[MainServer, float], object]) -> None:
        self.gateway.call(action)

    # -- what the bot does ------------------------------------------------------------------

    def sessions(self, user_id: int | None = None) -> list[SessionStats]:
        """Return what the voice servers think of somebody's sessions so far, server by server."""
        return [one for region in range(self.regions) for one in self._sessions(user_id, region)]

    def session(self, user_id: int | None = None) -> SessionStats:
        """Return what the voice server thinks of somebody's session.

        Raises `LocalProtocolError` where there is none.
        """
        for one in self.sessions(user_id):
            if one.state != "ended":
                return one
        raise LocalProtocolError("there is no session: wait for `joined`")

    @property
    def regions(self) -> int:
        """How many voice servers there are."""
        return len(self.gateway.voice_servers)

    def _sessions(self, user_id: int | None, region: int) -> list[SessionStats]:
        user = self._user(user_id)
        return [one for one in self.gateway.stats()[region] if one.user_id == user]

    async def joined(
        self, channel: str | None = None, user_id: int | None = None, *, within: float = TIMEOUT
    ) -> SessionStats:
        """Wait until somebody can talk in a channel, or in that one. Raises `TimeoutError`."""
        where = None if channel is None else self._channel(channel).id
        found: list[SessionStats] = []
        since: dict[int, float] = {}

        def is_there() -> bool:
            state = self._guild.voice_states.get(self._user(user_id))
            if state is None or where not in (None, state.channel_id):
                return False
            region = self._guild.channels[state.channel_id].region
            for one in self._sessions(user_id, region):
                if one.state == "established" and one.channel_id == state.channel_id:
                    waited = trio.current_time() - since.setdefault(one.ssrc, trio.current_time())
                    if _has_its_key(one) or waited > SETTLED:
                        found.append(one)
                        return True
            return False

        await self.until(is_there, f"joined {channel or 'a channel'}", within=within)
        return found[0]

    async def left(self, user_id: int | None = None, *, within: float = TIMEOUT) -> None:
        """Wait until somebody sits in no channel and has no voice session."""
        user = self._user(user_id)

        def is_gone() -> bool:
            return user not in self._guild.voice_states and all(
                one.state == "ended" for one in self.sessions(user)
            )

        await self.until(is_gone, "left", within=within)

    async def logged_in(self, *, within: float = TIMEOUT) -> None:
        """Wait until the bot is on the main gateway."""
        server = self.gateway.server

        def is_there() -> bool:
            return any(one.socket is not None for one in server.sessions_of(self.bot_id))

        await self.until(is_there, "logged in", within=within)

    async def until(
        self, condition: Callable[[], bool], what: str = "done", *, within: float = TIMEOUT
    ) -> None:
        """Wait until ``condition()`` holds; it is called in the gateway's thread.

        Raises `TimeoutError` after ``within`` seconds.
        """

        # What it looks at is the state of several machines, which know nothing of waiters.
        async def look() -> bool:
            with trio.move_on_after(within):
                while not condition():  # noqa: ASYNC110
                    await trio.sleep(LOOK)
                return True
            return False

        if not await outcome(self.gateway._submit(look)):
            raise TimeoutError(f"not {what} within {within:g} s")

    # -- the others -----------------------------------------------------------------------

    def speaker(
        self, name: str = "speaker", channel: str | None = None, *, within: float = TIMEOUT
    ) -> Speaker:
        """Return another member, for ``async with``: it sits in a channel, talks and listens.

        By default where the bot is, or else in the first channel. Its block raises
        `TimeoutError` when it is not answered within that many seconds.
        """
        where = channel or self.channel_of() or next(iter(self._guild.channels.values())).name
        return Speaker(self, name, self._channel(where), within)


def _has_its_key(session: SessionStats) -> bool:
    """Return whether a client has shown that it knows its session is established.

    Until then a cut of its WebSocket leaves it with nothing to resume.
    """
    # Select Protocol, and a heartbeat at any time, come before the key.
    said = session.messages_received - session.heartbeats - 1
    return session.keepalives + session.packets_valid > 0 or said > 0
