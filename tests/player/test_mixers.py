"""A mixer in the engine, whose inputs somebody reads ahead: what is told, and what is sent."""

from tests.media.mixing.numbered import HUNDREDS, Numbered, heard, hundreds, units
from tests.media.mixing.tones import as_frames
from voicekit.errors import MediaError
from voicekit.media import Broadcast, Mixer
from voicekit.media.player import SourceFailed, Stalled, Track

from .rig import DEPTH, Rig


class Noted(Mixer):
    """Notes what it has mixed."""

    def __init__(self, *sources: Numbered) -> None:
        super().__init__(*sources)
        self.mixed: list[bytes] = []

    def next_pcm(self) -> bytes | None:
        pcm = super().next_pcm()
        if pcm is not None:
            self.mixed.append(pcm)
        return pcm


class Reading(Rig):
    """Reads inputs ahead where it is told how far."""

    def put_on(self, track: Track) -> Track:
        assert track.mixer is not None
        track.mixer.read_ahead_by(track, self.serve)
        return super().put_on(track)

    def read_inputs(self, mixer: Mixer, *frames: int) -> None:
        for input, ahead in zip(mixer.inputs, frames, strict=True):
            while input.wants(ahead):
                input.read(ahead)
        self.read()


def test_speech_that_stalls_is_told_and_the_music_goes_on() -> None:
    music, speech = Numbered(100), Numbered(100, HUNDREDS)
    mixer = Noted(music, speech)
    rig = Reading()
    rig.put_on(Track(mixer))
    rig.read_inputs(mixer, 32, 20)
    for _ in range(30):
        rig.tick()
        rig.read_inputs(mixer, 32, 0)
    assert rig.ring.waiting, "nothing is missing"
    assert rig.events.count(Stalled(speech)) == 1
    assert Stalled(mixer) not in rig.events
    for _ in range(20):
        rig.tick()
        rig.read_inputs(mixer, 32, 32)
    mixed = as_frames(mixer.mixed)
    assert units(mixed) == list(range(1, len(mixed) + 1))
    numbers = hundreds(mixed)
    assert heard(numbers) == list(range(1, len(heard(numbers)) + 1))
    assert numbers[20] == 0
    assert numbers[-1] > 20


def test_a_mixer_of_a_stalled_source_is_a_stalled_source() -> None:
    source = Numbered(100)
    mixer = Noted(source)
    rig = Reading()
    track = rig.put_on(Track(mixer))
    rig.read_inputs(mixer, 12)
    for _ in range(20):
        rig.tick()
        rig.read()
    assert not rig.ring.waiting
    assert rig._stalled == Stalled(mixer)
    assert not track.wants(DEPTH * 960), "nobody is to wait in a thread"
    rig.read_inputs(mixer, 20)
    rig.tick(20)
    numbers = units(as_frames(mixer.mixed))
    assert numbers == list(range(1, len(numbers) + 1)), "and silence is no part of it"
    assert len(numbers) > 12
    assert rig.is_playing


def test_one_that_fails_is_told_when_it_is_heard_and_the_mixer_ends_with_the_last() -> None:
    fault = MediaError("it broke off")
    bad, good = Numbered(15, error=fault), Numbered(40, HUNDREDS)
    mixer = Noted(bad, good)
    rig = Reading()
    track = rig.put_on(Track(mixer))
    rig.read_inputs(mixer, 32, 32)
    assert SourceFailed(bad, fault) not in rig.events
    while track.reason is None:
        rig.tick()
        rig.read_inputs(mixer, *[32 for _ in mixer.inputs])
    assert rig.events.count(SourceFailed(bad, fault)) == 1
    assert heard(units(as_frames(mixer.mixed))) == list(range(1, 16))
    assert hundreds(as_frames(mixer.mixed)) == list(range(1, 41))
    assert track.error is None


def test_a_broadcast_of_a_mixer_goes_on_in_silence() -> None:
    source = Numbered(100)
    mixer = Noted(source)
    rig = Reading()
    rig.put_on(Track(Broadcast(mixer).listen()))
    rig.read_inputs(mixer, 12)
    for _ in range(20):
        rig.tick()
        rig.read()
    assert rig.ring.waiting
    assert rig.events.count(Stalled(source)) == 1
    assert units(as_frames(mixer.mixed))[10:14] == [11, 12, 0, 0]
