"""A call that moves, resumes or is made anew: the player waits, says so, and loses nothing."""

import pytest

from voicekit.config import Config
from voicekit.driver.playing import PlayingCall as Voice
from voicekit.media.player import Continued, Interrupted, PlayerEvent

from ..trio.calls import EARS, MOUTH, SILENCE, account, collect, info
from .libraries import Listening, Network, host_of, lib
from .players import Song, packets


def interruptions(events: list[PlayerEvent]) -> list[PlayerEvent]:
    return [event for event in events if isinstance(event, (Interrupted, Continued))]


def play_through(disturb: str) -> tuple[list[bytes], list[PlayerEvent], Listening]:
    """Play two songs past a disturbance; return what was heard, and what the player said."""
    heard: list[bytes] = []
    story: list[PlayerEvent] = []
    servers: list[Listening] = []
    voices: dict[int, Voice] = {}

    async def use(listening: Listening, network: Network) -> None:
        servers.append(listening)
        listener = Config(receive_only=True)
        async with (
            lib.connect(info(listening.url, EARS), config=listener, network=network) as ears,
            lib.connect(info(listening.url), network=network) as voice,
            lib.open_nursery() as nursery,
        ):
            voices[MOUTH] = voice
            nursery.start_soon(collect, ears.frames(), heard)
            events = voice.player.events()
            await voice.player.play(Song(1, 100))
            voice.player.queue.append(Song(2, 50))
            await lib.sleep(1.01)  # between two frames: none is on its way
            faults, now = listening.server.faults, lib.current_time()
            match disturb:
                case "drop":
                    faults.drop(now, user_id=MOUTH)
                case "resume":
                    faults.close(4015, now, user_id=MOUTH)
                case "move":
                    faults.move(777, now, user_id=MOUTH)
                case "another server":
                    voice.update_voice_server("another token", listening.url)
                case "new session":
                    faults.close(4006, now, user_id=MOUTH)
                    listening.drain()
                    await lib.sleep(1)
                    voice.update_voice_state(None, "old")
                    voice.update_voice_state(200, "new session")
                    voice.update_voice_server("new token", listening.url)
            listening.drain()
            await voice.player.wait_for_stopped()
            await lib.sleep(0.1)
            story.extend(events.take())
            assert voice.frames_played == 150
            assert voice.stats().drops == {}
            nursery.cancel_scope.cancel()
        sessions = [s for s in listening.server.stats() if s.user_id == MOUTH]
        assert sum(s.packets_valid for s in sessions) == 155
        assert all(s.packets_bad == {} for s in sessions)

    lib.in_memory(use, handle_event=host_of(voices))
    return heard, story, servers[0]


@pytest.mark.parametrize("disturb", ["drop", "resume"])
def test_a_resume_does_not_pause_the_audio_and_is_told(disturb: str) -> None:
    heard, story, _ = play_through(disturb)
    assert heard == packets(1, 100) + packets(2, 50) + SILENCE
    told = interruptions(story)
    assert len(told) == 2
    assert isinstance(told[0], Interrupted)
    assert not told[0].is_silent
    assert told[1] == Continued()


@pytest.mark.parametrize("disturb", ["another server", "new session"])
def test_a_new_session_goes_on_with_the_next_frame_and_is_told(disturb: str) -> None:
    heard, story, _ = play_through(disturb)
    assert heard == packets(1, 100) + packets(2, 50) + SILENCE
    told = interruptions(story)
    assert isinstance(told[0], Interrupted)
    assert told[-1] == Continued()
    assert isinstance(told[-2], Interrupted)
    assert told[-2].is_silent
    assert told[-2].why


def test_a_move_to_another_channel_goes_on_there() -> None:
    heard, story, listening = play_through("move")
    assert heard == packets(1, 51), "who stays behind hears no more"
    assert account(listening).channel_id == 777
    told = interruptions(story)
    assert isinstance(told[-2], Interrupted)
    assert told[-2].is_silent
    assert told[-1] == Continued()


@pytest.mark.parametrize("command", ["volume", "seek", "skip", "play", "pause", "stop"])
def test_commands_work_while_nothing_can_be_sent(command: str) -> None:
    async def use(listening: Listening, network: Network) -> None:
        heard: list[bytes] = []
        listener = Config(receive_only=True)
        async with (
            lib.connect(info(listening.url, EARS), config=listener, network=network) as ears,
            lib.connect(info(listening.url), network=network) as voice,
            lib.open_nursery() as nursery,
        ):
            nursery.start_soon(collect, ears.frames(), heard)
            player = voice.player
            await player.play(Song(1, 100))
            player.queue.append(Song(2, 10))
            await lib.sleep(1.01)
            voice.update_voice_server("token", None)  # the server went away
            await lib.sleep(1)
            match command:
                case "volume":
                    player.volume = 0.5
                    player.volume = 1.0
                case "seek":
                    player.seek(1.9)
                case "skip":
                    player.skip()
                case "play":
                    await player.play(Song(3, 5))
                case "pause":
                    player.pause()
                case "stop":
                    player.stop()
                    with lib.fail_after(1):
                        await player.wait_for_stopped()
            await lib.sleep(1)
            assert len(heard) == 51
            voice.update_voice_server("new token", listening.url)
            await lib.sleep(2)
            player.resume()
            await lib.sleep(2)
            assert not player.is_running
            nursery.cancel_scope.cancel()
        spoken = [packet for packet in heard if packet not in SILENCE]
        song = packets(1, 100)
        after = {
            "volume": song[51:] + packets(2, 10),
            "seek": song[51:52] + song[95:] + packets(2, 10),
            "skip": song[51:52] + packets(2, 10),
            "play": song[51:52] + packets(3, 5) + packets(2, 10),
            "pause": song[51:] + packets(2, 10),
            "stop": [],
        }
        assert spoken == song[:51] + after[command]

    lib.in_memory(use)


def test_what_is_played_before_there_is_a_session_waits_for_it() -> None:
    async def use(listening: Listening, network: Network) -> None:
        nowhere = info(listening.url)
        nowhere = type(nowhere)(
            endpoint=None,
            server_id=nowhere.server_id,
            channel_id=nowhere.channel_id,
            user_id=nowhere.user_id,
            session_id=nowhere.session_id,
            token=nowhere.token,
        )
        async with lib.connect(nowhere, network=network, wait_ready=False) as voice:
            player = voice.player
            await player.play(Song(1, 50))
            player.queue.append(Song(2, 5))
            player.volume = 0.5
            player.volume = 1.0
            await lib.sleep(1)
            assert player.is_playing
            assert player.elapsed == 0
            player.stop()
            with lib.fail_after(1):
                await player.wait_for_stopped()
            player.queue.append(Song(3, 5))
            await lib.sleep(1)
            voice.update_voice_server("token", listening.url)
            await player.wait_for_stopped()
            assert voice.frames_played == 5
        assert account(listening).packets_valid == 10

    lib.in_memory(use)


def test_what_was_paused_before_a_move_stays_paused() -> None:
    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            player = voice.player
            await player.play(Song(1, 100))
            await lib.sleep(1.01)
            player.pause()
            await lib.sleep(0.5)
            sent = voice.frames_played
            voice.update_voice_server("another token", listening.url)
            await lib.sleep(2)
            assert voice.connection.is_ready
            assert player.is_paused
            assert voice.frames_played == sent
            player.resume()
            await player.wait_for_stopped()
            assert voice.frames_played == 100

    lib.in_memory(use)
