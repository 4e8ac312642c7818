"""A mixer whose inputs are read ahead: who has nothing is silent, the others go on."""

import random
import threading
from collections.abc import Callable

import pytest

from tests.media.mixing.numbered import HUNDREDS, Numbered, heard, hundreds, units
from tests.media.mixing.tones import Tone, amplitudes, as_frames, frames_of
from voicekit.errors import MediaError, PlaybackError
from voicekit.media import AudioSource, Ducking, Mixer, MixerInput, PushSource, open_provider
from voicekit.media.mixing.input import AHEAD, HEADSTART, SILENCE
from voicekit.media.mixing.mixer import _PATIENCE as PATIENCE


def read_ahead(mixer: Mixer, wake: Callable[[], object] = lambda: None) -> object:
    """Promise that somebody reads the inputs: here, that is `fill`."""
    reader = object()
    assert mixer.read_ahead_by(reader, wake)
    return reader


def fill(*inputs: MixerInput, ahead: int = AHEAD) -> None:
    for input in inputs:
        while input.wants(ahead):
            input.read(ahead)


def two(frames: int) -> tuple[Mixer, MixerInput, MixerInput]:
    """A mixer of a source in units and one in hundreds, that are read ahead by hand."""
    mixer = Mixer()
    one = mixer.add(Numbered(frames))
    other = mixer.add(Numbered(frames, HUNDREDS))
    read_ahead(mixer)
    return mixer, one, other


def test_one_that_stalls_is_silent_and_goes_on_where_it_stopped() -> None:
    mixer, stalling, flowing = two(100)
    fill(stalling, ahead=20)
    fill(flowing)
    out = frames_of(mixer, 25)
    assert units(out) == [*range(1, 21), *[0] * 5]
    assert hundreds(out) == list(range(1, 26)), "nobody waits for it"
    assert (stalling.stalled, flowing.stalled, stalling.ended) == (True, False, False)
    fill(stalling, flowing)
    out = frames_of(mixer, 30)
    assert units(out) == list(range(21, 51))
    assert hundreds(out) == list(range(26, 56))
    assert not stalling.stalled


def test_a_stall_is_told_once_and_so_is_the_next() -> None:
    mixer, stalling, flowing = two(100)
    for _ in range(2):
        fill(stalling, ahead=HEADSTART)
        fill(flowing)
        frames_of(mixer, HEADSTART + 5)
        assert mixer.take_stall() is stalling.source
        assert mixer.take_stall() is None


@pytest.mark.parametrize("there", [1, HEADSTART - 1])
def test_it_begins_and_goes_on_with_a_headstart(there: int) -> None:
    mixer, stalling, flowing = two(100)
    fill(stalling, ahead=HEADSTART)
    fill(flowing)
    frames_of(mixer, HEADSTART + 1)
    fill(stalling, ahead=there)
    assert heard(units(frames_of(mixer, 3))) == []
    fill(stalling, ahead=HEADSTART)
    assert units(frames_of(mixer, 3)) == [HEADSTART + n for n in (1, 2, 3)]


def test_what_is_added_begins_when_it_has_something_and_is_no_stall_before() -> None:
    mixer = two(100)[0]
    fill(*mixer.inputs)
    frames_of(mixer, 5)
    added = mixer.add(Tone(500, 50))
    out = frames_of(mixer, 3)
    assert units(out) == [6, 7, 8]
    assert mixer.take_stall() is None
    fill(added)
    assert amplitudes(frames_of(mixer, 2), 500) == pytest.approx([8_000] * 2, abs=2)


def test_what_comes_together_begins_together() -> None:
    mixer = Mixer(PushSource())
    read_ahead(mixer)
    one, other = mixer.add(Numbered(50)), mixer.add(Numbered(50, HUNDREDS))
    fill(one)
    out = frames_of(mixer, 5)
    assert heard(units(out)) == []
    fill(other)
    out = frames_of(mixer, 20)
    assert units(out) == hundreds(out) == list(range(1, 21))


def test_it_is_not_waited_for_for_long() -> None:
    mixer, there, missing = two(50)
    fill(there)
    assert mixer.is_gathering
    out = frames_of(mixer, PATIENCE + 5)
    assert units(out) == [*[0] * PATIENCE, 1, 2, 3, 4, 5]
    assert not mixer.is_gathering
    fill(missing)
    assert hundreds(frames_of(mixer, 3)) == [1, 2, 3]


def test_nobody_waits_for_one_that_has_stalled() -> None:
    mixer, stalling, flowing = two(100)
    fill(stalling, ahead=HEADSTART)
    fill(flowing)
    frames_of(mixer, HEADSTART + 1)
    fill(flowing)
    added = mixer.add(Tone(500, 50))
    fill(added)
    assert amplitudes(frames_of(mixer, 1), 500) == pytest.approx(8_000, abs=2)
    assert stalling.stalled


def test_a_trip_to_a_thread_ends_with_the_headstart() -> None:
    mixer = Mixer(Numbered(100))
    read_ahead(mixer)
    (input,) = mixer.inputs
    trips = 0
    while mixer.is_waiting:
        input.read()
        trips += 1
    source = input.source
    assert isinstance(source, Numbered)
    assert (source.given, trips) == (HEADSTART, 5)
    input.read()
    assert source.given == 2 * HEADSTART


def test_what_is_shorter_than_a_headstart_is_heard() -> None:
    mixer = Mixer(Numbered(3))
    read_ahead(mixer)
    fill(*mixer.inputs)
    assert units(frames_of(mixer)) == [1, 2, 3]


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_or_heard_twice_however_it_is_read(seed: int) -> None:
    rng = random.Random(seed)
    mixer = Mixer()
    inputs = [mixer.add(Numbered(100)), mixer.add(Numbered(90, HUNDREDS))]
    reader: object | None = None
    out = []
    while mixer.inputs:
        for input in inputs:
            if rng.random() < 0.3 and input.wants():
                input.read()
        if rng.random() < 0.02:
            reader = read_ahead(mixer) if reader is None else mixer.release(reader)
        if (pcm := mixer.next_pcm()) is not None:
            out.append(pcm)
    frames = as_frames(out)
    assert heard(units(frames)) == list(range(1, 101))
    assert heard(hundreds(frames)) == list(range(1, 91))


def test_threads_that_read_lose_nothing() -> None:
    mixer, *inputs = two(120)

    def read(input: MixerInput) -> None:
        while not input.is_read:
            fill(input)

    threads = [threading.Thread(target=read, args=(input,)) for input in inputs for _ in range(2)]
    for thread in threads:
        thread.start()
    out = [pcm for pcm in iter(mixer.next_pcm, None) if pcm != SILENCE]
    for thread in threads:
        thread.join()
    frames = as_frames(out)
    assert heard(units(frames)) == list(range(1, 121))
    assert heard(hundreds(frames)) == list(range(1, 121))


def test_volumes_are_heard_at_once_in_what_was_read_ahead() -> None:
    mixer = Mixer()
    own, inputs = mixer.add(Tone(500, 50)), mixer.add(Tone(850, 50))
    read_ahead(mixer)
    fill(own, inputs)
    frames_of(mixer, 5)
    own.source.volume = 0.5
    inputs.volume = 0.25
    out = frames_of(mixer, 3)
    assert amplitudes(out, 500)[1:] == pytest.approx([4_000] * 2, abs=2), "after one frame"
    assert amplitudes(out, 850)[1:] == pytest.approx([2_000] * 2, abs=2)


def test_speech_that_stalls_lets_the_music_come_back() -> None:
    mixer = Mixer(ducking=Ducking(attack=0, hold=0, release=0))
    music = mixer.add(Tone(500, 60))
    speech = mixer.add(Tone(2_000, 60), ducks=True)
    read_ahead(mixer)
    fill(music)
    fill(speech, ahead=HEADSTART)
    loud = amplitudes(frames_of(mixer, HEADSTART + 5), 500)
    assert loud[2:HEADSTART] == pytest.approx(8_000 * 10 ** (-12 / 20), abs=5)
    assert loud[HEADSTART + 2 :] == pytest.approx(8_000, abs=5)


def test_it_fails_after_what_was_read_and_the_others_go_on() -> None:
    fault = MediaError("nothing came for 10 s")
    mixer = Mixer(Numbered(15, error=fault), Numbered(40, HUNDREDS))
    read_ahead(mixer)
    bad, good = mixer.inputs
    fill(bad, good)
    out = frames_of(mixer, 20)
    assert heard(units(out)) == list(range(1, 16))
    assert hundreds(out) == list(range(1, 21))
    assert mixer.take_failure() == (bad.source, fault)
    end = mixer.poll()
    assert end is not None
    assert (end.input, end.error, bad.ended, good.ended) == (bad, fault, True, False)


class Stuck(Numbered):
    """Has nothing after its frames, until it is told to go on."""

    def __init__(self, frames: int) -> None:
        super().__init__(frames)
        self.asked, self.go_on = threading.Event(), threading.Event()

    def next_pcm(self) -> bytes | None:
        if self.given == self.frames:
            self.asked.set()
            self.go_on.wait(20)
        return super().next_pcm()


def stuck_in_a_thread(mixer: Mixer) -> tuple[Stuck, MixerInput, threading.Thread]:
    source = Stuck(HEADSTART)
    input = mixer.add(source)
    reading = threading.Thread(target=fill, args=(input,))
    reading.start()
    assert source.asked.wait(20)
    return source, input, reading


def test_one_that_was_given_up_fails_and_its_thread_closes_it() -> None:
    mixer = Mixer(Numbered(50, HUNDREDS))
    read_ahead(mixer)
    fill(*mixer.inputs)
    source, input, reading = stuck_in_a_thread(mixer)
    given_up = PlaybackError("it gave nothing")
    input.fail(given_up)
    assert heard(units(frames_of(mixer, 20))) == list(range(1, HEADSTART + 1))
    assert mixer.take_failure() == (source, given_up)
    assert source.times_closed == 0, "a thread is in it"
    source.go_on.set()
    reading.join()
    assert (source.times_closed, input.error) == (1, given_up)


@pytest.mark.parametrize("closes", [False, True])
def test_removing_or_closing_waits_for_no_thread(closes: bool) -> None:
    mixer = Mixer(PushSource())
    read_ahead(mixer)
    source, input, reading = stuck_in_a_thread(mixer)
    frames_of(mixer, HEADSTART + 2)
    if closes:
        mixer.close()
    else:
        mixer.remove(input)
        frames_of(mixer, 1)
    assert (input.ended, input.stalled, source.times_closed) == (True, False, 0)
    source.go_on.set()
    reading.join()
    assert source.times_closed == 1


def test_a_source_that_is_closed_is_not_heard_any_more() -> None:
    mixer, one, other = two(50)
    fill(one, other)
    frames_of(mixer, 5)
    one.source.close()
    assert heard(units(frames_of(mixer, 5))) == []
    assert one.ended


def test_what_nobody_reads_any_more_is_read_by_the_mixer() -> None:
    mixer, one, other = two(60)
    reader = mixer._reader
    fill(one, other, ahead=12)
    out = frames_of(mixer, 10)
    assert units(out) == hundreds(out) == list(range(1, 11))
    mixer.release(object())
    assert mixer._reader is reader, "that was somebody else"
    mixer.release(reader)
    out = frames_of(mixer)
    assert units(out) == hundreds(out) == list(range(11, 61))


def test_one_reads_at_a_time() -> None:
    mixer = Mixer(keep_open=True)
    reader, wake = object(), lambda: None
    assert mixer.read_ahead_by(reader, wake)
    assert mixer.read_ahead_by(reader, wake), "it does already"
    assert not mixer.read_ahead_by(object(), wake)
    mixer.release(reader)
    assert mixer.read_ahead_by(object(), wake)


def test_live_sources_and_those_that_never_wait_are_asked_when_it_is_due() -> None:
    asked = 0

    def provide() -> bytes:
        nonlocal asked
        asked += 1
        return bytes(3840)

    class Prompt(Numbered):
        blocking = False

    mixer = Mixer(open_provider(provide), PushSource(), Prompt(50))
    read_ahead(mixer)
    assert mixer.inputs_to_read == []
    assert units(frames_of(mixer, 5)) == [1, 2, 3, 4, 5]
    assert asked == 5


def test_with_nothing_but_stalled_sources_it_waits() -> None:
    mixer, one, other = two(50)
    assert mixer.is_waiting
    fill(one, other, ahead=HEADSTART)
    assert not mixer.is_waiting
    frames_of(mixer, HEADSTART)
    assert mixer.is_waiting
    fill(one)
    assert not mixer.is_waiting
    mixer.keep_open = True
    frames_of(mixer, AHEAD)
    assert not mixer.is_waiting, "then it gives silence"
    assert heard(hundreds(frames_of(mixer, 2))) == []


def test_whoever_waits_is_woken_by_what_comes_and_goes() -> None:
    mixer, within = Mixer(), Mixer()
    woken = 0

    def wake() -> None:
        nonlocal woken
        woken += 1

    reader = object()
    mixer.read_ahead_by(reader, wake)
    mixer.add(Numbered(5))
    mixer.add(within)
    assert woken == 2
    assert mixer.is_waiting is False, "the one within is at its end"
    added = within.add(Numbered(5, HUNDREDS))
    assert woken == 3
    assert mixer.is_waiting
    within.remove(added)
    assert woken == 4
    assert not mixer.is_waiting
    mixer.close()
    assert woken >= 5
    assert not mixer.is_waiting
    mixer.release(reader)
    count = woken
    mixer.close()
    assert woken == count


def test_what_is_in_a_mixer_in_a_mixer_is_read_ahead_too() -> None:
    stalling = Numbered(50)
    mixer = Mixer(Mixer(stalling), Numbered(50, HUNDREDS))
    read_ahead(mixer)
    outer, inner = mixer.inputs_to_read
    assert inner.source is stalling
    assert mixer.is_gathering
    fill(outer)
    fill(inner, ahead=12)
    assert not mixer.is_gathering
    out = frames_of(mixer, 15)
    assert units(out) == [*range(1, 13), 0, 0, 0]
    assert hundreds(out) == list(range(1, 16))
    fill(outer, inner)
    assert units(frames_of(mixer, 5)) == list(range(13, 18))


def test_by_hand_each_source_is_waited_for_and_read_no_sooner() -> None:
    one, other = Numbered(20), Numbered(20, HUNDREDS)
    mixer = Mixer(one, other)
    for n in range(1, 21):
        out = frames_of(mixer, 1)
        assert (units(out), hundreds(out)) == ([n], [n])
        assert (one.given, other.given) == (n, n)
    sources: list[AudioSource] = [one, other]
    assert mixer.read_pcm() is None
    assert [end.input.source for end in iter(mixer.poll, None)] == sources
