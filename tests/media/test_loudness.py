"""Loudness is measured as EBU R128 says, and normalised to what was asked for."""

import io
import math

import av
import numpy as np
import numpy.typing as npt
import pytest

from tests.measure import music
from tests.media.files import made_by_ffmpeg, wav
from tests.media.frames import decoded, encoded
from tests.media.test_framed_opus import Pipe
from voicekit.media import LOUDNESS, FileSource, OggOpusWriter, open_source
from voicekit.media._loudness import LoudnessMeter
from voicekit.media.sources.loudness import normalising_gain

PCM = music(1.5)


def tone(decibel: float, seconds: float, pitch: float = 1000) -> npt.NDArray[np.int16]:
    t = np.arange(round(seconds * 48_000)) / 48_000
    wave = np.sin(2 * np.pi * pitch * t) * 32_768 * 10 ** (decibel / 20)
    return np.repeat(np.int16(np.round(wave))[:, None], 2, axis=1)


def loudness(pcm: npt.NDArray[np.int16]) -> float:
    meter = LoudnessMeter()
    meter.push(pcm)
    return meter.integrated


def pcm_of(source: FileSource) -> npt.NDArray[np.int16]:
    pcm = b"".join(iter(source.read_pcm, None))
    source.close()
    return np.frombuffer(pcm, np.int16).reshape(-1, 2)


# -- the meter -----------------------------------------------------------------

# EBU Tech 3341, table 1, cases 1 to 5, at a tenth of their length: what the meter must say, ±0.1.
CASES = {
    "1: -23 dB": ([(-23, 2)], -23.0),
    "2: -33 dB": ([(-33, 2)], -33.0),
    "3: a pause of -36 dB": ([(-36, 1), (-23, 6), (-36, 1)], -23.0),
    "4: and of -72 dB": ([(-72, 1), (-36, 1), (-23, 6), (-36, 1), (-72, 1)], -23.0),
    "5: louder in the middle": ([(-26, 2), (-20, 2.01), (-26, 2)], -23.0),
}


@pytest.mark.parametrize(("parts", "wanted"), CASES.values(), ids=CASES.keys())
def test_the_meter_passes_the_cases_of_ebu_tech_3341(
    parts: list[tuple[float, float]], wanted: float
) -> None:
    pcm = np.concatenate([tone(level, seconds) for level, seconds in parts])
    # At a tenth of the length the blocks that lie across a change weigh ten times as much.
    assert loudness(pcm) == pytest.approx(wanted, abs=0.1 if len(parts) == 1 else 0.3)


@pytest.mark.parametrize("pitch", [30, 100, 1000, 3000, 10_000])
def test_the_meter_agrees_with_ffmpeg(pitch: float) -> None:
    pcm = np.clip(music(1.5) // 2 + tone(-20, 1.5, pitch), -32768, 32767).astype(np.int16)
    graph = av.filter.Graph()
    source = graph.add_abuffer(format="s16", sample_rate=48_000, layout="stereo")
    graph.link_nodes(
        source, graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
    ).configure()
    frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate = 48_000
    graph.push(frame)
    graph.push(None)
    theirs = None
    while True:
        try:
            out = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            break
        theirs = out.metadata.get("lavfi.r128.I", theirs)
    if theirs is None:
        pytest.skip("this PyAV does not hand out what filters say of a frame")
    assert loudness(pcm) == pytest.approx(float(theirs), abs=0.1)


def test_the_pieces_do_not_matter() -> None:
    meter = LoudnessMeter()
    for at in range(0, len(PCM), 777):
        meter.push(PCM[at : at + 777])
    assert meter.integrated == loudness(PCM)
    assert meter.peak == pytest.approx(20 * math.log10(np.abs(PCM.astype(int)).max() / 32768))


def test_silence_and_next_to_nothing_have_no_loudness() -> None:
    assert loudness(np.zeros((48_000, 2), np.int16)) == -math.inf
    assert loudness(tone(-20, 0.39)) == -math.inf
    assert LoudnessMeter().peak == -math.inf
    with pytest.raises(ValueError, match="cut"):
        LoudnessMeter().push(bytes(3))


# -- the gain ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measured", "peak", "decibel"),
    [
        (-20, -6, 4),  # as asked for
        (-10, 0, -6),  # down
        (-30, -5, 4),  # no more than its peaks allow
        (-65, -50, 24),  # noise does not roar
        (-math.inf, -math.inf, 0),
    ],
)
def test_the_gain(measured: float, peak: float, decibel: float) -> None:
    gain = normalising_gain(measured, peak, -16)
    assert 20 * math.log10(gain) == pytest.approx(decibel)


# -- sources -------------------------------------------------------------------


def opus_file() -> bytes:
    file = io.BytesIO()
    writer = OggOpusWriter(file)
    for packet in encoded(PCM):
        writer.write(packet)
    writer.close()
    return file.getvalue()


FILES = {
    "quiet": wav(PCM // 8),
    "loud": wav(np.clip(PCM.astype(int) * 3 // 2, -32768, 32767).astype(np.int16)),
    "MP3": made_by_ffmpeg(PCM // 4, "mp3", "libmp3lame", rate=44_100),
    "Opus": opus_file(),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("target", [-23.0, -18.0])
def test_a_file_gets_the_loudness_that_was_asked_for(name: str, target: float) -> None:
    out = pcm_of(open_source(FILES[name], normalize=target))
    assert loudness(out) == pytest.approx(target, abs=0.2)


def test_it_is_heard_in_the_opus_that_is_sent() -> None:
    source = open_source(FILES["quiet"], normalize=LOUDNESS - 4)
    assert not source.passthrough
    packets = list(iter(source.read, None))
    assert len(packets) == 75
    assert loudness(decoded(packets)) == pytest.approx(LOUDNESS - 4, abs=0.3)


def test_dynamics_stay_as_they_are() -> None:
    out = pcm_of(open_source(FILES["quiet"], normalize=-20.0))[: len(PCM)]
    gain = np.std(out) / np.std(PCM // 8)
    assert np.abs(out - (PCM // 8) * gain).max() <= 0.01 * np.abs(out.astype(int)).max()


def test_it_goes_with_volume_start_and_loop() -> None:
    whole = pcm_of(open_source(FILES["quiet"], normalize=-20.0))
    source = open_source(FILES["quiet"], normalize=-20.0, volume=0.5, start=0.5, loop=1)
    assert source.position == 0.5
    out = pcm_of(source)
    wanted = np.concatenate((whole[24_000 : len(PCM)], whole[: len(PCM)]))
    assert np.abs(out[: len(wanted)] - wanted / 2.0).max() <= 1.5


def test_what_can_be_read_only_once_is_levelled_as_it_comes() -> None:
    """FFmpeg's loudnorm takes 3 s before it knows: of a short piece it makes one block."""
    pcm = music(5) // 8
    source = open_source(Pipe(wav(pcm)), normalize=-20.0)  # type: ignore[arg-type]
    out = pcm_of(source)
    assert len(out) == pytest.approx(len(pcm), abs=1920)
    assert loudness(out) == pytest.approx(-20, abs=2)
    assert loudness(pcm) < -26
