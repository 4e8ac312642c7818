"""Every format is played as it sounds, is what `probe` says, and begins where it is asked to."""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.measure import SAMPLE_RATE, find_lag, music
from tests.media.formats import DECODED, FORMATS, OPUS
from tests.media.frames import decoded
from voicekit._rtp import opus_duration
from voicekit.media import FileSource, MediaInfo, RawPcm, open_source, probe

SECONDS = 1.2
#: Hz. Not 1000: a period of 192 bytes looks like the packets of an MPEG transport stream, and
#: FFmpeg 9 can not decide between that and AIFF.
LEFT, RIGHT = 440, 1_010
#: Lossless at 48 kHz: nothing is resampled, so samples can be told apart.
EXACT = ("FLAC", "ALAC", "AIFF", "WAV of bytes")


def lag_of(name: str) -> int:
    """Samples by which a place may be missed: one where FFmpeg resamples, or a millisecond."""
    return 48 if name in ("WMA", "AAC in Matroska") else 1


def tones(seconds: float) -> npt.NDArray[np.int16]:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    both = [np.sin(2 * np.pi * pitch * t) for pitch in (LEFT, RIGHT)]
    return np.int16(np.stack(both, axis=1) * 12_000)


def pitch(samples: npt.NDArray[np.int16]) -> float:
    """The strongest frequency, in Hz, of the middle half."""
    middle = samples[len(samples) // 4 : len(samples) * 3 // 4].astype(float)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 18))
    return float(spectrum.argmax()) * SAMPLE_RATE / (1 << 18)


def opus_of(source: FileSource) -> list[bytes]:
    packets = list(iter(source.read, None))
    source.close()
    return packets


def pcm_of(source: FileSource) -> npt.NDArray[np.int16]:
    pcm = b"".join(iter(source.read_pcm, None))
    source.close()
    return np.frombuffer(pcm, np.int16).reshape(-1, 2)


@cache
def file_of_tones(name: str) -> bytes:
    return FORMATS[name].make(tones(SECONDS))


@cache
def file_of_music(name: str) -> bytes:
    return FORMATS[name].make(music(SECONDS))


@pytest.mark.parametrize("name", FORMATS)
def test_it_plays_at_its_pitch_and_length(name: str) -> None:
    source = open_source(file_of_tones(name))
    assert source.passthrough is (name in OPUS)
    assert source.duration == pytest.approx(SECONDS, abs=FORMATS[name].slack)
    packets = opus_of(source)
    assert {opus_duration(packet) for packet in packets} == {960}
    assert len(packets) * 0.02 == pytest.approx(SECONDS, abs=FORMATS[name].slack)
    out = decoded(packets)
    assert pitch(out[:, 0]) == pytest.approx(LEFT, abs=1)
    assert pitch(out[:, 1]) == pytest.approx(RIGHT, abs=1)
    middle = out[len(out) // 4 : len(out) * 3 // 4].astype(float)
    assert np.sqrt((middle**2).mean()) == pytest.approx(12_000 / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("name", FORMATS)
def test_its_samples_are_those_that_were_encoded(name: str) -> None:
    pcm = pcm_of(open_source(file_of_music(name)))
    lag = find_lag(music(SECONDS) / 32768, pcm / 32768)
    if FORMATS[name].delay is None:
        assert abs(lag) < 4800
    else:
        assert abs(lag - (FORMATS[name].delay or 0)) <= 2


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("seconds", [0.13, 0.7007])
def test_it_begins_where_it_is_asked_to(name: str, seconds: float) -> None:
    """Against the samples from its beginning: the codec's own faults are in both."""
    made = file_of_music(name)
    whole = pcm_of(open_source(made))
    source = open_source(made, start=seconds)
    if name in OPUS:  # to the packet
        assert -0.001 <= seconds - source.position < 0.021
    else:
        assert source.position == seconds
    at = round(source.position * SAMPLE_RATE)
    if name in ("WebM Opus", "MKV Opus"):  # time stamps in milliseconds; packets are whole
        at = round(at / 960) * 960
    out = pcm_of(source)
    assert abs(len(out) - (len(whole) - at)) <= 960
    if name in EXACT:
        length = min(len(out), len(whole) - at)
        assert np.array_equal(out[:length], whole[at : at + length])
        return
    # The first 0.1 s may still settle.
    length = min(len(out), len(whole) - at) // 960 * 960
    wanted, got = (signal[4800:length] / 32768 for signal in (whole[at:], out))
    assert abs(find_lag(wanted, got)) <= lag_of(name)


@pytest.mark.parametrize("name", DECODED)
def test_seeking_goes_back_and_forth(name: str) -> None:
    source = open_source(file_of_music(name))
    whole = np.frombuffer(b"".join(iter(source.read_pcm, None)), np.int16).reshape(-1, 2)
    assert source.read_pcm() is None
    for seconds in (0.5, 0.1, 0.8, 0.0):
        source.seek(seconds)
        assert source.position == seconds
        got = [source.read_pcm() for _ in range(10)]
        assert source.position == pytest.approx(seconds + 0.2)
        at = round(seconds * SAMPLE_RATE)
        out = np.frombuffer(b"".join(frame or b"" for frame in got), np.int16).reshape(-1, 2)
        wanted = whole[at : at + 9600]
        assert abs(find_lag(wanted / 32768, out / 32768)) <= lag_of(name)
    source.close()


@pytest.mark.parametrize("name", FORMATS)
def test_probing_says_codec_bit_rate_and_length(name: str) -> None:
    made = file_of_tones(name)
    info = probe(made)
    assert info.codec == FORMATS[name].codec
    assert info.sample_rate == FORMATS[name].rate
    assert info.channels == 2
    assert info.duration == pytest.approx(SECONDS, abs=0.35)
    assert info.bit_rate == pytest.approx(len(made) * 8 / SECONDS, rel=0.3)


@pytest.mark.parametrize(
    "name", ["MP3", "Ogg Vorbis", "FLAC", "M4A", "Ogg Opus", "MKV Opus", "WMA", "WAV"]
)
def test_tags_are_told_with_names_in_lower_case(name: str) -> None:
    made = FORMATS[name].make(tones(0.2), title="Ode an die Freude", artist="Beethoven")
    source = open_source(made)
    for tags in (source.metadata, probe(made).metadata):
        assert tags["title"] == "Ode an die Freude"
        assert tags["artist"] == "Beethoven"
    source.close()


# -- raw PCM -------------------------------------------------------------------

RAW = {
    "s16le": (np.int16, 1),
    "s16be": (">i2", 1),
    "f32le": (np.float32, 1 / 32768),
    "s32le": (np.int32, 65536),
    "u8": (np.uint8, 1 / 256),
}


@pytest.mark.parametrize("kind", RAW)
@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (16_000, 1)])
def test_raw_pcm_is_played_in_the_given_format(kind: str, rate: int, channels: int) -> None:
    t = np.arange(rate) / rate
    wave = np.repeat((np.sin(2 * np.pi * LEFT * t) * 12_000)[:, None], channels, axis=1)
    dtype, scale = RAW[kind]
    raw = (wave * scale + (128 if kind == "u8" else 0)).astype(dtype).tobytes()
    format = RawPcm(kind, rate, channels)
    source = open_source(raw, format=format)
    assert source.duration == pytest.approx(1)
    packets = opus_of(source)
    assert len(packets) == 50
    out = decoded(packets)
    assert pitch(out[:, 0]) == pitch(out[:, 1]) == pytest.approx(LEFT, abs=1)
    assert np.abs(out.astype(int)).max() == pytest.approx(12_000, rel=0.1)
    info = probe(raw, format=format)
    assert (info.codec, info.bit_rate) == (f"pcm_{kind}", len(raw) * 8)


def test_raw_pcm_begins_to_the_sample() -> None:
    pcm = music(0.5)
    out = pcm_of(open_source(pcm.tobytes(), format=RawPcm(), start=0.2))
    assert np.array_equal(out[: len(pcm) - 9600], pcm[9600:])


def test_what_is_said_of_a_format_is_checked() -> None:
    for format in ("no such format", RawPcm("s17le")):
        with pytest.raises(ValueError, match="knows no format"):
            open_source(bytes(100), format=format)
    with pytest.raises(ValueError, match="at least 1 Hz"):
        RawPcm("s16le", 0)


@pytest.mark.parametrize("name", ["FLAC", "MP4", "Ogg Opus"])
def test_probing_leaves_a_file_object_where_it_was(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"1234" + file_of_tones(name))
    with path.open("rb") as file:
        file.seek(4)
        assert probe(file).codec == FORMATS[name].codec
        assert file.tell() == 4


def test_what_probe_returns_is_a_value() -> None:
    made = file_of_tones("FLAC")
    assert probe(made) == probe(made)
    assert isinstance(probe(made), MediaInfo)
