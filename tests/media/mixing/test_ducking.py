"""Music under speech: by how much, how fast, and who makes room for whom."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.media.mixing.tones import Samples, Tone, amplitudes, frames_of
from voicekit.media import Ducking, Mixer, equal_power

MUSIC, SPEECH = 500, 2000
FRAMES = 100


def decibel(out: Samples) -> npt.NDArray[np.float64]:
    """The music in the mix, in dB of what it is alone."""
    return np.asarray(20 * np.log10(amplitudes(out, MUSIC) / 8_000))


def test_it_goes_down_stays_and_comes_back() -> None:
    """12 dB in 0.2 s, 0.1 s of hold, 0.4 s up: speech in the frames 20 to 39."""
    ducking = Ducking(depth=12, attack=0.2, hold=0.1, release=0.4)
    mixer = Mixer(Tone(MUSIC, FRAMES), ducking=ducking)
    silent = Tone(SPEECH, FRAMES)
    silent.samples[: 20 * 960] = silent.samples[40 * 960 :] = 0
    mixer.add(silent, ducks=True)
    measured = decibel(frames_of(mixer))
    ends = [0.0] * 20
    ends += [-12 * min(1, n / 10) for n in range(1, 21)]  # attack, then speech
    ends += [-12.0] * 5  # hold
    ends += [-12 + 12 * min(1, n / 20) for n in range(1, 21)]
    ends += [0.0] * (FRAMES - len(ends))
    # What is measured is the middle of each frame; gains move from its beginning to its end.
    factors = 10 ** (np.array([0.0, *ends]) / 20)
    expected = 20 * np.log10((factors[:-1] + factors[1:]) / 2)
    assert measured == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("depth", [0, 6, 20, 100])
def test_the_depth_is_reached_and_no_more(depth: float) -> None:
    mixer = Mixer(Tone(MUSIC, 30), ducking=Ducking(depth=depth, attack=0.05))
    mixer.add(Tone(SPEECH, 30), ducks=True)
    factor = amplitudes(frames_of(mixer)[10:], MUSIC) / 8_000
    assert factor == pytest.approx(10 ** (-depth / 20), abs=0.001)


def test_pauses_between_words_are_held() -> None:
    speech = Tone(SPEECH, 60, silent=range(20, 35))
    mixer = Mixer(Tone(MUSIC, 60), ducking=Ducking(attack=0.1, hold=0.3))
    mixer.add(speech, ducks=True)
    assert decibel(frames_of(mixer))[10:] == pytest.approx(-12, abs=0.05)


def test_a_whisper_below_the_threshold_is_no_speech() -> None:
    for amplitude, lowered in ((200, False), (400, True)):  # -47 and -41 dBFS
        mixer = Mixer(Tone(MUSIC, 20), ducking=Ducking(attack=0, threshold=-45))
        mixer.add(Tone(SPEECH, 20, amplitude=amplitude), ducks=True)
        assert decibel(frames_of(mixer))[5:] == pytest.approx(-12 if lowered else 0, abs=0.1)


def test_who_is_not_heard_ducks_nobody() -> None:
    mixer = Mixer(Tone(MUSIC, 20), ducking=Ducking(attack=0))
    mixer.add(Tone(SPEECH, 20), ducks=True, volume=0)
    assert decibel(frames_of(mixer)) == pytest.approx(0, abs=0.05)


def test_those_who_duck_do_not_duck_each_other() -> None:
    mixer = Mixer(ducking=Ducking(attack=0))
    mixer.add(Tone(SPEECH, 20), ducks=True)
    mixer.add(Tone(1000, 20), ducks=True)
    late = mixer.add(Tone(MUSIC, 20))
    out = frames_of(mixer)
    assert amplitudes(out, SPEECH) == pytest.approx(8_000, abs=5)
    assert amplitudes(out, 1000) == pytest.approx(8_000, abs=5)
    assert decibel(out)[3:] == pytest.approx(-12, abs=0.05)
    assert late.ended


def test_it_may_be_told_whom() -> None:
    mixer = Mixer(ducking=Ducking(attack=0, release=0.1))
    music = mixer.add(Tone(MUSIC, 20))
    mixer.add(Tone(1000, 20))
    speech = mixer.add(Tone(SPEECH, 20), ducks=[music])
    out = frames_of(mixer, 10)
    assert decibel(out)[3:] == pytest.approx(-12, abs=0.05)
    assert amplitudes(out, 1000) == pytest.approx(8_000, abs=5)
    speech.ducks = False
    assert decibel(frames_of(mixer))[-1] == pytest.approx(0, abs=0.05), "it comes back"


def test_it_comes_back_when_the_speech_is_over() -> None:
    mixer = Mixer(Tone(MUSIC, 60), ducking=Ducking(attack=0, release=0.2, hold=10))
    mixer.add(Tone(SPEECH, 20), ducks=True)
    measured = decibel(frames_of(mixer))
    assert measured[5:20] == pytest.approx(-12, abs=0.05)
    assert measured[31:] == pytest.approx(0, abs=0.05)


WRONG: list[dict[str, Any]] = [
    {"depth": -1},
    {"depth": float("nan")},
    {"attack": -0.1},
    {"release": 61},
    {"hold": float("inf")},
    {"threshold": 1},
]


@pytest.mark.parametrize("settings", WRONG, ids=str)
def test_settings_that_are_none_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Ducking(**settings)


def test_a_fade_of_equal_power_keeps_the_sum_of_squares() -> None:
    steps = [equal_power(n / 50) for n in range(-10, 61)]
    assert all(a * a + b * b == pytest.approx(1) for a, b in steps)
    assert steps[:11] == [(1.0, 0.0)] * 11
    assert steps[-11:] == [(0.0, 1.0)] * 11
    going = [a for a, _ in steps[10:-10]]
    assert going == sorted(going, reverse=True)
    assert equal_power(0.5) == pytest.approx((0.7071, 0.7071), abs=1e-4)
