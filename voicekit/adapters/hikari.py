"""hikari 2.7: `VoicekitVoiceConnection`, which ``bot.voice.connect_to`` takes.

connection = await bot.voice.connect_to(guild, channel, VoicekitVoiceConnection)
await connection.player.play("song.opus")
"""

import asyncio
import logging
import types
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

import hikari
from hikari import snowflakes
from hikari.api import VoiceComponent, VoiceConnection
from hikari.errors import ComponentStateConflictError, MissingIntentError, VoiceError

from ..aio import Voice
from ..driver.player import Player
from ..errors import VoicekitError
from ..join import SendVoiceState
from ..server_info import VoiceServerInfo
from .host_errors import raising
from .stay import CallOptions, Stay

__all__ = ["VoicekitVoiceComponent", "VoicekitVoiceConnection"]

_LOG = logging.getLogger("voicekit")

#: How long a channel may take to be left after a call that did not come about, in seconds.
LEAVE_TIMEOUT = 5.0
#: How long the voice server may take to let us in, in seconds.
HANDSHAKE_TIMEOUT = 15.0

_ERRORS: Mapping[type[VoicekitError], Callable[[VoicekitError], Exception]] = {
    VoicekitError: lambda error: VoiceError(str(error))
}


class VoicekitVoiceConnection(VoiceConnection):
    """A voice call. Everything that belongs to it is in `voice`, a `voicekit.aio.Voice`.

    Raises ``hikari.VoiceError`` for calls after its end, or from another thread.
    """

    __slots__ = ("_closing", "_finished", "_on_close", "_owner", "_shard_id", "_stay", "_user_id")

    def __init__(
        self,
        make_stay: Callable[[Any], Stay],
        on_close: Callable[[Any], Awaitable[None]],
        owner: VoiceComponent,
        shard_id: int,
        user_id: int,
    ) -> None:
        self._stay = make_stay(self)
        self._on_close = on_close
        self._owner = owner
        self._shard_id = shard_id
        self._user_id = user_id
        self._closing: asyncio.Task[None] | None = None
        self._finished = asyncio.Event()

    @classmethod
    async def initialize(
        cls,
        channel_id: snowflakes.Snowflake,
        endpoint: str,
        guild_id: snowflakes.Snowflake,
        on_close: Callable[[Self], Awaitable[None]],
        owner: VoiceComponent,
        session_id: str,
        shard_id: int,
        token: str,
        user_id: snowflakes.Snowflake,
        **kwargs: Any,
    ) -> Self:
        """Join the call that the component has asked for; it returns when audio can be sent.

        ``app`` is the bot, for components that do not know theirs, and ``handshake_timeout`` how
        long the voice server may take to let us in (15 s); the other options are those of
        `voicekit.aio.open`. Raises ``hikari.VoiceError``.
        """
        timeout = kwargs.pop("handshake_timeout", HANDSHAKE_TIMEOUT)
        bot = _bot_of(owner, kwargs.pop("app", None))
        options: CallOptions = kwargs  # type: ignore[assignment]

        async def ask(state: SendVoiceState) -> None:
            await bot.shards[shard_id].update_voice_state(
                state.guild_id, state.channel_id, self_mute=state.mute, self_deaf=state.deaf
            )

        ours = bot.cache.get_voice_state(guild_id, user_id)

        def make_stay(connection: Self) -> Stay:
            return Stay(
                int(guild_id),
                int(channel_id),
                int(user_id),
                ask,
                connection._end,
                mute=ours is not None and ours.is_self_muted,
                deaf=ours is not None and ours.is_self_deafened,
                timeout=timeout,
                options=options,
            )

        with raising(_ERRORS):
            info = VoiceServerInfo(
                endpoint=_as_sent(endpoint),
                server_id=int(guild_id),
                channel_id=int(channel_id),
                user_id=int(user_id),
                session_id=session_id,
                token=token,
            )
            connection = cls(make_stay, on_close, owner, shard_id, int(user_id))
            # The component notifies us from our return on; the server may change before.
            bot.event_manager.subscribe(hikari.VoiceEvent, connection.notify)
            try:
                await connection._stay.adopt(info)
            finally:
                bot.event_manager.unsubscribe(hikari.VoiceEvent, connection.notify)
        return connection

    # -- hikari's abstract interface -------------------------------------------------------

    @property
    def channel_id(self) -> snowflakes.Snowflake:
        """Where we are, or were last."""
        return snowflakes.Snowflake(self._stay.channel_id)

    @property
    def guild_id(self) -> snowflakes.Snowflake:
        """Whose channel it is."""
        return snowflakes.Snowflake(self._stay.guild_id)

    @property
    def is_alive(self) -> bool:
        """Whether there is a call; while it is being resumed or moved there is."""
        return self._stay.is_connected

    @property
    def owner(self) -> VoiceComponent:
        """The component that made it."""
        return self._owner

    @property
    def shard_id(self) -> int:
        """The shard of its guild."""
        return self._shard_id

    async def disconnect(self) -> None:
        """Leave the call within a second, then the channel. Idempotent."""
        with raising(_ERRORS):
            await self._stay.leave(tell=False)
        await self._close()

    async def join(self) -> None:
        """Wait until the call is over, in whichever way."""
        await self._finished.wait()

    async def notify(self, event: hikari.VoiceEvent) -> None:
        """Take an event of the guild: ours, and those about its voice server."""
        with raising(_ERRORS):
            match event:
                case hikari.VoiceStateUpdateEvent(state=state) if state.user_id == self._user_id:
                    self._stay.receive_voice_state(
                        {
                            "guild_id": state.guild_id,
                            "channel_id": state.channel_id,
                            "user_id": state.user_id,
                            "session_id": state.session_id,
                            "self_mute": state.is_self_muted,
                            "self_deaf": state.is_self_deafened,
                        }
                    )
                case hikari.VoiceServerUpdateEvent():
                    self._stay.receive_voice_server(
                        {
                            "guild_id": event.guild_id,
                            "token": event.token,
                            "endpoint": event.raw_endpoint,
                        }
                    )

    # -- more than the interface asks for --------------------------------------------------

    @property
    def voice(self) -> Voice:
        """The call: everything that is heard, recorded and played. Raises ``hikari.VoiceError``."""
        with raising(_ERRORS):
            return self._stay.require_voice()

    @property
    def player(self) -> Player:
        """What plays: `Voice.player`."""
        return self.voice.player

    async def move_to(self, channel: snowflakes.SnowflakeishOr[hikari.GuildVoiceChannel]) -> None:
        """Go to another channel of the guild, and wait until audio can be sent there.

        Nothing is missing of what plays. Raises ``hikari.VoiceError`` where nobody answers: we
        are where we were.
        """
        with raising(_ERRORS):
            await self._stay.move(_id_of("channel", channel))

    # -- behind it -------------------------------------------------------------------------

    def _end(self, error: VoicekitError | None) -> None:
        """The call has ended by itself: kicked, or lost for good."""
        _LOG.info(
            "the voice call of guild %s is over: %s", self.guild_id, error or "out of the channel"
        )
        self._closing = asyncio.get_running_loop().create_task(self._close_quietly())

    async def _close_quietly(self) -> None:
        try:
            await self._close()
        except Exception:
            _LOG.exception("guild %s: on_close failed", self.guild_id)

    async def _close(self) -> None:
        if not self._finished.is_set():
            self._finished.set()
            await self._on_close(self)


class VoicekitVoiceComponent(VoiceComponent):
    """In the place of ``bot.voice``: hears both events whichever comes first, and null endpoints.

    ``voice = VoicekitVoiceComponent(bot)``, before or while the bot runs; it closes with the bot.
    """

    __slots__ = ("_app", "_connections", "_is_alive", "_joining", "connections")

    def __init__(self, app: hikari.GatewayBotAware) -> None:
        self._app = app
        self._connections: dict[snowflakes.Snowflake, VoiceConnection] = {}
        self._joining: set[snowflakes.Snowflake] = set()
        self._is_alive = True
        #: Live connections by guild.
        self.connections: Mapping[snowflakes.Snowflake, VoiceConnection] = types.MappingProxyType(
            self._connections
        )
        missing = hikari.Intents.GUILD_VOICE_STATES & ~app.intents
        if missing:
            raise MissingIntentError(missing)
        app.event_manager.subscribe(hikari.VoiceEvent, self._take)
        app.event_manager.subscribe(hikari.StoppingEvent, self._stop)

    @property
    def app(self) -> hikari.GatewayBotAware:
        """The bot."""
        return self._app

    @property
    def is_alive(self) -> bool:
        """Whether it was not closed."""
        return self._is_alive

    async def close(self) -> None:
        """Leave all calls, and listen to the bot no more."""
        self._check_alive()
        self._is_alive = False
        self._app.event_manager.unsubscribe(hikari.VoiceEvent, self._take)
        self._app.event_manager.unsubscribe(hikari.StoppingEvent, self._stop)
        await self._disconnect_all()

    async def connect_to(
        self,
        guild: snowflakes.SnowflakeishOr[hikari.PartialGuild],
        channel: snowflakes.SnowflakeishOr[hikari.GuildVoiceChannel],
        voice_connection_type: type[Any] = VoicekitVoiceConnection,
        *,
        deaf: bool = False,
        mute: bool = False,
        timeout: float | None = 5,  # noqa: ASYNC109
        **kwargs: Any,
    ) -> Any:
        """Join a channel: see ``hikari.api.VoiceComponent.connect_to``.

        Raises ``hikari.VoiceError`` where the guild has a connection already, or nobody answers
        within ``timeout`` seconds: the channel is full, or a permission is missing.
        """
        self._check_alive()
        guild_id, channel_id = _id_of("guild", guild), _id_of("channel", channel)
        if guild_id in self._connections or guild_id in self._joining:
            raise VoiceError(
                "Already in a voice channel for that guild: disconnect first, or use move_to"
            )
        if not self._app.shards:
            raise ComponentStateConflictError("the bot has not started: wait for StartedEvent")
        shard_id = snowflakes.calculate_shard_id(self._app, guild_id)
        shard = self._app.shards.get(shard_id)
        if shard is None:
            raise VoiceError(f"shard {shard_id} of that guild is not in this application")
        user = self._app.cache.get_me() or await self._app.rest.fetch_my_user()
        self._joining.add(guild_id)
        try:
            state, server = await self._ask(
                guild_id,
                user.id,
                timeout,
                shard.update_voice_state(guild_id, channel_id, self_mute=mute, self_deaf=deaf),
            )
            connection = await voice_connection_type.initialize(
                channel_id=channel_id,
                endpoint=server.endpoint,
                guild_id=guild_id,
                on_close=self._forget,
                owner=self,
                session_id=state.state.session_id,
                shard_id=shard_id,
                token=server.token,
                user_id=user.id,
                **kwargs,
            )
        except BaseException:
            await self._leave(shard, guild_id)
            raise
        finally:
            self._joining.discard(guild_id)
        self._connections[guild_id] = connection
        return connection

    async def disconnect(self, guild: snowflakes.SnowflakeishOr[hikari.PartialGuild]) -> None:
        """Leave the call of a guild. Raises ``hikari.VoiceError`` where there is none."""
        self._check_alive()
        connection = self._connections.get(_id_of("guild", guild))
        if connection is None:
            raise VoiceError("there is no voice connection in that guild: connect_to makes one")
        await connection.disconnect()

    async def disconnect_all(self) -> None:
        """Leave all calls."""
        self._check_alive()
        await self._disconnect_all()

    # -- behind it -------------------------------------------------------------------------

    def _check_alive(self) -> None:
        if not self._is_alive:
            raise ComponentStateConflictError("this component was closed: make another one")

    async def _ask(
        self,
        guild_id: snowflakes.Snowflake,
        user_id: snowflakes.Snowflake,
        patience: float | None,
        op4: Awaitable[None],
    ) -> tuple[hikari.VoiceStateUpdateEvent, hikari.VoiceServerUpdateEvent]:
        """Ask for a channel, and wait for both events."""

        def is_our_state(event: hikari.VoiceStateUpdateEvent) -> bool:
            state = event.state
            ours = state.guild_id == guild_id and state.user_id == user_id
            return ours and state.channel_id is not None

        def is_our_server(event: hikari.VoiceServerUpdateEvent) -> bool:
            # A null endpoint: the server is gone, and the next one on its way.
            return event.guild_id == guild_id and event.raw_endpoint is not None

        wait_for = self._app.event_manager.wait_for
        both = asyncio.gather(
            wait_for(hikari.VoiceStateUpdateEvent, patience, is_our_state),
            wait_for(hikari.VoiceServerUpdateEvent, patience, is_our_server),
        )
        await asyncio.sleep(0)  # they listen before anybody is asked
        try:
            await op4
            return await both
        except TimeoutError:
            raise VoiceError(
                f"no answer within {patience} s: the channel is full or gone, or the permission to"
                " view it and connect to it is missing"
            ) from None
        except BaseException:
            both.cancel()
            raise

    async def _take(self, event: hikari.VoiceEvent) -> None:
        connection = self._connections.get(event.guild_id)
        if connection is not None:
            await connection.notify(event)

    async def _stop(self, event: hikari.StoppingEvent) -> None:
        if self._is_alive:
            await self.close()

    async def _disconnect_all(self) -> None:
        await asyncio.gather(*(each.disconnect() for each in list(self._connections.values())))

    async def _forget(self, connection: VoiceConnection) -> None:
        """Take a connection that is over out of the table, and leave its channel."""
        guild_id, shard_id = connection.guild_id, connection.shard_id
        if self._connections.get(guild_id) is connection:
            del self._connections[guild_id]
            await self._app.shards[shard_id].update_voice_state(guild_id, None)

    @staticmethod
    async def _leave(shard: hikari.api.GatewayShard, guild_id: snowflakes.Snowflake) -> None:
        try:
            await asyncio.wait_for(shard.update_voice_state(guild_id, None), LEAVE_TIMEOUT)
        except (TimeoutError, hikari.HikariError):
            pass  # its gateway is gone, and with it we are


def _bot_of(owner: VoiceComponent, app: hikari.GatewayBotAware | None) -> Any:
    bot = app or getattr(owner, "app", None) or getattr(owner, "_app", None)
    if bot is None:
        name = type(owner).__name__
        raise VoiceError(f"{name} does not say which bot is its own: connect_to(…, app=bot)")
    return bot


def _as_sent(endpoint: str) -> str:
    """Return the endpoint as Discord has sent it: hikari puts ``wss://`` before whatever came."""
    return endpoint.removeprefix("wss://")


def _id_of(name: str, value: Any) -> snowflakes.Snowflake:
    try:
        return snowflakes.Snowflake(value)
    except (TypeError, ValueError):
        raise VoiceError(f"{name} is an object of hikari's or its id, not {value!r}") from None
