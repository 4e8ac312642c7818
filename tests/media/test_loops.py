"""Loops without a gap, seeking's limits, and positions."""

import io
import math

import numpy as np
import numpy.typing as npt
import pytest

from tests.measure import music
from tests.media.files import wav
from tests.media.frames import encoded
from tests.media.test_framed_opus import Pipe
from voicekit.errors import MediaError
from voicekit.media import FileSource, OggOpusWriter, open_source

PCM = music(0.5)[:20_000]  # no whole number of frames
PACKETS = encoded(music(0.5))


def ogg_of(packets: list[bytes]) -> bytes:
    file = io.BytesIO()
    writer = OggOpusWriter(file)
    for packet in packets:
        writer.write(packet)
    writer.close()
    return file.getvalue()


def pcm_of(source: FileSource) -> npt.NDArray[np.int16]:
    pcm = b"".join(iter(source.read_pcm, None))
    return np.frombuffer(pcm, np.int16).reshape(-1, 2)


def test_a_loop_has_no_gap() -> None:
    source = open_source(wav(PCM), loop=2)
    out = pcm_of(source)
    wanted = np.concatenate([PCM] * 3)
    assert np.array_equal(out[: len(wanted)], wanted)
    assert len(out) == -(-len(wanted) // 960) * 960
    assert source.loop == 0


def test_untouched_opus_loops_packet_by_packet() -> None:
    source = open_source(ogg_of(PACKETS), loop=1)
    assert list(iter(source.read, None)) == PACKETS * 2


def test_a_loop_for_ever_is_ended_by_switching_it_off() -> None:
    for content in (wav(PCM), ogg_of(PACKETS)):
        source = open_source(content, loop=True)
        for _ in range(120):
            assert source.read()
        source.loop = False
        assert 0 < len(list(iter(source.read, None))) <= 25
        source.close()


def test_a_loop_begins_at_the_beginning_wherever_it_started() -> None:
    source = open_source(wav(PCM), start=0.3, loop=1)
    out = pcm_of(source)
    wanted = np.concatenate((PCM[14_400:], PCM))
    assert np.array_equal(out[: len(wanted)], wanted)


def test_the_position_starts_again_with_each_pass() -> None:
    source = open_source(wav(PCM), loop=1)
    positions = []
    while source.read_pcm() is not None:
        positions.append(round(source.position, 6))
    assert positions[:20] == pytest.approx([0.02 * (n + 1) for n in range(20)])
    # 20 000 samples are 20 frames and 800 samples, which the next pass fills up.
    assert positions[20] == pytest.approx(0.02 - 800 / 48_000, abs=1e-6)
    assert max(positions) <= len(PCM) / 48_000 + 0.02


def test_a_start_beyond_the_end_does_not_loop_for_ever() -> None:
    for content in (wav(PCM), ogg_of(PACKETS)):
        source = open_source(content, start=10, loop=1)
        assert len(list(iter(source.read, None))) <= 26
        source.close()


@pytest.mark.parametrize("content", [wav(PCM), ogg_of(PACKETS)], ids=["wav", "ogg"])
def test_a_place_beyond_the_end_is_the_end(content: bytes) -> None:
    source = open_source(content)
    source.seek(3600)
    assert source.read() is None
    source.seek(0.1)
    assert source.read()
    source.close()
    beyond = open_source(content, start=3600)
    assert beyond.read() is None


@pytest.mark.parametrize("seconds", [-0.1, math.nan, math.inf])
def test_a_place_that_is_none_is_refused(seconds: float) -> None:
    source = open_source(wav(PCM))
    with pytest.raises(ValueError, match="seconds is a finite number"):
        source.seek(seconds)
    assert source.position == 0
    source.close()


def test_a_closed_source_stays_closed() -> None:
    for content in (wav(PCM), ogg_of(PACKETS)):
        source = open_source(content)
        source.close()
        source.seek(0)
        assert source.read() is None
        assert source.read_pcm() is None


def test_a_pipe_is_played_but_can_not_be_sought() -> None:
    for content in (wav(PCM), ogg_of(PACKETS)):
        source = open_source(Pipe(content))  # type: ignore[arg-type]
        assert not source.seekable
        assert source.read()
        with pytest.raises(MediaError, match="can not be sought"):
            source.seek(0)
        assert 18 <= len(list(iter(source.read, None))) <= 25
        source.close()


def test_a_pipe_begins_where_it_is_asked_to() -> None:
    source = open_source(Pipe(wav(PCM)), start=0.25)  # type: ignore[arg-type]
    assert source.position == 0.25
    out = pcm_of(source)
    assert np.array_equal(out[: len(PCM) - 12_000], PCM[12_000:])


def test_a_pipe_can_not_be_looped() -> None:
    with pytest.raises(MediaError, match="can not be looped"):
        open_source(Pipe(wav(PCM)), loop=True)  # type: ignore[arg-type]


def test_a_file_object_is_read_from_where_it_is() -> None:
    file = io.BytesIO(b"rubbish" + wav(PCM))
    file.seek(7)
    assert np.array_equal(pcm_of(open_source(file))[: len(PCM)], PCM)
