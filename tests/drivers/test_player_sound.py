"""What the player's volume, joins and fades sound like: signals in, decoded packets compared."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from tests.media.files import wav
from voicekit.driver.playing import PlayingCall as Voice
from voicekit.media import EncoderOptions, open_source
from voicekit.opus import Encoder

from .libraries import lib
from .players import Signal, Song, decoded, in_call, levels, packets, tone


def error_of(
    heard: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the loudness of what is wrong in each 20 ms, against a tone's of 8000."""
    length = min(len(heard), len(expected))
    return levels(heard[:length] - expected[:length]) / (8000 / math.sqrt(2))


def chirp(seconds: float, low: float = 300.0, high: float = 1500.0) -> npt.NDArray[np.int16]:
    """A pitch that rises: what is in a wrong place by a millisecond shows."""
    t = np.arange(round(seconds * 48_000)) / 48_000
    wave = 8000 * np.sin(2 * np.pi * (low * t + (high - low) / (2 * seconds) * t**2))
    return np.repeat(np.round(wave).astype(np.int16)[:, None], 2, axis=1)


@pytest.mark.parametrize("whose", ["player", "source"])
@pytest.mark.parametrize("volume", [0.0, 0.25, 2.0])
def test_a_new_volume_is_heard_within_40_ms_and_in_the_right_place(
    whose: str, volume: float
) -> None:
    signal = chirp(2.0)
    sent = 0

    async def use(voice: Voice, heard: list[bytes]) -> None:
        nonlocal sent
        source = Signal(signal)
        await voice.player.play(source)
        await lib.sleep(0.81)
        sent = voice.frames_played
        louder = voice.player if whose == "player" else source
        louder.volume = volume
        assert louder.volume == volume

    spoken = in_call(use)
    assert len(spoken) == 100
    heard = decoded(spoken)
    # The frame on its way, then the frame in which it moves.
    moves = (sent + 1) * 960
    gain = np.ones(len(signal))
    gain[moves:] = volume
    gain[moves : moves + 960] = np.linspace(1, volume, 960)
    wrong = error_of(heard, signal[:, 0] * gain)
    assert wrong[:90].max() < 0.06 * max(1, volume)
    assert wrong[: sent - 1].max() < 0.05


def test_volumes_multiply_and_none_is_below_0() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        source = Signal(tone(0.5), volume=0.5)
        for bad in (-0.1, math.nan, math.inf):
            with pytest.raises(ValueError, match="volume"):
                voice.player.volume = bad
        voice.player.volume = 0.5
        await voice.player.play(source)

    loud = levels(decoded(in_call(use)))[3:20]
    assert loud == pytest.approx(np.full(17, 0.25 * 8000 / math.sqrt(2)), rel=0.03)


def test_a_volume_that_is_turned_all_the_time_drops_nothing() -> None:
    signal = chirp(2.0)

    async def use(voice: Voice, heard: list[bytes]) -> None:
        await voice.player.play(Signal(signal))
        for n in range(150):
            await lib.sleep(0.011)
            voice.player.volume = 1.0 + 0.1 * (n % 2)

    spoken = in_call(use)
    assert len(spoken) == 100
    assert error_of(decoded(spoken), signal[:, 0] * 1.05)[:90].max() < 0.15


def test_packets_pass_untouched_at_volume_1_and_only_then() -> None:
    signal = tone(2.0)
    encoder = Encoder()
    own = [encoder.encode(signal[at : at + 960].tobytes()) for at in range(0, len(signal), 960)]
    turned: list[int] = []

    class Own(Song):
        def __init__(self) -> None:
            super().__init__(0, 0)
            self.packets = own

    async def use(voice: Voice, heard: list[bytes]) -> None:
        await voice.player.play(Own())
        for volume in (0.5, 1.0):
            await lib.sleep(0.61)
            turned.append(voice.frames_played)
            voice.player.volume = volume

    spoken = in_call(use)
    assert len(spoken) == 100
    down, up = turned
    assert spoken[: down + 1] == own[: down + 1]
    assert not set(spoken[down + 1 : up + 2]) & set(own)
    assert spoken[up + 2 :] == own[up + 2 :]
    loud = levels(decoded(spoken)) / (8000 / math.sqrt(2))
    assert loud[down + 3 : up] == pytest.approx(np.full(up - down - 3, 0.5), abs=0.03)
    assert loud[up + 4 : 90] == pytest.approx(np.ones(86 - up), abs=0.05)


@pytest.mark.parametrize("cut", [960 * 20, 960 * 20 + 1, 960 * 20 + 700])
def test_a_tone_cut_in_two_tracks_goes_through_the_cut(cut: int) -> None:
    signal = chirp(1.0)

    async def use(voice: Voice, heard: list[bytes]) -> None:
        await voice.player.play(Signal(signal[:cut]))
        voice.player.queue.append(Signal(signal[cut:]))

    spoken = in_call(use)
    assert len(spoken) == 50
    assert error_of(decoded(spoken), signal[:, 0].astype(float))[:45].max() < 0.06


def test_a_volume_set_at_the_cut_undoes_and_joins_anew() -> None:
    signal = chirp(1.0)
    cut = 960 * 20 + 700

    async def use(voice: Voice, heard: list[bytes]) -> None:
        await voice.player.play(Signal(signal[:cut]))
        voice.player.queue.append(Signal(signal[cut:]))
        await lib.sleep(0.37)  # the cut is in the ring
        voice.player.volume = 1.001
        await lib.sleep(0.03)
        voice.player.volume = 1.0

    spoken = in_call(use)
    assert len(spoken) == 50
    assert error_of(decoded(spoken), signal[:, 0].astype(float))[:45].max() < 0.06


@pytest.mark.parametrize("seconds", [0.2, 0.5])
def test_a_cross_fade_has_equal_power(seconds: float) -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        for bad in (-1.0, math.nan, 31.0):
            with pytest.raises(ValueError, match="crossfade"):
                player.crossfade = bad
        player.crossfade = seconds
        await player.play(Signal(tone(1.0, 440)))
        player.queue.append(Signal(tone(1.0, 1000)))

    spoken = in_call(use)
    frames, fade = 100 - round(seconds / 0.02), round(seconds / 0.02)
    assert len(spoken) == frames
    heard = decoded(spoken)
    loud = levels(heard) / (8000 / math.sqrt(2))
    assert loud[2 : frames - 4] == pytest.approx(np.ones(frames - 6), abs=0.08)
    for pitch, curve in ((440, np.cos), (1000, np.sin)):
        for passed in (fade // 4, fade // 2, fade * 3 // 4):
            frame = 50 - fade + passed
            piece = slice((frame - 1) * 960, (frame + 1) * 960)
            t = np.arange(piece.start, piece.stop) / 48_000
            strength = 2 * abs(np.mean(heard[piece] * np.exp(-2j * np.pi * pitch * t))) / 8000
            assert strength == pytest.approx(curve(passed / fade * np.pi / 2), abs=0.08)


def test_skipping_fades_and_a_short_track_fades_as_long_as_it_is() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        player = voice.player
        player.crossfade = 0.4
        await player.play(Signal(tone(5.0, 440)))
        player.queue.append(Signal(tone(0.2, 1000)))
        player.queue.append(Signal(tone(1.0, 700)))
        await lib.sleep(1.0)
        player.skip()

    spoken = in_call(use)
    heard = levels(decoded(spoken)) / (8000 / math.sqrt(2))
    assert heard[2:-6].min() > 0.6
    assert heard.max() < 1.5
    assert 95 <= len(spoken) <= 125


def test_what_is_over_full_scale_is_bent_and_not_cut() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        voice.player.volume = 8.0
        await voice.player.play(Signal(tone(0.5, 440, 8000)))

    heard = decoded(in_call(use))[4800:-4800]
    assert 30_000 < np.abs(heard).max() <= 32_768
    assert np.abs(np.diff(heard)).max() < 20_000, "it never wraps"


def test_files_go_through_a_cut_too() -> None:
    signal = chirp(1.0)

    async def use(voice: Voice, heard: list[bytes]) -> None:
        one, two = open_source(wav(signal[:20_000])), open_source(wav(signal[20_000:]))
        for source in (one, two):
            source.blocking = False  # on a mock clock threads take for ever
        await voice.player.play(one)
        voice.player.queue.append(two)
        await voice.player.wait_for_stopped()
        one.close()
        two.close()

    spoken = in_call(use)
    assert len(spoken) == 50
    assert error_of(decoded(spoken), signal[:, 0].astype(float))[:45].max() < 0.06


def test_each_source_is_encoded_as_it_wants() -> None:
    async def use(voice: Voice, heard: list[bytes]) -> None:
        small = EncoderOptions(bitrate=16_000)
        voip = EncoderOptions(application="voip", bitrate=24_000)
        await voice.player.play(Signal(tone(0.5)))
        voice.player.queue.append(Signal(tone(0.5), encoder=small))
        voice.player.queue.append(Signal(tone(0.5), encoder=voip))

    spoken = in_call(use)
    assert len(spoken) == 75
    sizes = [sum(map(len, spoken[at + 5 : at + 20])) / 15 for at in (0, 25, 50)]
    assert sizes[0] > 200
    assert sizes[1] < 60
    assert sizes[2] < 90


def test_packets_of_other_lengths_and_what_is_no_opus_go_as_they_are() -> None:
    class Mixed(Song):
        def __init__(self) -> None:
            super().__init__(1, 10)
            self.packets[3] = b"\xf0" + bytes(40)  # 10 ms
            self.packets[5] = b""

    async def use(voice: Voice, heard: list[bytes]) -> None:
        await voice.player.play(Mixed())

    spoken = in_call(use)
    expected = packets(1, 10)
    expected[3] = b"\xf0" + bytes(40)
    del expected[5]
    assert spoken == expected


@pytest.mark.parametrize("volumes", [(0.5, 1.0), (1.0, 0.5), (0.5, 1.0, 0.5, 1.0)])
def test_packets_decoded_and_passed_untouched_in_turn_stay_in_their_places(
    volumes: tuple[float, ...],
) -> None:
    signal = chirp(3.0)
    encoder = Encoder()
    own = [encoder.encode(signal[at : at + 960].tobytes()) for at in range(0, len(signal), 960)]
    gain = np.ones(len(signal))

    class Own(Song):
        def __init__(self) -> None:
            super().__init__(0, 0)
            self.packets = own

    async def use(voice: Voice, heard: list[bytes]) -> None:
        before = voice.player.volume = volumes[0]
        gain[:] = before
        await voice.player.play(Own())
        for volume in volumes[1:]:
            await lib.sleep(0.5)
            moves = (voice.frames_played + 1) * 960
            gain[moves:] = volume
            gain[moves : moves + 960] = np.linspace(before, volume, 960)
            before = voice.player.volume = volume

    spoken = in_call(use)
    assert len(spoken) == 150
    heard = decoded(spoken)
    untouched = decoded(own)
    length = min(len(heard), len(untouched)) - 4800
    expected = untouched[:length] * gain[312 : 312 + length]
    wrong = error_of(heard[:length], expected)
    assert np.quantile(wrong, 0.9) < 0.06
    assert wrong[1:].max() < 0.2, "a slip of 6.5 ms would be as loud as the signal"
