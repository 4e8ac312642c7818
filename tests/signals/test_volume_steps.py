"""A change of volume is heard within 40 ms, at the level that was asked for, without a click."""

import numpy as np
import pytest

from tests.drivers.libraries import lib
from tests.signals.calls import RATE, Tone, envelope, phases, record_what
from voicekit.driver.playing import PlayingCall as Voice

HERTZ, AMPLITUDE = 1_000, 8_000
STEPS = [0.5, 0.25, 1.0, 2.0, 0.0, 1.0]


@pytest.mark.parametrize("whose", ["the player's", "the source's"])
def test_volume_steps_are_heard_within_40_ms(whose: str) -> None:
    told: list[float] = []

    async def play(voice: Voice) -> None:
        source = Tone(HERTZ, amplitude=AMPLITUDE)
        await voice.player.play(source)
        for n, volume in enumerate(STEPS):
            await lib.sleep(0.4 + 0.003 * n)  # wherever in a frame that is
            told.append(lib.current_time())
            if whose == "the player's":
                voice.player.volume = volume
            else:
                source.volume = volume
        await lib.sleep(0.4)
        voice.player.stop()
        await voice.player.wait_for_stopped()

    heard = record_what(play)
    levels = envelope(heard.samples, HERTZ) / AMPLITUDE
    before = 1.0
    for now, volume in zip(told, STEPS, strict=True):
        # One value per millisecond, of the 10 ms around it.
        change = round(heard.at(now) / 48) - 5
        assert levels[change - 40 : change] == pytest.approx(before, abs=0.03)
        moved = np.abs(levels[change : change + 200] - before) > 0.1 * abs(volume - before)
        assert moved.argmax() <= 40, "it begins to move within 40 ms"
        assert levels[change + 70 : change + 350] == pytest.approx(volume, abs=0.03)
        before = volume


def test_nothing_is_repeated_and_nothing_dropped() -> None:
    """The phase of the tone goes on through twenty changes."""

    async def play(voice: Voice) -> None:
        await voice.player.play(Tone(HERTZ))
        for n in range(20):
            await lib.sleep(0.083)
            voice.player.volume = 0.5 if n % 2 == 0 else 1.0
        voice.player.stop()
        await voice.player.wait_for_stopped()

    heard = record_what(play)
    whole = heard.samples[: round(1.6 * RATE)]
    turns = phases(whole, HERTZ)[4:]
    assert np.abs(np.diff(turns)).max() < 0.05, "a sample is 0.13"
