"""What users of interactions.py rely on in a voice state, checked in the bot's process.

Each check is given a bot that sits in General, where somebody talks, and raises what is not so.
"""

import array
import asyncio
import copy
import io
import os
import tempfile
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import interactions
from console import PATIENCE, raises, tone, until
from interactions.api.voice.audio import Audio, AudioVolume, BaseAudio
from interactions.client.errors import (
    LibraryException,
    VoiceAlreadyConnected,
    VoiceConnectionTimeout,
    VoiceNotConnected,
    VoiceWebSocketClosed,
)

from voicekit.adapters.host_errors import raising
from voicekit.adapters.interactions import VoicekitRecorder, VoicekitVoiceState, install
from voicekit.adapters.interactions.errors import ERRORS
from voicekit.errors import EncryptionRequired
from voicekit.media import open_sample


class _Tone(BaseAudio):
    """Samples of 440 Hz, as an audio object of somebody's own."""

    locked_stream = False
    needs_encode = True
    audio_complete = True

    def __init__(self, frames: int) -> None:
        self.left = frames
        self.cleaned = 0

    def read(self, frame_size: int) -> bytes:
        if not self.left:
            return b""
        self.left -= 1
        return tone(1)[:frame_size]

    def cleanup(self) -> None:
        self.cleaned += 1


@contextmanager
def _wave_file(frames: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tone.wav")
        with wave.open(path, "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(48000)
            file.writeframes(tone(frames))
        yield path


# -- playing ---------------------------------------------------------------------------------------


async def play_waits_for_the_end(bot: Any) -> None:
    state, audio = bot.voice, _Tone(10)
    assert (state.stopped, state.playing, state.paused) == (True, False, False)
    assert state.current_audio is None
    await state.wait_for_stopped()  # nothing plays
    await state.stop()
    assert await state.play(audio) is None
    assert audio.left == 0
    assert (state.stopped, state.playing) == (True, False)
    await until(lambda: audio.cleaned > 0, "cleaned up")
    assert 0.18 <= state.player.elapsed_time <= 0.22, state.player.elapsed_time


async def play_no_wait_gives_a_task(bot: Any) -> None:
    state, audio = bot.voice, _Tone(500)
    task = state.play_no_wait(audio)
    assert isinstance(task, asyncio.Task)
    await until(lambda: state.playing and audio.left < 490, "playing")
    assert state.current_audio is audio
    state.pause()
    assert (state.paused, state.playing, state.stopped) == (True, False, False)
    left = audio.left
    await asyncio.sleep(0.2)
    assert left - audio.left <= 3  # it is asked when a frame is due, and no sooner
    state.resume()
    assert (state.paused, state.playing) == (False, True)
    await until(lambda: audio.left < left - 5, "going on")
    await state.stop()
    assert state.stopped
    assert state.player.stopped
    await asyncio.wait_for(task, PATIENCE)


async def play_stops_what_played(bot: Any) -> None:
    state, first, second = bot.voice, _Tone(500), _Tone(10)
    task = state.play_no_wait(first)
    await until(lambda: first.left < 490, "playing")
    await state.play(second)
    await asyncio.wait_for(task, PATIENCE)
    assert first.left > 400
    assert second.left == 0


async def the_volume_is_forwarded(bot: Any) -> None:
    state = bot.voice
    state.volume = 0.5
    with _wave_file(250) as path:
        audio = AudioVolume(path)
        audio.volume = 1.5
        task = state.play_no_wait(audio)
        await until(lambda: state.playing and state.player.elapsed_time > 0, "playing")
        assert state.volume == audio.volume == 0.5  # the state's goes first
        assert state.ws.player.current_audio.gain == 0.5
        state.volume = 0.25
        assert audio.volume == 0.25
        assert state.ws.player.current_audio.gain == 0.25
        audio.volume = 2.0  # past the state
        assert state.ws.player.current_audio.gain == 2.0
        with raises(ValueError, "negative"):
            state.volume = -0.1
        assert state.volume == 0.25
        await state.stop()
        await task
        plain = Audio(path)
        task = state.play_no_wait(plain)
        await until(lambda: state.playing and state.player.elapsed_time > 0, "playing")
        assert state.ws.player.current_audio.gain == 1.0  # it has no volume
        await state.stop()
        await task
    state.volume = 0.5


async def files_and_sources_of_voicekit_play_too(bot: Any) -> None:
    state = bot.voice
    with _wave_file(5) as path:
        await state.play(path)
        source = open_sample()
        task = state.play_no_wait(source)
        await until(lambda: state.playing and state.player.elapsed_time > 0, "playing")
        assert source.volume == state.volume
        await state.stop()
        await task
        assert not source.closed  # it belongs to whoever opened it
        source.close()


async def what_can_not_be_played_is_told(bot: Any) -> None:
    state, failing = bot.voice, _Tone(10)
    with raises(LibraryException, "no such.mp3"):
        await state.play(AudioVolume("no such.mp3"))
    assert state.stopped
    failing.read = _raise_io  # type: ignore[method-assign]
    with raises(LibraryException, "broke off"):
        await state.play(failing)
    await state.play(_Tone(2))


def _raise_io(frame_size: int) -> bytes:
    raise ConnectionResetError("the stream broke off")


async def a_locked_stream_goes_on_in_silence(bot: Any) -> None:
    state, audio = bot.voice, _Tone(5)
    audio.locked_stream = True
    task = state.play_no_wait(audio)
    await until(lambda: audio.left == 0 and state.player.elapsed_time > 0.3, "going on")
    assert state.playing
    await state.stop()
    await task


async def a_file_that_is_locked_goes_on_in_silence_too(bot: Any) -> None:
    state = bot.voice
    with _wave_file(5) as path:
        audio = AudioVolume(path)
        audio.locked_stream = True
        task = state.play_no_wait(audio)
        await until(lambda: state.playing and state.player.elapsed_time > 0.3, "going on")
        await state.stop()
        await task


@contextmanager
def _ffmpeg() -> Iterator[None]:
    """Put a program on the path that writes a second of samples, whatever it is asked."""
    before = os.environ["PATH"]
    with tempfile.TemporaryDirectory() as folder:
        samples, program = os.path.join(folder, "samples"), os.path.join(folder, "ffmpeg")
        with open(samples, "wb") as file:
            file.write(tone(50))
        with open(program, "w") as script:
            script.write(f"#!/bin/sh\ncat '{samples}'\nsleep 1\n")
        os.chmod(program, 0o755)
        os.environ["PATH"] = folder + os.pathsep + before
        try:
            yield
        finally:
            os.environ["PATH"] = before


async def wishes_for_ffmpeg_are_its_business(bot: Any) -> None:
    """Its samples are played when they are due, as loud as the state says, once."""
    state = bot.voice
    with _ffmpeg():
        audio = AudioVolume("anything")
        audio.ffmpeg_before_args = "-ss 1"
        task = state.play_no_wait(audio)
        await until(lambda: state.playing and state.player.elapsed_time > 0.2, "playing")
        source = state.ws.player.current_audio
        assert source.live
        assert source.gain == state.volume == 0.5
        assert max(array.array("h", source.next_pcm())) == 8000  # before the volume
        await state.stop()
        await task
        await until(lambda: audio.process.poll() is not None, "ended")


# -- recording -------------------------------------------------------------------------------------


async def record_in_memory(bot: Any) -> None:
    state = bot.voice
    with raises(RuntimeError, "No recorder is running"):
        await state.stop_recording()
    assert state.recordings == {}
    recorder = state.create_recorder()
    assert isinstance(recorder, VoicekitRecorder)
    assert state.recorder is recorder is state.create_recorder()
    assert await state.start_recording("WAV") is recorder
    assert recorder.recording
    with raises(RuntimeError, "still in progress"):
        await state.start_recording()
    await asyncio.sleep(0.5)
    assert recorder.elapsed_time > 0.4
    assert state.recordings == {}  # not before the end
    recorded = await state.stop_recording()
    assert recorded == state.recordings
    ((user, file),) = recorded.items()
    assert isinstance(user, int)
    assert isinstance(file, io.BytesIO)
    with wave.open(file) as wav:
        assert (wav.getnchannels(), wav.getframerate()) == (2, 48000)
        assert wav.getnframes() > 0.2 * 48000
    assert await state.start_recording() is not recorder  # used: a new one
    await asyncio.sleep(0.2)
    ((_, file),) = (await state.stop_recording()).items()
    assert len(file.getvalue()) > 500  # mp3, as ever


async def record_into_a_folder(bot: Any) -> None:
    state = bot.voice
    with tempfile.TemporaryDirectory() as folder:
        for encoding in ("flac", "mka", "mp3", "ogg", "pcm", "wav"):
            await state.start_recording(encoding, output_dir=folder)
            await asyncio.sleep(0.15)
            ((user, path),) = (await state.stop_recording()).items()
            assert path == os.path.join(folder, f"{state.channel.id}_{user}.{encoding}")
            assert _size_of(path) > 500
        with raises(ValueError, "directory"):
            await state.start_recording("ogg", output_dir=os.path.join(folder, "nowhere"))
    with raises(ValueError, "supported encoding"):
        await state.start_recording("aiff")


def _size_of(path: str) -> int:
    return os.path.getsize(path)


async def a_recorder_of_ones_own(bot: Any) -> None:
    state = bot.voice
    recorder = VoicekitRecorder(state)
    recorder.encoding = "ogg"
    async with recorder:
        await recorder.start_recording(1)  # somebody who is not here
        await asyncio.sleep(0.2)
    assert recorder.output == {}
    with raises(RuntimeError, "reuse"):
        await recorder.start_recording()
    recorder = VoicekitRecorder(state)
    await recorder.start_recording(1)
    recorder.filter()  # everybody, after all
    await asyncio.sleep(0.3)
    await recorder.stop_recording()
    assert len(recorder.output) == 1


# -- the connection --------------------------------------------------------------------------------


async def what_is_known(bot: Any) -> None:
    state = bot.voice
    assert isinstance(state, interactions.ActiveVoiceState)
    assert state.connected
    assert state.channel.name == "General"
    assert state.guild.id == bot.guild_id
    assert state.gateway is bot.client.get_guild_websocket(bot.guild_id)
    assert bot.client.get_bot_voice_state(bot.guild_id) is state
    assert state.channel.voice_state is state
    assert state.volume == 0.5
    assert state.ws.connection.is_ready
    await state.ws_connect()
    assert "volume=0.5" in repr(state)
    copied = copy.copy(state)  # as the library makes them of what it tells the past of
    assert copied.connected
    del copied
    assert state.connected


async def moves(bot: Any) -> None:
    state = bot.voice
    general, music = bot.channel("General"), bot.channel("Music")
    session = state.session_id, state.ws.connection.ssrc
    await state.move(general)  # nothing, where we are already
    assert (state.session_id, state.ws.connection.ssrc) == session
    audio = _Tone(500)
    task = state.play_no_wait(audio)
    await until(lambda: state.playing, "playing")
    await state.move(music)
    assert state.channel.name == "Music"
    assert state.playing
    state.pause()
    await state.move(general.id)
    assert state.channel.name == "General"
    assert state.paused  # as it was
    await state.stop()
    await task
    await general.connect()  # moves, where there is a voice state: to where it is
    assert state.connected


async def a_move_to_a_full_channel_ends_the_call(bot: Any) -> None:
    state = bot.voice
    with raises(VoiceConnectionTimeout, "full"):
        await state.move(bot.channel("Full"), timeout=0.3)
    assert not state.connected
    assert bot.client.get_bot_voice_state(bot.guild_id) is None
    bot.voice = await bot.channel("General").connect()


async def a_second_connect(bot: Any) -> None:
    with raises(VoiceAlreadyConnected, "move"):
        await bot.voice.connect()
    another = VoicekitVoiceState(
        client=bot.client, guild_id=bot.guild_id, channel_id=bot.channel("Music").id
    )
    with raises(VoiceAlreadyConnected, "move"):
        await another.connect()
    assert bot.voice.connected


async def a_full_channel_is_a_timeout(bot: Any) -> None:
    await bot.voice.disconnect()
    state = VoicekitVoiceState(
        client=bot.client, guild_id=bot.guild_id, channel_id=bot.channel("Full").id
    )
    with raises(VoiceConnectionTimeout, "permission"):
        await state.connect(timeout=0.3)
    assert not state.connected
    bot.voice = await bot.channel("General").connect()


async def without_the_intent_it_says_so(bot: Any) -> None:
    await bot.voice.disconnect()
    intents, bot.client.intents = bot.client.intents, interactions.Intents.GUILDS
    try:
        with raises(RuntimeError, "GUILD_VOICE_STATES"):
            await bot.channel("General").connect()
    finally:
        bot.client.intents = intents
    bot.voice = await bot.channel("General").connect()


async def nothing_works_after_the_end(bot: Any) -> None:
    state = bot.voice
    await state.disconnect()
    await state.disconnect()  # idempotent
    assert not state.connected
    assert state.ws is None
    assert bot.client.get_bot_voice_state(bot.guild_id) is None
    for coroutine in (
        state.play(_Tone(1)),
        state.play_no_wait(_Tone(1)),
        state.move(bot.channel("Music")),
        state.ws_connect(),
        state.start_recording(),
    ):
        with raises(VoiceNotConnected, "connect"):
            await coroutine
    for call in (state.pause, state.resume):
        with raises(VoiceNotConnected, "connect"):
            call()
    await state._voice_server_update({"guild_id": "1", "token": "t", "endpoint": None})
    bot.voice = await bot.channel("General").connect(muted=True)
    assert bot.voice is not state
    assert bot.voice.self_mute
    assert state is not bot.client.get_bot_voice_state(bot.guild_id)


async def ids_that_are_none(bot: Any) -> None:
    with raises(TypeError, "snowflake"):
        await bot.voice.move(None)
    with raises(LibraryException, "guild_id is None"):
        state = VoicekitVoiceState(client=bot.client, guild_id=None, channel_id=1)
        await state.connect()
    assert bot.voice.connected


async def other_threads_are_told(bot: Any) -> None:
    state = bot.voice

    def use() -> None:
        for call in (state.pause, state.resume):
            with raises(LibraryException, "run_coroutine_threadsafe"):
                call()
        with raises(LibraryException, "run_coroutine_threadsafe"):
            asyncio.run(state.disconnect())

    await asyncio.to_thread(use)
    assert state.connected


async def the_librarys_hooks_may_be_called(bot: Any) -> None:
    """As the library's event processors do: with copies, and for a leave with None."""
    state = bot.voice
    await copy.copy(state)._voice_server_update(
        {
            "guild_id": str(bot.guild_id),
            "token": state._stay.token,
            "endpoint": state._stay.endpoint,
        }
    )
    assert state.connected
    await copy.copy(state)._voice_state_update(state, None, None)
    assert not state.connected
    bot.voice = state = await bot.channel("General").connect()
    await state._close_connection()
    assert not state.connected
    bot.voice = await bot.channel("General").connect()


async def install_is_for_once(bot: Any) -> None:
    connect = bot.client.connect_to_vc
    install(bot.client)
    assert bot.client.connect_to_vc == connect


async def a_close_code_is_told(bot: Any) -> None:
    with raises(VoiceWebSocketClosed, "DAVE") as told, raising(ERRORS):
        raise EncryptionRequired("this call admits only clients that speak DAVE", 4017)
    assert told[0].code == 4017
    assert isinstance(told[0].__cause__, EncryptionRequired)
