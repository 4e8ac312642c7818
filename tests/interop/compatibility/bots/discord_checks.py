"""What users of discord.py and its forks rely on in a voice client, checked in the bot's process.

Each check is given a bot that sits in General, and raises what is not so.
"""

import asyncio
import datetime
import math
import threading
from typing import Any

from console import PATIENCE, packet, raises, tone, until

from voicekit.media import open_opus_provider


def make_source(bot: Any, frames: list[bytes], opus: bool = True) -> Any:
    """A source of the library's own that notes whether it was cleaned up."""

    class Source(bot.library.AudioSource):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.left = list(frames)
            self.cleaned = threading.Event()

        def is_opus(self) -> bool:
            return opus

        def read(self) -> bytes:
            return self.left.pop(0) if self.left else b""

        def cleanup(self) -> None:
            self.cleaned.set()

    return Source()


def packets(count: int) -> list[bytes]:
    return [packet(n) for n in range(count)]


# -- playing ---------------------------------------------------------------------------------------


async def play_pause_stop(bot: Any) -> None:
    voice, errors = bot.voice, []
    assert not voice.is_playing()
    assert not voice.is_paused()
    assert voice.source is None
    assert voice.elapsed() == datetime.timedelta()
    voice.pause()  # nothing plays: nothing happens
    voice.resume()
    voice.stop()
    source = make_source(bot, packets(500))
    called = threading.Event()

    def after(error: Exception | None) -> None:
        errors.append((error, threading.current_thread()))
        called.set()

    assert voice.play(source, after=after) is None
    assert voice.is_playing()
    assert voice.source is source
    await until(lambda: voice.elapsed() > datetime.timedelta(milliseconds=100), "playing")
    voice.pause()
    assert voice.is_paused()
    assert not voice.is_playing()
    paused_at = voice.elapsed()
    await asyncio.sleep(0.15)
    assert voice.elapsed() - paused_at <= datetime.timedelta(milliseconds=20)
    voice.resume()
    assert voice.is_playing()
    await until(lambda: voice.elapsed() > paused_at, "going on")
    voice.stop()
    assert not voice.is_playing()
    await until(source.cleaned.is_set, "cleaned up")
    ((error, thread),) = errors
    assert error is None
    assert thread is not threading.main_thread()
    assert voice.source is None


async def play_in_wrong_states(bot: Any) -> None:
    voice, client_exception = bot.voice, bot.library.ClientException
    source = make_source(bot, packets(500))
    with raises(TypeError, "AudioSource"):
        voice.play("song.mp3")
    with raises(TypeError, "function"):
        voice.play(source, after="stop")
    with raises(TypeError, "AudioSource"):
        voice.source = "song.mp3"
    with raises(ValueError, "call play"):
        voice.source = source
    samples = make_source(bot, [tone(1)], opus=False)
    with raises(ValueError, "bitrate"):
        voice.play(samples, bitrate=1000)
    with raises(ValueError, "expected_packet_loss"):
        voice.play(samples, expected_packet_loss=2)
    with raises(ValueError, "application"):
        voice.play(samples, application="music")
    with raises(KeyError, "bandwidth"):
        voice.play(samples, bandwidth="all")
    with raises(KeyError, "signal_type"):
        voice.play(samples, signal_type="noise")
    voice.play(source)
    with raises(client_exception, "stop it first"):
        voice.play(make_source(bot, packets(1)))
    with raises(client_exception, "stop it first"):
        voice.send_audio_packet(packet(0), encode=False)
    voice.pause()
    voice.play(make_source(bot, packets(500)))  # what is paused makes room, as in the library
    await until(source.cleaned.is_set, "cleaned up")
    voice.stop()


async def wait_finish(bot: Any) -> None:
    done = bot.voice.play(make_source(bot, packets(5)), wait_finish=True)
    assert await asyncio.wait_for(done, PATIENCE) is None
    failing = make_source(bot, packets(5))
    failing.read = _raise_io
    done = bot.voice.play(failing, wait_finish=True)
    assert isinstance(await asyncio.wait_for(done, PATIENCE), ConnectionResetError)


def _raise_io() -> bytes:
    raise ConnectionResetError("the stream broke off")


async def a_source_of_voicekit_plays(bot: Any) -> None:
    left = packets(5)
    closed = threading.Event()
    source = open_opus_provider(lambda: left.pop(0) if left else None, close=closed.set)
    done = bot.voice.play(source, wait_finish=True)
    assert bot.voice.source is source
    assert await asyncio.wait_for(done, PATIENCE) is None
    assert closed.is_set()


async def after_is_told_what_the_source_raised(bot: Any) -> None:
    errors: list[Exception | None] = []
    source = make_source(bot, [])
    source.read = _raise_io
    bot.voice.play(source, after=errors.append)
    await until(source.cleaned.is_set, "cleaned up")
    assert [type(error) for error in errors] == [ConnectionResetError]


async def after_may_wait_for_the_loop_and_play_on(bot: Any) -> None:
    """As the libraries' own documentation has it: coroutines are waited for in that thread."""
    loop, voice, played = asyncio.get_running_loop(), bot.voice, []

    async def coroutine() -> str:
        await asyncio.sleep(0.01)
        return "done"

    def after(error: Exception | None) -> None:
        played.append(asyncio.run_coroutine_threadsafe(coroutine(), loop).result(PATIENCE))
        if len(played) < 3:
            voice.play(make_source(bot, packets(5)), after=after)

    voice.play(make_source(bot, packets(5)), after=after)
    await until(lambda: len(played) == 3, "played three times")


async def after_that_raises_harms_nobody(bot: Any) -> None:
    source = make_source(bot, packets(5))
    bot.voice.play(source, after=lambda error: 1 / 0)
    await until(source.cleaned.is_set, "cleaned up")
    await wait_finish(bot)


async def coroutine_after(bot: Any) -> None:
    """nextcord takes coroutine functions."""
    called = asyncio.Event()

    async def after(error: Exception | None) -> None:
        called.set()

    bot.voice.play(make_source(bot, packets(5)), after=after)
    await asyncio.wait_for(called.wait(), PATIENCE)


async def samples_need_libopus(bot: Any) -> None:
    """Where there is none; what is Opus already does not need it."""
    samples = make_source(bot, [tone(1)], opus=False)
    with raises(bot.library.opus.OpusNotLoaded, "VOICEKIT_OPUS_LIBRARY"):
        bot.voice.play(samples)
    with raises(bot.library.opus.OpusNotLoaded, "VOICEKIT_OPUS_LIBRARY"):
        bot.voice.send_audio_packet(tone(1))
    await wait_finish(bot)


async def latency_is_known(bot: Any) -> None:
    await until(lambda: bot.voice.latency < 1, "measured")
    assert 0 < bot.voice.average_latency < 1


async def source_may_be_exchanged(bot: Any) -> None:
    first, second = make_source(bot, packets(500)), make_source(bot, packets(10))
    done = bot.voice.play(first, wait_finish=True)
    await until(lambda: bot.voice.elapsed() > datetime.timedelta(), "playing")
    bot.voice.source = second
    assert bot.voice.source is second
    assert await asyncio.wait_for(done, PATIENCE) is None
    assert second.cleaned.is_set()
    assert len(first.left) > 400


async def other_threads_may_call(bot: Any) -> None:
    def use() -> None:
        voice = bot.voice
        voice.play(make_source(bot, packets(100)))
        assert voice.is_playing()
        voice.pause()
        assert voice.is_paused()
        voice.resume()
        voice.stop()
        assert not voice.is_playing()
        voice.send_audio_packet(packet(0), encode=False)
        with raises(TypeError, "AudioSource"):
            voice.play(None)

    await asyncio.to_thread(use)


async def coroutines_belong_to_the_loop(bot: Any) -> None:
    def use() -> None:
        for coroutine in (
            bot.voice.disconnect(),
            bot.voice.move_to(bot.voice.channel.guild.voice_channels[0]),
            bot.voice.connect(timeout=1, reconnect=False),
        ):
            with raises(bot.library.ClientException, "run_coroutine_threadsafe"):
                asyncio.run(coroutine)

    await asyncio.to_thread(use)
    assert bot.voice.is_connected()


async def packets_by_hand(bot: Any) -> None:
    assert bot.voice.send_audio_packet(packet(0), encode=False) is None
    bot.voice.send_audio_packet(tone(1))
    with raises(bot.library.opus.OpusError, "3840"):
        bot.voice.send_audio_packet(b"\0" * 100)


# -- the connection --------------------------------------------------------------------------------


async def what_is_known(bot: Any) -> None:
    voice, guild = bot.voice, bot.client.guilds[0]
    assert isinstance(voice, bot.library.VoiceProtocol)
    assert guild.voice_client is voice
    assert bot.client.voice_clients == [voice]
    assert voice.guild is guild
    assert voice.channel.name == "General"
    assert voice.user.id == bot.client.user.id
    assert voice.loop is asyncio.get_running_loop()
    assert voice.client is bot.client
    assert voice.endpoint.startswith("ws://127.0.0.1:")
    assert voice.session_id
    assert voice.token
    assert voice.token not in repr(voice.voice)
    assert voice.latency == voice.average_latency == math.inf  # the first heartbeat is to come
    assert len(voice.voice_privacy_code) == 30
    assert voice.ssrc
    assert voice.mode.startswith("aead_")
    assert not voice.recording


async def second_connect(bot: Any) -> None:
    client_exception, channel = bot.library.ClientException, bot.voice.channel
    with raises(client_exception, "lready connected"):
        await channel.connect(cls=bot.voice_client)
    with raises(client_exception, "move_to"):
        await bot.voice.connect(timeout=5, reconnect=True)
    assert bot.voice.is_connected()


async def nothing_works_after_the_end(bot: Any) -> None:
    voice, library = bot.voice, bot.library
    await voice.disconnect()
    await voice.disconnect(force=True)  # idempotent
    assert not voice.is_connected()
    assert bot.client.voice_clients == []
    assert not voice.is_playing()
    assert voice.elapsed() == datetime.timedelta()
    voice.stop()
    with raises(library.ClientException, "channel.connect"):
        voice.play(make_source(bot, packets(5)))
    with raises(library.ClientException, "channel.connect"):
        voice.send_audio_packet(packet(0), encode=False)
    with raises(library.ClientException, "connect"):
        await voice.move_to(voice.guild.voice_channels[0])
    with raises(library.ClientException, "channel.connect"):
        await voice.connect(timeout=5, reconnect=True)
    with raises(voice.library.recording_not_connected, "connect"):
        voice.start_recording("ogg")


async def ids_that_are_none(bot: Any) -> None:
    """A channel without a guild, one without an id, a client that is not logged in."""

    class Thing:
        id = None
        guild = None

        def _get_voice_client_key(self) -> tuple[int, str]:  # what the library's channels have
            return 0, "nothing"

    client_exception = bot.library.ClientException
    channel: Any = Thing()
    with raises(client_exception, "guilds"):
        await _bare(bot, bot.client, channel)
    channel.guild = bot.client.guilds[0]
    with raises(client_exception, "None"):
        await _bare(bot, bot.client, channel)
    with raises(client_exception, "None"):
        await bot.voice.move_to(channel)
    with raises(client_exception, "None"):
        await bot.voice.move_to("Music")
    nobody: Any = Thing()
    nobody.loop, nobody.user, nobody._connection = bot.client.loop, None, bot.client._connection
    with raises(client_exception, "logged in"):
        await _bare(bot, nobody, bot.voice.channel)


async def _bare(bot: Any, client: Any, channel: Any) -> None:
    await bot.voice_client(client, channel).connect(timeout=1, reconnect=False)


async def moves(bot: Any) -> None:
    voice, guild = bot.voice, bot.client.guilds[0]
    general = voice.channel
    (music,) = [channel for channel in guild.voice_channels if channel.name == "Music"]
    done = voice.play(make_source(bot, packets(50)), wait_finish=True)
    await voice.move_to(general)  # where it is
    await voice.move_to(music)
    await until(lambda: voice.channel == music and voice.is_connected(), "moved")
    assert await asyncio.wait_for(done, PATIENCE) is None
    full = await _full_channel(bot)
    if voice.library.waits_for_move:
        with raises(asyncio.TimeoutError, ""):
            await voice.move_to(full, timeout=0.1)
    assert voice.channel == music
    await voice.move_to(None)
    assert not voice.is_connected()
    assert guild.voice_client is None


async def _full_channel(bot: Any) -> Any:
    guild = bot.client.guilds[0]
    await until(lambda: any(one.name == "Full" for one in guild.voice_channels), "a channel")
    return next(one for one in guild.voice_channels if one.name == "Full")


async def what_does_not_connect_leaves_nothing(bot: Any) -> None:
    guild = bot.client.guilds[0]
    await bot.voice.disconnect()
    full = await _full_channel(bot)
    with raises(asyncio.TimeoutError, ""):
        await asyncio.wait_for(full.connect(cls=bot.voice_client), 0.1)
    assert guild.voice_client is None
    with raises(ValueError, "above 0"):
        await full.connect(cls=bot.voice_client, timeout=-1)
    assert guild.voice_client is None
    with raises(asyncio.TimeoutError, "full"):
        await full.connect(cls=bot.voice_client, timeout=0.1)
    assert guild.voice_client is None
