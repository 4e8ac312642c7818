"""`Voice.player`: commands while it plays. Nothing is repeated or dropped: packets have names."""

import logging
import threading

import pytest

from voicekit.driver.playing import PlayingCall as Voice
from voicekit.errors import CallClosed, EncryptionRequired, LocalProtocolError, PlaybackError
from voicekit.media.player import (
    CallbackFailed,
    EndReason,
    Paused,
    QueueEnded,
    Resumed,
    SourceFailed,
    TrackEnded,
    TrackStarted,
)

from ..trio.calls import SILENCE, Packets, account, info
from .libraries import Listening, Network, lib
from .players import Song, in_call, kinds, packets


def test_play_returns_at_once_and_wait_finish_at_the_end() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        began = lib.current_time()
        await player.play(Song(1, 50))
        assert lib.current_time() == began
        assert player.is_playing
        await player.wait_for_stopped()
        assert lib.current_time() - began == pytest.approx(1.1, abs=0.03)
        assert not player.is_playing
        await player.play(Song(2, 50), wait_finish=True)
        assert lib.current_time() - began == pytest.approx(2.2, abs=0.05)
        assert player.current_audio is None
        assert not voice.connection.lent

    assert in_call(use) == packets(1, 50) + packets(2, 50)


def test_stop_is_heard_within_a_frame_and_forgets_the_queue() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        await player.play(Song(1, 500))
        player.queue.append(Song(2, 10))
        await lib.sleep(1.0)
        sent = voice.frames_played
        player.stop()
        player.stop()
        assert not player.is_playing
        assert player.current_audio is None
        assert len(player.queue) == 0
        await player.wait_for_stopped()
        assert voice.frames_played <= sent + 1
        await lib.sleep(0.01)
        assert heard[-5:] == SILENCE
        await player.play(Song(3, 5))

    spoken = in_call(use)
    assert spoken == packets(1, len(spoken) - 5) + packets(3, 5)


def test_pause_freezes_and_resume_goes_on_with_the_next_frame() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        events = player.events()
        await player.play(Song(1, 100))
        await lib.sleep(1.0)
        player.pause()
        player.pause()
        assert player.is_paused
        assert not player.is_playing
        await lib.sleep(1)
        before = player.elapsed, player.position, voice.frames_played
        await lib.sleep(10)
        assert (player.elapsed, player.position, voice.frames_played) == before
        assert player.elapsed == pytest.approx(1.0, abs=0.04)
        player.resume()
        player.resume()
        assert player.is_playing
        await player.wait_for_stopped()
        assert kinds(events.take()) == [
            "TrackStarted",
            "Paused",
            "Resumed",
            "TrackEnded",
            "QueueEnded",
        ]

    assert in_call(use) == packets(1, 100)


def test_elapsed_counts_what_was_sent_and_position_says_where_it_is() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        assert (player.elapsed, player.position) == (0, 0)
        song = Song(1, 500)
        await player.play(song)
        await lib.sleep(2.01)
        assert player.current_audio is song
        assert player.elapsed == pytest.approx(voice.frames_played * 0.02)
        player.seek(8.0)
        assert player.position == pytest.approx(8.0, abs=0.021)
        await lib.sleep(1)
        assert player.elapsed == pytest.approx(3.0, abs=0.04)
        assert player.position == pytest.approx(9.0, abs=0.04)
        player.stop()
        assert (player.elapsed, player.position) == (0, 0)

    in_call(use)


@pytest.mark.parametrize("target", [0.0, 1.0, 7.3])
def test_seek_goes_on_exactly_there(target: float) -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        await voice.player.play(Song(1, 500))
        await lib.sleep(3.0)
        sent = voice.frames_played
        voice.player.seek(target)
        await lib.sleep(0.5)
        nonlocal boundary
        boundary = sent
        voice.player.seek(9.0)

    boundary = 0
    spoken = in_call(use)
    song, at = packets(1, 500), round(target / 0.02)
    # One frame was on its way.
    assert spoken[: boundary + 1] == song[: boundary + 1]
    middle = spoken[boundary + 1 : -50]
    if middle[-1] != song[at + len(middle) - 1]:  # the frame on its way at the second seek
        middle = middle[:-1]
    assert middle == song[at : at + len(middle)]
    assert 23 <= len(middle) <= 27
    assert spoken[-50:] == song[450:]


def test_seeking_what_can_not_be_sought_changes_nothing() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        with pytest.raises(LocalProtocolError, match="nothing"):
            voice.player.seek(1)
        await voice.player.play(Packets(packets(1, 50)))
        await lib.sleep(0.5)
        with pytest.raises(LocalProtocolError, match="sought"):
            voice.player.seek(1)
        with pytest.raises(ValueError, match="seconds"):
            voice.player.seek(-1)

    assert in_call(use) == packets(1, 50)


def test_the_queue_plays_gaplessly_in_order() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        events = player.events()
        songs = [Song(tag, 25) for tag in range(4)]
        for song in songs:
            player.queue.append(song)
        assert list(player.queue)[-2:] == songs[2:]
        await lib.sleep(0.6)
        assert player.current_audio is songs[1]
        assert player.queue.list() == songs[2:]
        await player.wait_for_stopped()
        assert voice.stats().packets_sent == 105, "no silence in between"
        story = events.take()
        assert [event.source for event in story if isinstance(event, TrackStarted)] == songs
        assert [event.source for event in story if isinstance(event, TrackEnded)] == songs
        assert story[-1] == QueueEnded()

    assert in_call(use) == [packet for tag in range(4) for packet in packets(tag, 25)]


def test_skip_goes_on_with_the_next_and_then_ends() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        events = player.events()
        await player.play(Song(1, 500))
        player.queue.append(Song(2, 500))
        player.queue.append(Song(3, 500))
        player.queue.insert(0, Song(4, 500))
        player.queue.skip(2)  # 4 and 2
        await lib.sleep(0.5)
        player.queue.next()
        await lib.sleep(0.5)
        player.skip()
        await player.wait_for_stopped()
        reasons = [event.reason for event in events.take() if isinstance(event, TrackEnded)]
        assert reasons == [EndReason.SKIPPED] * 4

    spoken = in_call(use)
    first = [packet for packet in spoken if packet[1] == 1]
    assert spoken == first + packets(3, len(spoken) - len(first))
    assert 25 <= len(first) <= 27
    assert 24 <= len(spoken) - len(first) <= 27


def test_a_cleared_queue_leaves_what_plays() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        await player.play(Song(1, 50))
        player.queue.append(Song(2, 50))
        await lib.sleep(0.98)  # the next is in the ring already
        assert len(player.queue) == 1
        player.queue.clear()
        assert len(player.queue) == 0

    assert in_call(use) == packets(1, 50)


def test_what_is_appended_while_the_last_frames_go_out_follows_them() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        await voice.player.play(Song(1, 50))
        await lib.sleep(0.96)
        voice.player.queue.append(Song(2, 50))
        await voice.player.wait_for_stopped()
        assert voice.stats().packets_sent == 105

    assert in_call(use) == packets(1, 50) + packets(2, 50)


def test_what_is_appended_in_the_silence_is_played_too() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        await voice.player.play(Song(1, 50))
        await lib.sleep(1.05)
        assert not voice.player.is_playing
        voice.player.queue.append(Song(2, 50))
        assert voice.player.is_playing

    assert in_call(use) == packets(1, 50) + packets(2, 50)


def test_play_replaces_what_plays_without_a_gap() -> None:
    ends: list[object] = []

    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        await player.play(Song(1, 500), after=lambda error: ends.append((1, error)))
        await lib.sleep(0.5)
        await player.play(Song(2, 50), after=lambda error: ends.append((2, error)))
        await lib.sleep(0.05)
        assert ends == [(1, None)]
        await player.wait_for_stopped()
        assert voice.stats().packets_sent == voice.frames_played + 5
        assert voice.player.stream is None

    spoken = in_call(use)
    assert spoken == packets(1, len(spoken) - 50) + packets(2, 50)
    assert ends == [(1, None), (2, None)]


def test_another_source_takes_the_place_of_one_without_a_gap() -> None:
    ends: list[object] = []

    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        with pytest.raises(LocalProtocolError):
            player.source = Song(2, 50)
        await player.play(Song(1, 500), after=ends.append)
        await lib.sleep(0.5)
        elapsed = player.elapsed
        player.source = other = Song(2, 50)
        assert ends == []
        await lib.sleep(0.1)
        assert player.source is other
        assert player.elapsed == pytest.approx(elapsed + 0.1, abs=0.041)
        assert player.position == pytest.approx(0.1, abs=0.041)
        await player.wait_for_stopped()
        assert voice.stats().packets_sent == voice.frames_played + 5

    spoken = in_call(use)
    assert spoken == packets(1, len(spoken) - 50) + packets(2, 50)
    assert ends == [None]


def test_a_loop_has_no_gap_and_ends_where_it_is_told() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        player.loop = True
        await player.play(Song(1, 20))
        player.queue.append(Song(2, 5))
        await lib.sleep(1.0)
        assert player.position == pytest.approx(0.2, abs=0.041)
        assert player.elapsed == pytest.approx(1.0, abs=0.041)
        player.loop = False
        await player.wait_for_stopped()
        assert voice.stats().packets_sent == 65 + 5

    assert in_call(use) == packets(1, 20) * 3 + packets(2, 5)


def test_a_loop_that_is_asked_for_late_goes_on_all_the_same() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        await voice.player.play(Song(1, 20))
        await lib.sleep(0.36)  # all of it was read
        voice.player.loop = True
        await lib.sleep(0.2)
        voice.player.loop = False

    assert in_call(use) == packets(1, 20) * 2


def test_after_is_called_once_with_what_happened_and_may_raise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ends: list[Exception | None] = []

    def stumble(error: Exception | None) -> None:
        ends.append(error)
        raise ZeroDivisionError("mine")

    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        events = player.events()
        with caplog.at_level(logging.ERROR, "voicekit"):
            await player.play(Song(1, 10), after=stumble)
            player.queue.append(Song(2, 10), after=ends.append)
            await player.wait_for_stopped()
        failed = [event for event in events.take() if isinstance(event, CallbackFailed)]
        assert len(failed) == 1
        assert isinstance(failed[0].error, ZeroDivisionError)
        assert "ZeroDivisionError: mine" in caplog.text

    assert in_call(use) == packets(1, 10) + packets(2, 10)
    assert ends == [None, None]


def test_after_may_use_the_player() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        more = iter([Song(2, 10), Song(3, 10)])

        def go_on(error: Exception | None) -> None:
            if (song := next(more, None)) is not None:
                voice.player.queue.append(song, after=go_on)

        await voice.player.play(Song(1, 10), after=go_on)

    assert in_call(use) == packets(1, 10) + packets(2, 10) + packets(3, 10)


class Breaks(Song):
    def read(self) -> bytes | None:
        packet = super().read()
        if packet is None:
            raise OSError("the disk is gone")
        return packet


def test_a_source_that_fails_is_told_and_the_queue_goes_on() -> None:
    ends: list[Exception | None] = []

    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        events = player.events()
        broken = Breaks(1, 20)
        await player.play(broken, after=ends.append)
        player.queue.append(Song(2, 20), after=ends.append)
        await player.wait_for_stopped()
        failed = [event for event in events.take() if isinstance(event, SourceFailed)]
        assert [event.source for event in failed] == [broken]
        assert isinstance(failed[0].error.__cause__, OSError)
        with pytest.raises(PlaybackError, match="the disk is gone"):
            await player.play(Breaks(3, 5), wait_finish=True)
        assert voice.connection.is_ready

    assert in_call(use) == packets(1, 20) + packets(2, 20) + packets(3, 5)
    assert [type(error) for error in ends] == [PlaybackError, type(None)]


def test_who_waits_and_is_cancelled_stops_it() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        with lib.move_on_after(0.5):
            await voice.player.play(Song(1, 500), wait_finish=True)
        assert not voice.player.is_playing
        assert not voice.player.is_running
        with lib.move_on_after(0.5) as scope:
            await voice.player.play(Song(2, 500))
            voice.player.queue.append(Song(3, 10))
            await voice.player.wait_for_stopped()  # stops nothing
        assert scope.cancelled_caught
        assert voice.player.is_playing
        voice.player.skip()

    spoken = in_call(use)
    assert spoken[-10:] == packets(3, 10)
    assert 25 <= len([packet for packet in spoken if packet[1] == 1]) <= 27


def test_the_end_of_the_call_ends_everything() -> None:
    ends: list[object] = []

    async def use(listening: Listening, network: Network) -> None:
        async with lib.connect(info(listening.url), network=network) as voice:
            events = voice.player.events()
            await voice.player.play(Song(1, 500), after=ends.append)
            voice.player.queue.append(Song(2, 500), after=ends.append)
            await lib.sleep(0.5)
        assert [type(error) for error in ends] == [CallClosed] * 2
        reasons = [e.reason for e in events.take() if isinstance(e, TrackEnded)]
        assert reasons == [EndReason.CALL_ENDED] * 2
        assert [event async for event in voice.player.events()] == []
        with pytest.raises(CallClosed):
            await voice.player.play(Song(1, 5))
        assert account(listening).packets_bad == {}

    lib.in_memory(use)


def test_a_paused_player_can_be_stopped_skipped_and_left() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        events = player.events()
        await player.play(Song(1, 500))
        player.queue.append(Song(2, 10))
        await lib.sleep(0.5)
        player.pause()
        await lib.sleep(1)
        player.skip()
        await lib.sleep(1)
        player.resume()
        await player.wait_for_stopped()
        assert Paused() in (story := events.take())
        assert Resumed() in story
        await player.play(Song(3, 500))
        await lib.sleep(0.5)
        player.pause()
        await lib.sleep(1)
        player.stop()
        await player.wait_for_stopped()
        await player.play(Song(4, 500))
        await lib.sleep(0.5)
        player.pause()
        await lib.sleep(1)
        await player.play(Song(5, 10))
        assert player.is_playing

    spoken = in_call(use)
    assert [p for p in spoken if p[1] in (2, 5)] == packets(2, 10) + packets(5, 10)


def test_packets_and_samples_can_be_sent_by_hand() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        assert player.send_audio_packet(packets(1, 1)[0], encode=False)
        assert player.send_audio_packet(bytes(3840))
        with pytest.raises(ValueError, match="3840"):
            player.send_audio_packet(bytes(100))
        voice.stop_audio()
        await lib.sleep(0.5)
        await player.play(Song(2, 10))
        with pytest.raises(LocalProtocolError, match="player"):
            player.send_audio_packet(packets(1, 1)[0], encode=False)

    spoken = in_call(use)
    assert spoken[0] == packets(1, 1)[0]
    assert spoken[2:] == packets(2, 10)


def test_another_thread_is_told_that_it_is_one() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        await player.play(Song(1, 20))
        told: list[Exception] = []

        def act() -> None:
            for command in (
                player.stop,
                player.pause,
                player.skip,
                lambda: player.seek(0),
                lambda: player.queue.append(Song(2, 5)),
                lambda: player.queue.clear(),
                lambda: setattr(player, "volume", 0.5),
                lambda: setattr(player, "loop", True),
                lambda: setattr(player, "source", Song(3, 5)),
            ):
                try:
                    command()  # type: ignore[no-untyped-call]
                except LocalProtocolError as error:
                    told.append(error)

        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
        assert len(told) == 9

    assert in_call(use) == packets(1, 20)


def test_who_listens_hears_of_the_end_of_the_call_before_the_events_end() -> None:
    async def use(listening: Listening, network: Network) -> None:
        story: list[object] = []

        async def listen(voice: Voice) -> None:
            async for event in voice.player.events():
                story.append(event)

        async with (
            lib.connect(info(listening.url), network=network) as voice,
            lib.open_nursery() as nursery,
        ):
            nursery.start_soon(listen, voice)
            await voice.player.play(Song(1, 500))
            await lib.sleep(0.5)
            listening.server.faults.close(4017, lib.current_time())
            listening.drain()
        (ended,) = [event for event in story if isinstance(event, TrackEnded)]
        assert ended.reason is EndReason.CALL_ENDED
        assert isinstance(ended.error, EncryptionRequired)

    lib.in_memory(use)
