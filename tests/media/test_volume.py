"""Volume: exact, without clicks, bent softly at full scale; and the options of the encoder."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.measure import music
from tests.media.files import wav
from tests.media.frames import decoded
from voicekit.media import EncoderOptions, open_source
from voicekit.media._gain import amplify
from voicekit.opus import Encoder, OpusError
from voicekit.opus_packet import opus_has_fec, opus_mode

PCM = music(0.5)
RAMP = np.arange(-32768, 32768, dtype=np.int16)  # every sample there is


def scaled(samples: npt.NDArray[np.int16], gain: float) -> npt.NDArray[np.int16]:
    return np.frombuffer(amplify(samples, gain, gain), np.int16)


def pcm_of(volume: float) -> npt.NDArray[np.int16]:
    source = open_source(wav(PCM), volume=volume)
    assert source.volume == volume
    out = np.frombuffer(b"".join(iter(source.read_pcm, None)), np.int16).reshape(-1, 2)
    source.close()
    return out


@pytest.mark.parametrize("gain", [0, 0.1, 0.5, 0.999, 1])
def test_up_to_1_it_is_a_factor(gain: float) -> None:
    assert np.abs(scaled(RAMP, gain) - RAMP.astype(float) * gain).max() <= 1
    assert np.array_equal(pcm_of(1), PCM)
    assert np.abs(pcm_of(gain) - PCM * float(gain)).max() <= 0.51


@pytest.mark.parametrize("gain", [1.001, 1.2, 2, 4, 100, 1e300])
def test_above_1_it_bends_and_never_wraps(gain: float) -> None:
    out = scaled(RAMP, gain).astype(int)
    exact = RAMP.astype(float) * min(gain, 1e9)
    knee = 32767 * max(0.75, 1 / gain)
    straight = np.abs(exact) < knee - 1
    assert np.abs(out - exact)[straight].max() <= 1, "soft sounds are not bent"
    assert np.all(np.diff(out) >= 0), "never wraps"
    assert np.abs(out).max() <= 32767
    assert np.all(np.abs(out) <= np.abs(exact) + 1)
    if gain <= 2:
        assert np.diff(out).max() <= math.ceil(gain) + 1, "no corner"


def test_a_gain_barely_above_1_changes_barely_anything() -> None:
    assert np.abs(scaled(RAMP, 1.0001).astype(int) - RAMP).max() <= 4


def test_it_moves_within_the_frame() -> None:
    flat = np.full((960, 2), 10_000, np.int16)
    out = np.frombuffer(amplify(flat, 0.2, 1.0), np.int16).reshape(-1, 2).astype(int)
    assert np.array_equal(out[:, 0], out[:, 1])
    assert out[0, 0] == pytest.approx(2_000, abs=10)
    assert out[-1, 0] == 10_000
    assert 0 <= np.diff(out[:, 0]).min() <= np.diff(out[:, 0]).max() <= 10


def test_it_is_live() -> None:
    source = open_source(wav(np.full((48_000, 2), 10_000, np.int16)))
    levels = []
    for volume in (1, 0.5, 0.5, 0, 0, 2, 2):
        source.volume = volume
        frame = np.frombuffer(source.read_pcm() or b"", np.int16)
        levels.append((int(frame[0]), int(frame[-1])))
    source.close()
    assert [last for _, last in levels] == [10_000, 5_000, 5_000, 0, 0, 20_000, 20_000]
    assert [first for first, _ in levels] == pytest.approx(
        [10_000, 10_000, 5_000, 5_000, 0, 0, 20_000], abs=25
    )


@pytest.mark.parametrize("volume", [-0.001, -1, math.nan, math.inf, -math.inf])
def test_a_volume_that_is_none_is_refused(volume: float) -> None:
    source = open_source(wav(PCM), volume=0.5)
    with pytest.raises(ValueError, match="volume is a finite number of at least 0"):
        source.volume = volume
    assert source.volume == 0.5
    source.close()
    with pytest.raises(ValueError, match="volume"):
        open_source(wav(PCM), volume=volume)
    with pytest.raises(ValueError, match="gain"):
        amplify(RAMP, 1, volume)


def test_samples_that_are_cut_are_refused() -> None:
    with pytest.raises(ValueError, match="cut"):
        amplify(bytes(6), 1, 0.5)
    with pytest.raises(ValueError, match="channels"):
        amplify(bytes(4), 1, 0.5, 0)
    assert amplify(b"", 1, 0.5) == b""
    assert amplify(bytes(6), 1, 0.5, 1) == bytes(6)


# -- encoder options -----------------------------------------------------------


def test_the_options_are_the_encoders() -> None:
    options = EncoderOptions(
        application="voip",
        bitrate=32_000,
        bandwidth="wideband",
        signal="voice",
        fec="always",
        expected_loss=15,
        complexity=5,
        dtx=True,
    )
    encoder = options.make()
    assert encoder.application == "voip"
    assert encoder.bitrate == 32_000
    assert encoder.signal == "voice"
    assert encoder.inband_fec == 1
    assert encoder.packet_loss_perc == 15
    assert encoder.complexity == 5
    assert encoder.dtx
    encoder.encode(PCM[:960])
    assert encoder.bandwidth == "wideband"


def test_fec_for_voice_alone_is_off_where_libopus_does_not_know_it() -> None:
    class BeforeLibopus14:
        """As `Encoder`, whose libopus takes 0 and 1."""

        fec = -1

        @property
        def inband_fec(self) -> int:
            return self.fec

        @inband_fec.setter
        def inband_fec(self, value: int) -> None:
            if value > 1:
                raise OpusError(-1, "inband_fec")
            self.fec = value

    encoder: Any = BeforeLibopus14()
    EncoderOptions(fec="voice", expected_loss=15).apply(encoder)
    assert encoder.inband_fec == 0
    EncoderOptions(fec="always").apply(encoder)
    assert encoder.inband_fec == 1


def test_the_defaults_are_libopuss_but_for_the_bitrate() -> None:
    ours, theirs = EncoderOptions().make(), Encoder(48_000, 2, "audio")
    theirs.bitrate = 128_000
    for start in range(0, 9600, 960):
        frame = PCM[start : start + 960]
        assert ours.encode(frame) == theirs.encode(frame)


WRONG: list[dict[str, Any]] = [
    {"application": "music"},
    {"bitrate": 499},
    {"bitrate": 512_001},
    {"bitrate": "most"},
    {"bitrate": 64.5},
    {"bandwidth": 20_000},
    {"signal": "noise"},
    {"fec": True},
    {"expected_loss": 101},
    {"expected_loss": -1},
    {"complexity": 11},
]


@pytest.mark.parametrize("settings", WRONG, ids=str)
def test_options_that_libopus_would_refuse_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        EncoderOptions(**settings)


def test_options_are_frozen_values() -> None:
    options = EncoderOptions(bitrate=64_000)
    with pytest.raises(AttributeError):
        options.bitrate = 1  # type: ignore[misc]
    assert options == EncoderOptions(bitrate=64_000)
    assert len({options, EncoderOptions(bitrate=64_000)}) == 1


def test_a_source_encodes_as_its_options_say() -> None:
    speech = EncoderOptions(
        application="voip", bitrate=24_000, signal="voice", fec="always", expected_loss=20
    )
    source = open_source(wav(PCM), encoder=speech)
    packets = list(iter(source.read, None))
    assert opus_mode(packets[5]) != "celt"
    assert any(map(opus_has_fec, packets))
    assert sum(map(len, packets)) * 8 / 0.5 == pytest.approx(24_000, rel=0.25)
    assert decoded(packets).any()


def test_options_change_while_it_plays() -> None:
    source = open_source(wav(music(1)))
    high = [source.read() or b"" for _ in range(25)]
    source.encoder_options = EncoderOptions(bitrate=16_000)
    low = [source.read() or b"" for _ in range(25)]
    assert sum(map(len, low)) < sum(map(len, high)) / 3
    with pytest.raises(ValueError, match="application"):
        source.encoder_options = EncoderOptions(application="voip")
    assert source.encoder_options == EncoderOptions(bitrate=16_000)


@pytest.mark.parametrize(
    ("options", "reported", "expected"),
    [
        ({}, 0.031, 4),
        ({}, 0.0, 0),
        ({}, 1.0, 100),
        ({"expected_loss": 10}, 0.03, 10),
        ({"expected_loss": 10}, 0.2, 20),
        ({"expected_loss": 10, "follow_reports": False}, 0.5, 10),
    ],
)
def test_receivers_reports_raise_the_expected_loss(
    options: dict[str, Any], reported: float, expected: int
) -> None:
    assert EncoderOptions(**options).loss_to_expect(reported) == expected
    with pytest.raises(ValueError, match="0 to 1"):
        EncoderOptions(**options).loss_to_expect(1.5)


def test_a_reported_loss_reaches_the_encoder() -> None:
    voice = EncoderOptions(application="voip", bitrate=24_000, signal="voice", fec="always")
    source = open_source(wav(music(1)), encoder=voice)
    assert not any(opus_has_fec(source.read() or b"") for _ in range(20))
    source.report_loss(0.2)
    assert any(opus_has_fec(source.read() or b"") for _ in range(20))
    source.close()
