"""WAV files: decoded, concealed, silent where nothing came, readable at any time."""

import io
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.measure import find_lag, measure, music
from tests.media.frames import decoded, encoded
from voicekit.errors import MediaError
from voicekit.media import WavWriter
from voicekit.media.ogg import PRE_SKIP

PCM = music(3)
PACKETS = encoded(PCM)


def samples_of(data: bytes) -> npt.NDArray[np.int16]:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getsampwidth()) == (48_000, 2)
        pcm = file.readframes(file.getnframes())
        return np.frombuffer(pcm, "<i2").reshape(-1, file.getnchannels())


def test_it_is_the_signal_without_the_delay_of_the_codec() -> None:
    file = io.BytesIO()
    writer = WavWriter(file)
    for packet in PACKETS:
        writer.write(packet)
    writer.close()
    out = samples_of(file.getvalue())
    assert np.array_equal(out, decoded(PACKETS)[PRE_SKIP:])
    assert writer.samples == len(out)
    verdict = measure(PCM, out)
    assert verdict.lag == 0
    assert verdict.faithful


def test_the_header_is_right_every_second() -> None:
    file = io.BytesIO()
    writer = WavWriter(file)
    for n, packet in enumerate(PACKETS, 1):
        writer.write(packet)
        if n > 51:
            assert 0 <= n * 960 - len(samples_of(file.getvalue())) <= 51 * 960
    writer.close()
    assert len(samples_of(file.getvalue())) == 144_000 - PRE_SKIP


def test_lost_packets_are_concealed() -> None:
    outs = []
    for fill in ("conceal", "pause"):
        file = io.BytesIO()
        writer = WavWriter(file)
        for n, packet in enumerate(PACKETS):
            if n == 60:
                getattr(writer, fill)(960)
            else:
                writer.write(packet)
        writer.close()
        outs.append(samples_of(file.getvalue())[60 * 960 - PRE_SKIP :][:960])
    assert np.abs(outs[0]).mean() > 200
    assert not outs[1].any()


@pytest.mark.parametrize("samples", [0, 1, 100, 960, 1000, 500_000])
@pytest.mark.parametrize("fill", ["conceal", "pause"])
def test_a_gap_takes_its_time_to_the_sample(fill: str, samples: int) -> None:
    file = io.BytesIO()
    writer = WavWriter(file)
    for packet in PACKETS[:50]:
        writer.write(packet)
    getattr(writer, fill)(samples)
    writer.write(PACKETS[50])
    writer.close()
    assert writer.samples == 51 * 960 + samples - PRE_SKIP == len(samples_of(file.getvalue()))


def test_a_packet_that_the_decoder_refuses_is_concealed() -> None:
    """Its first byte promises 20 ms; the rest, one frame out of two, is missing."""
    damaged = b"\xfa\xff" + bytes(5)
    writer = WavWriter(io.BytesIO())
    writer.write(PACKETS[0])
    writer.write(damaged)
    with pytest.raises(ValueError, match="no Opus"):
        writer.write(b"")
    writer.write(PACKETS[1])
    writer.close()
    assert writer.samples % 960 == 960 - PRE_SKIP


def test_mono() -> None:
    file = io.BytesIO()
    writer = WavWriter(file, channels=1)
    for packet in PACKETS:
        writer.write(packet)
    writer.close()
    out = samples_of(file.getvalue())
    assert out.shape == (144_000 - PRE_SKIP, 1)
    mono = PCM.mean(axis=1, keepdims=True) / 32768
    assert find_lag(mono, out / 32768) == 0


def test_close_is_idempotent(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "a.wav")
    writer.close()
    writer.close()
    assert len(samples_of((tmp_path / "a.wav").read_bytes())) == 0


def test_a_file_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"can not write .*a\.wav: No such file"):
        WavWriter(tmp_path / "nowhere" / "a.wav")
