"""Mixers in a call, in real time: a source that stalls in a thread holds up none of the others."""

import socket
import threading

import numpy as np
import pytest

from tests.media.files import made_by_ffmpeg
from tests.media.mixing.numbered import HUNDREDS, Numbered, heard, hundreds, units
from tests.media.mixing.tones import as_frames
from tests.media.test_urls import raw_server
from voicekit.driver.playing import PlayingCall as Voice
from voicekit.errors import PlaybackError
from voicekit.media import AudioSource, Broadcast, Mixer, PushSource, open_source
from voicekit.media.player import PlayerEvent, SourceFailed, Stalled, TrackEnded

from ..trio.calls import GUILD, info
from .libraries import lib, until
from .test_player_threads import PATIENCE, on_sockets


class Stuck(Numbered):
    """Has nothing for a while after so many frames, in a thread."""

    def __init__(self, frames: int, stuck_after: int, scale: int = HUNDREDS) -> None:
        super().__init__(frames, scale)
        self.release = threading.Event()
        self._stuck_after = stuck_after

    def next_pcm(self) -> bytes | None:
        if self.given == self._stuck_after:
            self.release.wait(PATIENCE)
        return super().next_pcm()


class Noted(Mixer):
    """Notes what it has mixed."""

    def __init__(self, *sources: AudioSource, keep_open: bool = False) -> None:
        super().__init__(*sources, keep_open=keep_open)
        self.mixed: list[bytes] = []

    def next_pcm(self) -> bytes | None:
        pcm = super().next_pcm()
        if pcm is not None:
            self.mixed.append(pcm)
        return pcm

    @property
    def units(self) -> list[int]:
        return units(as_frames(self.mixed))

    @property
    def hundreds(self) -> list[int]:
        return hundreds(as_frames(self.mixed))


def test_one_stalls_the_others_go_on_and_it_joins_in_where_it_stopped() -> None:
    music, speech = Numbered(100), Stuck(60, 20)
    mixer = Noted(music, speech)
    told: list[PlayerEvent] = []

    async def use(voice: Voice, _: list[bytes]) -> None:
        events = voice.player.events()
        await voice.player.play(mixer)
        await until(lambda: mixer.units[-1:] >= [35])
        speech.release.set()
        await voice.player.wait_for_stopped()
        told.extend(events.take())

    packets = on_sockets(use)
    assert mixer.units == list(range(1, 101)), "without a gap"
    assert mixer.hundreds[:20] == list(range(1, 21)), "both from the first frame on"
    assert mixer.hundreds[20:35] == [0] * 15
    assert heard(mixer.hundreds) == list(range(1, 61))
    assert len(packets) == 100
    assert told.count(Stalled(speech)) == 1


@pytest.mark.parametrize("recovers", [True, False])
def test_a_url_that_stalls_in_the_middle(recovers: bool) -> None:
    go_on = threading.Event()
    samples = np.repeat(np.arange(1, 101, dtype=np.int16) * HUNDREDS, 1920).reshape(-1, 2)
    content = made_by_ffmpeg(samples, "aiff", "pcm_s16be")
    there = len(content) * 6 // 10  # FFmpeg looks at a second of it before it begins

    def answer(connection: socket.socket) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content[:there])
        if go_on.wait(PATIENCE) and recovers:
            connection.sendall(content[there:])

    async def use(voice: Voice, _: list[bytes]) -> None:
        events = voice.player.events()
        await voice.player.play(mixer)
        await until(lambda: mixer.units[-1:] >= [90])
        go_on.set()
        await voice.player.wait_for_stopped()
        story = events.take()
        assert story.count(Stalled(stream)) == 1
        failures = [event for event in story if isinstance(event, SourceFailed)]
        assert [event.source for event in failures] == ([] if recovers else [stream])

    with raw_server(answer) as url:
        stream = open_source(f"{url}/a.aiff", timeout=PATIENCE if recovers else 1.5)
        mixer = Noted(Numbered(150), stream)
        on_sockets(use)
    assert mixer.units[:150] == list(range(1, 151)), "nobody waits for it"
    numbers = heard(mixer.hundreds)
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) == 100 if recovers else 50 < len(numbers) <= 60


def test_one_that_stalls_for_too_long_fails_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voicekit.driver.reading.STALL_TIMEOUT", 0.5)
    music, speech = Numbered(80), Stuck(60, 10)
    mixer = Noted(music, speech)

    async def use(voice: Voice, _: list[bytes]) -> None:
        events = voice.player.events()
        await voice.player.play(mixer)
        await voice.player.wait_for_stopped()
        story = events.take()
        (failed,) = [event for event in story if isinstance(event, SourceFailed)]
        assert failed.source is speech
        assert isinstance(failed.error, PlaybackError)
        assert str(failed.error) == "Stuck gave nothing for 0.5 s"
        (ended,) = [event for event in story if isinstance(event, TrackEnded)]
        assert (ended.source, ended.error) == (mixer, None)
        assert speech.times_closed == 0, "a thread is in it"
        speech.release.set()
        await until(lambda: speech.times_closed == 1)

    on_sockets(use)
    assert mixer.units == list(range(1, 81))
    assert heard(mixer.hundreds) == list(range(1, 11))


def test_with_nothing_but_a_stalled_source_nothing_is_sent_until_something_comes() -> None:
    stuck = Stuck(40, 15)
    mixer = Noted(stuck)

    async def use(voice: Voice, _: list[bytes]) -> None:
        events = voice.player.events()
        await voice.player.play(mixer)
        with lib.fail_after(PATIENCE):
            while await events.receive() != Stalled(mixer):
                pass
        assert len(mixer.mixed) == 15
        added = Numbered(30)
        mixer.add(added)
        await until(lambda: heard(mixer.units) == list(range(1, 31)))
        assert not stuck.release.is_set(), "speech goes on while music hangs"
        stuck.release.set()
        await voice.player.wait_for_stopped()

    on_sockets(use)
    assert heard(mixer.hundreds) == list(range(1, 41))


@pytest.mark.parametrize("at_once", [False, True])
def test_what_is_stopped_and_played_again_goes_on_with_what_was_read(at_once: bool) -> None:
    mixer = Noted(Numbered(60), Numbered(60, HUNDREDS))

    async def use(voice: Voice, _: list[bytes]) -> None:
        await voice.player.play(mixer)
        await until(lambda: len(mixer.mixed) > 10)
        voice.player.stop()
        if not at_once:
            await until(lambda: not voice.player._read_inputs)
        await voice.player.play(mixer)
        await voice.player.wait_for_stopped()

    on_sockets(use)
    assert mixer.units == mixer.hundreds == list(range(1, 61))


def test_inputs_come_and_go_and_leave_no_task_behind() -> None:
    mixer = Noted(keep_open=True)

    async def use(voice: Voice, _: list[bytes]) -> None:
        await voice.player.play(mixer)
        for _round in range(5):
            for _each in range(3):
                mixer.add(Numbered(3))
            await until(lambda: not mixer.inputs)
        mixer.add(PushSource())
        await until(lambda: not voice.player._read_inputs)
        mixer.close()

    on_sockets(use)
    assert sum(heard(mixer.units)) == 5 * 3 * (1 + 2 + 3)


def test_when_the_call_that_read_for_a_broadcast_ends_another_does() -> None:
    music, speech = Numbered(120), Stuck(120, 60)
    mixer = Noted(music, speech)
    radio = Broadcast(mixer)

    async def use(voice: Voice, _: list[bytes]) -> None:
        await voice.player.play(radio.listen())
        await until(lambda: len(mixer.mixed) > 5)
        url = voice.connection.info.endpoint
        async with lib.connect(info(url, guild=GUILD + 1)) as other:
            await other.player.play(radio.listen())
            await until(lambda: other.frames_played > 5)
            voice.player.stop()
            await voice.player.wait_for_stopped()
            await until(lambda: len(mixer.mixed) > 80)
            speech.release.set()
            await other.player.wait_for_stopped()

    on_sockets(use)
    assert mixer.units[:120] == list(range(1, 121))
    assert heard(mixer.hundreds) == list(range(1, 121))
