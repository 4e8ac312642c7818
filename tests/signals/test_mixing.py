"""A mixer in a call: what is added is heard at once, music makes room, and a failure is told."""

import pytest

from tests.drivers.libraries import lib
from tests.media.mixing.tones import Tone
from tests.signals.calls import envelope, record_what
from voicekit.driver.playing import PlayingCall as Voice
from voicekit.media import Ducking, Mixer
from voicekit.media.player import SourceFailed

MUSIC, SPEECH, AMPLITUDE = 500, 1_200, 8_000


class Prompt(Mixer):
    """Never waits: it is read where the ring is filled, so the clock may be virtual."""

    blocking = False


def test_speech_over_music_in_a_call() -> None:
    told: list[float] = []
    failures: list[tuple[object, Exception]] = []
    fault = OSError("the line is dead")

    async def play(voice: Voice) -> None:
        ducking = Ducking(depth=12, attack=0.1, hold=0.1, release=0.2)
        mixer = Prompt(Tone(MUSIC, 150), ducking=ducking)
        events = voice.player.events()
        await voice.player.play(mixer)
        await lib.sleep(1)
        told.append(lib.current_time())
        speech = Tone(SPEECH, 40, error=fault)
        mixer.add(speech, ducks=True, volume=0.5)
        await voice.player.wait_for_stopped()
        while len(failures) == 0:
            if isinstance(event := await events.receive(), SourceFailed):
                failures.append((event.source, event.error))
        assert failures == [(speech, fault)]

    heard = record_what(play)
    music, speech = (envelope(heard.samples, hertz) / AMPLITUDE for hertz in (MUSIC, SPEECH))
    added = round(heard.at(told[0]) / 48)  # in milliseconds, as the envelopes are
    begin = added + int((speech[added:] > 0.25).argmax())
    assert begin - added < 100, "live: nothing was read ahead"
    assert music[50 : begin - 20] == pytest.approx(1, abs=0.03)
    assert speech[begin + 20 : begin + 770] == pytest.approx(0.5, abs=0.03)
    assert music[begin + 130 : begin + 780] == pytest.approx(10 ** (-12 / 20), abs=0.02)
    assert music[begin + 1050 : 2900] == pytest.approx(1, abs=0.03), "and back"
    assert speech[begin + 830 : 2900].max() < 0.03
