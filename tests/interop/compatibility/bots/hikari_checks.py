"""What hikari's two voice interfaces promise, checked in the bot's process.

Each check is given a bot that is logged in and in no channel, and raises what is not so.
"""

import asyncio
from typing import Any

import hikari

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
