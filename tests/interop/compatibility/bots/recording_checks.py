"""Recording with a voice client: py-cord's sinks, and voicekit's own everywhere.

Each check is given a bot that sits in General, where somebody says a tone all the time.
"""

import asyncio
import io
import threading
import wave
from typing import Any

from console import PATIENCE, raises, until

#: A second of it: a quarter of full scale, 48 kHz, stereo, int16.
SECOND = 48000 * 4


class Called:
    """A callback, and what it was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.threads: list[threading.Thread] = []

    def __call__(self, *args: Any) -> None:
        self.calls.append(args)
        self.threads.append(threading.current_thread())

    async def wait(self) -> tuple[Any, ...]:
        await until(lambda: bool(self.calls), "called back")
        assert len(self.calls) == 1
        assert self.threads == [threading.main_thread()]
        return self.calls[0]


async def record_with_voicekit(bot: Any) -> None:
    """In any library: a format by name, the files in memory, the tracks to the callback."""
    called, voice = Called(), bot.voice
    assert voice.start_recording("wav", called, "hello") is None
    assert voice.recording
    assert voice.is_recording()
    with raises(voice.library.already_recording, "stop it first"):
        voice.start_recording("wav")
    await asyncio.sleep(0.4)
    voice.toggle_pause()
    assert voice.paused
    voice.toggle_pause()
    assert not voice.paused
    assert voice.stop_recording() is None
    assert not voice.recording
    with raises(voice.library.not_recording, "start_recording first"):
        voice.stop_recording()
    with raises(voice.library.not_recording, "start_recording first"):
        voice.toggle_pause()
    tracks, hello = await called.wait()
    assert hello == "hello"
    (track,) = tracks
    with wave.open(io.BytesIO(voice.voice.recordings[track.user_id].getvalue())) as file:
        assert file.getnframes() > 48000 * 0.2


async def one_recording_follows_another(bot: Any) -> None:
    first, second, voice = Called(), Called(), bot.voice
    voice.start_recording("ogg", first)
    voice.stop_recording()
    voice.start_recording("wav", second)
    await first.wait()
    assert voice.recording
    voice.stop_recording()
    await second.wait()
    assert not voice.recording


async def nothing_to_record_into(bot: Any) -> None:
    for sink in (None, "vinyl", 5, ["wav"]):
        with raises(bot.voice.library.no_sink, "function"):
            bot.voice.start_recording(sink)
    assert not bot.voice.recording


async def disconnecting_ends_the_recording(bot: Any) -> None:
    called = Called()
    bot.voice.start_recording("ogg", called)
    await asyncio.sleep(0.2)
    await bot.voice.disconnect()
    assert await called.wait()
    assert not bot.voice.recording


# -- py-cord's sinks -------------------------------------------------------------------------------


async def record_a_wave_sink(bot: Any) -> None:
    from discord import sinks

    done: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

    async def callback(*args: Any) -> None:
        done.set_result(args)

    sink = sinks.WaveSink()
    bot.voice.start_recording(sink, callback, "channel", sync_start=True)
    await asyncio.sleep(0.4)
    bot.voice.stop_recording()
    assert await asyncio.wait_for(done, PATIENCE) == (sink, "channel")
    ((user, audio),) = sink.audio_data.items()
    assert isinstance(user, int)
    with wave.open(audio.file) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 48000)
    samples = audio.file.getvalue()[44:]  # py-cord's own header says that there are none
    assert 0.2 < len(samples) / SECOND < 1, len(samples)
    level = max(memoryview(samples).cast("h")) / 32768
    assert 0.2 < level < 0.3, level


async def record_with_a_callback_of_2_8(bot: Any) -> None:
    from discord import sinks

    called = Called()
    bot.voice.start_listening(sinks.PCMSink(), called)
    await asyncio.sleep(0.1)
    bot.voice.stop_listening()
    assert await called.wait() == (None,)


async def sinks_have_their_filters(bot: Any) -> None:
    from discord import sinks

    called = Called()
    sink = sinks.PCMSink(filters={"time": 0.2, "users": [1], "max_size": 0})
    bot.voice.start_recording(sink, called, "stopped by its timer, in a thread of its own")
    assert sink.vc is bot.voice
    assert (await called.wait())[0] is sink
    assert sink.audio_data == {}


async def a_sink_that_raises_is_told(bot: Any) -> None:
    from discord import sinks

    class Full(sinks.Sink):
        def write(self, data: bytes, user: int) -> None:
            raise OSError("no space left on device")

        def format_audio(self, audio: Any) -> None:
            pass

    called = Called()
    bot.voice.start_recording(Full(), called)
    await asyncio.sleep(0.4)
    bot.voice.stop_recording()
    (error,) = await called.wait()
    assert "no space left" in str(error)
    assert bot.voice.is_connected()


async def recording_errors_of_old_and_new(bot: Any) -> None:
    """py-cord has raised other types before 2.7: both are what is raised here."""
    import discord
    from discord import sinks
    from discord.sinks.errors import RecordingException

    voice = bot.voice
    for kind in (RecordingException, TypeError):
        with raises(kind, "Sink"):
            voice.start_recording("no sink")
    voice.start_recording(sinks.PCMSink())
    for kind in (RecordingException, discord.ClientException):
        with raises(kind, "stop it first"):
            voice.start_recording(sinks.PCMSink())
    voice.stop_recording()
    with raises(RecordingException, "start_recording"):
        voice.stop_recording()
    await voice.disconnect()
    with raises(RecordingException, "connect"):
        voice.start_recording(sinks.PCMSink())
