"""What hikari's two voice interfaces promise, checked in the bot's process.

Each check is given a bot that is logged in and in no channel, and raises what is not so.
"""

import asyncio
from typing import Any

import hikari
from console import raises

from voicekit.adapters.hikari import VoicekitVoiceComponent, VoicekitVoiceConnection

#: Longer than anything takes that works, in seconds.
PATIENCE = 10.0


async def _until_out(bot: Any, component: Any) -> None:
    """Wait until hikari has heard that we are in no channel."""
    async with asyncio.timeout(PATIENCE):
        while component.connections or bot.state_of_us() is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def _a_call(bot: Any, component: Any) -> None:
    """What a component and its connection say of a call, from connecting to its end."""
    assert isinstance(component, hikari.api.VoiceComponent)
    assert component.is_alive
    assert dict(component.connections) == {}
    connection = await component.connect_to(
        bot.guild_id,
        bot.channels[0],
        VoicekitVoiceConnection,
        deaf=True,
        mute=True,
        timeout=PATIENCE,
    )
    assert isinstance(connection, hikari.api.VoiceConnection)
    ours = bot.state_of_us()
    assert (ours.is_self_deafened, ours.is_self_muted) == (True, True)
    assert dict(component.connections) == {bot.guild_id: connection}
    assert connection.is_alive
    assert (connection.guild_id, connection.channel_id) == (bot.guild_id, bot.channels[0])
    assert connection.owner is component
    assert connection.shard_id == 0
    joined = asyncio.ensure_future(connection.join())
    await asyncio.sleep(0.05)
    assert not joined.done(), "join waits for the end"
    try:
        await component.connect_to(bot.guild_id, bot.channels[1], VoicekitVoiceConnection)
    except hikari.VoiceError:
        pass
    else:
        raise AssertionError("a guild has one connection")
    await component.disconnect(bot.guild_id)
    await asyncio.wait_for(joined, PATIENCE)
    assert not connection.is_alive
    await _until_out(bot, component)


async def the_component_of_hikari(bot: Any) -> None:
    await _a_call(bot, bot.bot.voice)


async def the_component_of_voicekit(bot: Any) -> None:
    component = VoicekitVoiceComponent(bot.bot)
    await _a_call(bot, component)
    connection = await component.connect_to(bot.guild_id, bot.channels[0])
    await component.disconnect_all()
    assert not connection.is_alive
    await _until_out(bot, component)
    connection = await component.connect_to(bot.guild_id, bot.channels[0])
    await component.close()
    assert not component.is_alive
    assert not connection.is_alive
    await _until_out(bot, component)
    try:
        await component.connect_to(bot.guild_id, bot.channels[0])
    except hikari.ComponentStateConflictError:
        pass
    else:
        raise AssertionError("it is closed")


async def leaving_tells_who_made_the_connection(bot: Any) -> None:
    """`on_close` is called once, and the channel is left."""
    told: list[Any] = []

    class Component(VoicekitVoiceComponent):
        async def _forget(self, connection: Any) -> None:
            told.append(connection)
            await super()._forget(connection)

    component = Component(bot.bot)
    connection = await component.connect_to(bot.guild_id, bot.channels[0])
    await connection.disconnect()
    await connection.disconnect()
    assert told == [connection]
    await _until_out(bot, component)
    await component.close()


async def events_of_others_change_nothing(bot: Any) -> None:
    """`notify` is given what happens to everybody in the guild."""
    component = VoicekitVoiceComponent(bot.bot)
    connection = await component.connect_to(bot.guild_id, bot.channels[0])
    states = bot.bot.cache.get_voice_states_view_for_guild(bot.guild_id)
    (ours,) = [state for user, state in states.items() if user == bot.bot.get_me().id]
    other = ours.__class__(
        **{
            **{name: getattr(ours, name) for name in _slots(ours)},
            "user_id": hikari.Snowflake(1),
            "channel_id": None,
        }
    )
    await connection.notify(
        hikari.VoiceStateUpdateEvent(
            shard=next(iter(bot.bot.shards.values())), state=other, old_state=None
        )
    )
    assert connection.is_alive
    assert connection.channel_id == bot.channels[0]
    await component.close()
    await _until_out(bot, component)


def _slots(state: Any) -> list[str]:
    import attrs

    return [field.name for field in attrs.fields(type(state))]


async def wrong_calls_are_voice_errors(bot: Any) -> None:
    """After the end, from another thread, with ids that are none, before the bot has started."""
    component = VoicekitVoiceComponent(bot.bot)
    connection = await component.connect_to(bot.guild_id, bot.channels[0])

    def use() -> None:
        with raises(hikari.VoiceError, "run_coroutine_threadsafe"):
            _ = connection.voice
        for coroutine in (connection.disconnect(), connection.move_to(bot.channels[1])):
            with raises(hikari.VoiceError, "run_coroutine_threadsafe"):
                asyncio.run(coroutine)

    await asyncio.to_thread(use)
    assert connection.is_alive
    for coroutine in (
        connection.move_to(None),
        connection.move_to("the other one"),
        component.connect_to(None, bot.channels[0]),
        component.connect_to(1, None),
        component.disconnect(None),
    ):
        with raises(hikari.VoiceError, "its id"):
            await coroutine
    with raises(hikari.VoiceError, "no voice connection in that guild"):
        await component.disconnect(1)
    await connection.disconnect()
    for use_voice in (lambda: connection.voice, lambda: connection.player):
        with raises(hikari.VoiceError, "connect"):
            use_voice()
    with raises(hikari.VoiceError, "connect"):
        await connection.move_to(bot.channels[1])
    await asyncio.wait_for(connection.join(), PATIENCE)  # it is over
    await component.close()
    with raises(hikari.ComponentStateConflictError, "closed"):
        await component.close()
    sleeping = hikari.GatewayBot(bot.token, banner=None, logs=None)
    with raises(hikari.ComponentStateConflictError, "has not started"):
        await VoicekitVoiceComponent(sleeping).connect_to(1, 2)
    deaf = hikari.GatewayBot(bot.token, banner=None, logs=None, intents=hikari.Intents.GUILDS)
    with raises(hikari.MissingIntentError, "GUILD_VOICE_STATES"):
        VoicekitVoiceComponent(deaf)
    await _until_out(bot, component)


async def a_call_that_does_not_come_about_leaves_the_channel(bot: Any) -> None:
    """By either component; and one that does not know its bot has to be told."""
    before = len(asyncio.all_tasks())
    for component in (bot.bot.voice, VoicekitVoiceComponent(bot.bot)):
        with raises(hikari.VoiceError, "did not let us in"):
            await component.connect_to(
                bot.guild_id, bot.channels[0], VoicekitVoiceConnection, handshake_timeout=0.0001
            )
        assert dict(component.connections) == {}
        await _until_out(bot, component)
    await component.close()
    async with asyncio.timeout(PATIENCE):
        while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    with raises(hikari.VoiceError, "app=bot"):
        await VoicekitVoiceConnection.initialize(
            channel_id=bot.channels[0],
            endpoint="wss://127.0.0.1:9",
            guild_id=hikari.Snowflake(bot.guild_id),
            on_close=component._forget,
            owner=object(),
            session_id="session",
            shard_id=0,
            token="token",
            user_id=bot.bot.get_me().id,
        )


async def a_move_keeps_what_we_are(bot: Any) -> None:
    """Muted stays muted; the same channel is nothing."""
    component = VoicekitVoiceComponent(bot.bot)
    connection = await component.connect_to(bot.guild_id, bot.channels[0], mute=True)
    await connection.move_to(bot.channels[0])
    await connection.move_to(hikari.Snowflake(bot.channels[1]))
    assert connection.channel_id == bot.channels[1]
    assert connection.voice.connection.is_ready
    ours = bot.state_of_us()
    assert (ours.channel_id, ours.is_self_muted) == (bot.channels[1], True)
    await component.close()
    await _until_out(bot, component)
