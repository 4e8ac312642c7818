"""Several sources at once: exact sums, volumes, coming and going, and who fails alone."""

import threading

import numpy as np
import pytest

from tests.media.mixing.tones import FRAME, Tone, amplitudes, frames_of
from voicekit.errors import LocalProtocolError, MediaError
from voicekit.media import InputEnded, Mixer, PushSource, open_provider


def test_the_mix_is_the_sum() -> None:
    one, two = Tone(500, 5), Tone(850, 5)
    out = frames_of(Mixer(one, two)).reshape(-1, 2)
    assert np.array_equal(out, one.samples + two.samples)


def test_it_ends_with_the_last_and_closes_each_at_its_end() -> None:
    short, long = Tone(500, 3), Tone(850, 7)
    mixer = Mixer(short, long)
    assert len(frames_of(mixer, 4)) == 4
    assert (short.times_closed, long.times_closed) == (1, 0)
    assert [input.source for input in mixer.inputs] == [long]
    assert len(frames_of(mixer)) == 3
    assert long.times_closed == 1
    assert mixer.read_pcm() is None
    ends = [mixer.poll(), mixer.poll()]
    assert [end and (end.input.source, end.error) for end in ends] == [(short, None), (long, None)]
    assert mixer.poll() is None


def test_nothing_in_it_is_the_end_or_silence() -> None:
    assert Mixer().read_pcm() is None
    mixer = Mixer(keep_open=True)
    assert not frames_of(mixer, 3).any()
    tone = Tone(500, 2)
    mixer.add(tone)
    assert np.array_equal(frames_of(mixer, 2).reshape(-1, 2), tone.samples)
    assert not frames_of(mixer, 3).any()
    mixer.keep_open = False
    assert mixer.read_pcm() is None


def test_sources_come_while_it_plays() -> None:
    mixer = Mixer(Tone(500, 6))
    assert amplitudes(frames_of(mixer, 2), 850) == pytest.approx(0, abs=2)
    mixer.add(Tone(850, 2))
    out = frames_of(mixer)
    assert amplitudes(out, 850) == pytest.approx([8_000, 8_000, 0, 0], abs=2)
    assert amplitudes(out, 500) == pytest.approx([8_000] * 4, abs=2)


def test_a_source_that_is_removed_fades_within_a_frame() -> None:
    constant = Tone(0, 9)
    constant.samples[:] = 10_000
    mixer = Mixer(Tone(500, 9, amplitude=0))
    input = mixer.add(constant)
    frames_of(mixer, 2)
    mixer.remove(input)
    going = frames_of(mixer, 1)[0, :, 0].astype(int)
    assert going[0] == pytest.approx(10_000, abs=11)
    assert going[-1] == 0
    assert -12 <= np.diff(going).min() <= np.diff(going).max() <= 0
    assert (constant.times_closed, input.ended) == (1, True)
    assert not frames_of(mixer, 2).any()
    mixer.remove(input)  # again, and nothing happens
    assert mixer.poll() is None, "whoever removed it knows"


def test_each_has_its_volume_beside_its_own() -> None:
    mixer = Mixer(Tone(500, 8), volume=0.5)
    input = mixer.add(Tone(850, 8, volume=0.5), volume=0.8)
    out = frames_of(mixer, 3)
    assert amplitudes(out, 500) == pytest.approx([4_000] * 3, abs=2)
    assert amplitudes(out, 850) == pytest.approx([1_600] * 3, abs=2)
    input.volume = 0.4
    out = frames_of(mixer, 3)
    assert amplitudes(out, 850)[1:] == pytest.approx([800] * 2, abs=2), "after one frame"
    assert amplitudes(out, 500) == pytest.approx([4_000] * 3, abs=2), "the others stay"
    assert input.volume == 0.4
    with pytest.raises(ValueError, match="volume is a finite number of at least 0"):
        input.volume = -1
    with pytest.raises(ValueError, match="volume"):
        mixer.add(Tone(500, 1), volume=float("nan"))


def test_a_source_that_fails_ends_alone_and_is_told() -> None:
    fault = MediaError("broken.mp3 is damaged")
    bad, good = Tone(500, 2, error=fault), Tone(850, 6)
    mixer = Mixer(bad, good)
    assert amplitudes(frames_of(mixer), 850) == pytest.approx([8_000] * 6, abs=2)
    match mixer.poll():
        case InputEnded(input, error):
            assert (input.source, error, input.error, input.ended) == (bad, fault, fault, True)
        case _:
            pytest.fail("it was not told")
    assert bad.times_closed == 1


@pytest.mark.parametrize("size", [0, 3839, 3844])
def test_a_source_that_gives_no_frames_fails_too(size: int) -> None:
    class Wrong(Tone):
        def next_pcm(self) -> bytes | None:
            return bytes(size)

    mixer = Mixer(Wrong(500, 1), Tone(850, 2))
    assert len(frames_of(mixer)) == 2
    end = mixer.poll()
    assert end is not None
    assert isinstance(end.error, ValueError)


def test_a_source_that_can_not_be_closed_does_no_harm() -> None:
    def close() -> None:
        raise OSError("no")

    pieces = iter([bytes(3840)])
    mixer = Mixer(open_provider(lambda: next(pieces, None), close=close), Tone(850, 3))
    assert len(frames_of(mixer)) == 3
    end = mixer.poll()
    assert end is not None
    assert isinstance(end.error, OSError)


def test_closing_closes_all_and_nothing_can_be_added() -> None:
    one, two = Tone(500, 5), Tone(850, 5)
    mixer = Mixer(one, keep_open=True)
    input = mixer.add(two)
    mixer.read_pcm()
    mixer.close()
    mixer.close()
    assert (one.times_closed, two.times_closed, input.ended) == (1, 1, True)
    assert mixer.read_pcm() is None
    with pytest.raises(LocalProtocolError, match="closed"):
        mixer.add(Tone(500, 1))


def test_closing_waits_for_nobody_and_closes_no_source_that_is_being_read() -> None:
    asked, go_on = threading.Event(), threading.Event()

    class Slow(Tone):
        def next_pcm(self) -> bytes | None:
            asked.set()
            go_on.wait(20)
            return super().next_pcm()

    slow = Slow(500, 5)
    mixer = Mixer(slow)
    reading = threading.Thread(target=mixer.read_pcm)
    reading.start()
    assert asked.wait(20)
    mixer.close()
    assert slow.times_closed == 0
    go_on.set()
    reading.join()
    assert slow.times_closed == 1
    assert mixer.inputs == ()


def test_a_source_is_in_it_once() -> None:
    tone = Tone(500, 1)
    mixer = Mixer(tone)
    with pytest.raises(LocalProtocolError, match="already"):
        mixer.add(tone)
    with pytest.raises(LocalProtocolError, match="in itself"):
        mixer.add(mixer)


def test_it_is_live_and_a_source_like_others() -> None:
    speech = PushSource(lead_in=0)
    mixer = Mixer(speech, Mixer(Tone(500, 2), Tone(850, 2)))
    assert mixer.live
    assert not mixer.passthrough
    assert mixer.duration is None
    speech.push(bytes(FRAME * 4))
    speech.end()
    assert len(list(iter(mixer.read, None))) == 2


def test_sources_come_and_go_from_other_threads() -> None:
    mixer = Mixer(keep_open=True)
    done = threading.Event()

    def come_and_go() -> None:
        for _ in range(200):
            input = mixer.add(Tone(500, 2, amplitude=100))
            input.volume = 0.5
            if len(mixer.inputs) > 3:
                mixer.remove(input)
        done.set()

    threads = [threading.Thread(target=come_and_go) for _ in range(2)]
    for thread in threads:
        thread.start()
    while not done.is_set():
        assert mixer.read_pcm() is not None
    for thread in threads:
        thread.join()
    mixer.keep_open = False
    frames_of(mixer)
    assert mixer.inputs == ()
