"""The shape of a cross-fade: one by the cosine, one by the sine, the power the same throughout."""

import numpy as np
import pytest

from tests.signals.calls import RATE, Tone, envelope, record_what
from voicekit.driver.playing import PlayingCall as Voice

ONE, TWO = 500, 1_200
AMPLITUDE = 8_000
SECONDS, FADE = 1.5, 0.6


def test_two_tones_fade_with_equal_power() -> None:
    sent = 0

    async def play(voice: Voice) -> None:
        nonlocal sent
        player = voice.player
        player.crossfade = FADE
        player.queue.append(Tone(ONE, SECONDS))
        player.queue.append(Tone(TWO, SECONDS))
        await player.wait_for_stopped()
        sent = voice.frames_played

    heard = record_what(play)
    fade = 2 * SECONDS - sent / 50
    assert fade == pytest.approx(FADE, abs=0.021), "the end is seen a frame late"
    one, two = (envelope(heard.samples, hertz) / AMPLITUDE for hertz in (ONE, TWO))
    begin, end = round((SECONDS - fade) * 1000), round(SECONDS * 1000)
    power = one**2 + two**2
    assert 10 * np.log10(power[50 : end + 800]) == pytest.approx(0, abs=0.3)
    progress = np.clip((np.arange(len(one)) + 5 - begin) / (end - begin), 0, 1)
    whole = slice(50, end + 800)
    assert one[whole] == pytest.approx(np.cos(progress * np.pi / 2)[whole], abs=0.04)
    assert two[whole] == pytest.approx(np.sin(progress * np.pi / 2)[whole], abs=0.04)


def test_without_one_the_next_begins_where_one_ends() -> None:
    async def play(voice: Voice) -> None:
        voice.player.queue.append(Tone(ONE, SECONDS))
        voice.player.queue.append(Tone(TWO, SECONDS))
        await voice.player.wait_for_stopped()
        assert voice.frames_played == round(2 * SECONDS * 50)

    heard = record_what(play)
    one, two = (envelope(heard.samples, hertz) / AMPLITUDE for hertz in (ONE, TWO))
    middle = round(SECONDS * 1000)
    assert one[50 : middle - 15] == pytest.approx(1, abs=0.03)
    assert two[middle + 10 : middle + 1_000] == pytest.approx(1, abs=0.03)
    assert one[middle + 20 : middle + 1_000].max() < 0.03
    assert len(heard.samples) / RATE >= 2 * SECONDS
