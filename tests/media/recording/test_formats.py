"""Every format: the same sound at the same time, readable while it grows, kept when it breaks."""

import io
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.measure import find_lag, music
from tests.media.frames import encoded
from tests.media.recording.calls import RATE, audio_of, speech, together
from voicekit.errors import MediaError
from voicekit.media import Recorder, read_manifest
from voicekit.media.ogg import PRE_SKIP
from voicekit.media.recording import FORMATS
from voicekit.media.recording.matroska import MatroskaFile
from voicekit.media.recording.wav import WavFile

PCM = music(4)
PACKETS = encoded(PCM)
OTHER = encoded(music(4, seed=2))
#: Samples by which a format may be off: MP3 and AAC have frames that players place themselves.
LAG = {"mp3": 2, "m4a": 2, "mp4": 2, "mka": 48, "mkv": 48}


def sound_of(path: Path, file_format: str, track: int = 0) -> Any:
    if file_format == "pcm":
        return np.frombuffer(path.read_bytes(), "<i2").reshape(-1, 2)
    return audio_of(path, track)


@pytest.mark.parametrize("file_format", sorted(FORMATS))
def test_it_sounds_as_it_was_and_when_it_was(file_format: str, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, file_format, begin=1000.0, sync_start=True)
    for frame in speech(PACKETS, at=1001.0, path=0.0005):
        recorder.write(frame)
    (track,) = recorder.close()
    assert track.error is None
    assert track.path is not None
    assert track.path.suffix == f".{file_format}"
    assert track.start == pytest.approx(1.0005, abs=0.0001)
    out = sound_of(track.path, file_format)
    source = np.concatenate((np.zeros((RATE, 2), np.int16), PCM))
    lag = find_lag(source / 32768, out[: len(source)] / 32768)
    assert abs(lag - 24) <= LAG.get(file_format, 0)
    assert abs(len(out) - len(source)) < 3000


@pytest.mark.parametrize("file_format", sorted(FORMATS))
def test_in_memory_it_is_the_same_file(file_format: str, tmp_path: Path) -> None:
    recorder = Recorder(None, file_format)
    disk = Recorder(tmp_path, file_format)
    for frame in speech(PACKETS[:60]):
        recorder.write(frame)
        disk.write(frame)
    (track,) = recorder.close()
    (written,) = disk.close()
    assert track.path is None
    memory = recorder.recordings[42]
    assert isinstance(memory, io.BytesIO)
    assert written.path is not None
    assert abs(len(memory.getvalue()) - written.path.stat().st_size) < 16
    assert track.seconds == written.seconds


@pytest.mark.parametrize("file_format", sorted(FORMATS))
def test_it_can_be_read_while_it_grows(file_format: str, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, file_format)
    for frame in speech(PACKETS):
        recorder.write(frame)
    recorder.handle_timeout(1004.2)
    path = recorder.recordings[42]
    assert isinstance(path, Path)
    assert len(sound_of(path, file_format)) >= 3 * RATE
    entry = read_manifest(tmp_path)
    assert (entry.state, entry.tracks[0].state) == ("recording", "recording")
    recorder.close()
    assert read_manifest(tmp_path).state == "complete"


@pytest.mark.parametrize("file_format", ["mka", "mkv"])
def test_one_matroska_file_has_a_track_per_user(file_format: str, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, file_format)
    late = speech(OTHER, user_id=43, ssrc=8, at=1002.0)
    for frame in together(speech(PACKETS, at=1000.0), late):
        recorder.write(frame)
    one, other = recorder.close()
    assert one.path == other.path == tmp_path / f"recording.{file_format}"
    for n, (pcm, at) in enumerate(((PCM, 0), (music(4, seed=2), 2 * RATE))):
        out = audio_of(one.path, n)
        assert abs(find_lag(pcm / 32768, out[at:][: len(pcm)] / 32768)) <= 48


def test_a_matroska_file_takes_hundreds_of_tracks_and_then_says_no() -> None:
    file = MatroskaFile(io.BytesIO())
    for n in range(250):
        file.track(str(2**62 + n))

    def add_many() -> None:
        for n in range(200):
            file.track(str(2**62 + n))

    with pytest.raises(MediaError, match="no room"):
        add_many()


@pytest.mark.parametrize("file_format", ["ogg", "wav", "flac", "mka"])
def test_the_mix_is_the_sum(file_format: str, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, file_format, mix=True)
    quiet = encoded((PCM // 2).astype(np.int16)), encoded((music(4, seed=2) // 2).astype(np.int16))
    calls = (
        speech(quiet[0], at=1000.0),
        speech(quiet[1], user_id=43, ssrc=8, at=1001.0),
    )
    for frame in together(*calls):
        recorder.write(frame)
    *_, mix = recorder.close()
    assert (mix.user_id, mix.error) == (None, None)
    assert mix.path is not None
    out = audio_of(mix.path).astype(float)
    length = len(PCM) + RATE
    expected = np.zeros((length, 2))
    expected[: len(PCM)] += PCM // 2
    expected[RATE:] += music(4, seed=2) // 2
    assert len(out) == pytest.approx(length, abs=2000)
    shared = min(len(out), length) - 960
    wrong = out[:shared] - expected[:shared]
    assert 10 * np.log10((expected[:shared] ** 2).sum() / (wrong**2).sum()) > 10


def test_a_wav_file_past_4_gib_is_rf64(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    writer = WavFile(path)
    writer.silence(7 * 3600 * RATE)
    assert path.stat().st_blocks * 512 < 1_000_000, "silence is a hole"
    writer.append(PCM.tobytes())
    writer.close()
    with path.open("rb") as file:
        head = file.read(80)
    assert (head[:4], head[12:16]) == (b"RF64", b"ds64")
    size = (7 * 3600 * RATE + len(PCM)) * 4
    assert int.from_bytes(head[28:36], "little") == size
    assert path.stat().st_size == 80 + size
    import av

    with av.open(str(path)) as container:
        assert container.duration == pytest.approx((7 * 3600 + 4) * 1e6)


def test_a_wav_file_below_is_plain(tmp_path: Path) -> None:
    writer = WavFile(tmp_path / "a.wav")
    writer.append(PCM.tobytes())
    writer.close()
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert file.getnframes() == len(PCM)


def test_lost_frames_come_back_from_the_packet_behind_them() -> None:
    """In-band FEC: closer to what was said than what a decoder makes up."""
    from voicekit.opus import Encoder

    rng = np.random.default_rng(3)
    t = np.arange(4 * RATE) / RATE
    pitch = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 3 * t)) / RATE
    voice = sum(np.sin(k * pitch) / k for k in range(1, 20)) * (1 + np.sin(2 * np.pi * 4 * t))
    pcm = np.int16(2500 * voice + rng.normal(0, 20, len(t)))
    encoder = Encoder(RATE, 1, "voip")
    encoder.bitrate, encoder.bandwidth = 32_000, "wideband"
    encoder.inband_fec, encoder.packet_loss_perc = 1, 20
    packets = [encoder.encode(pcm[at : at + 960]) for at in range(0, len(pcm), 960)]
    lost = range(20, 200, 10)

    def recorded(lose: Any, forget: bool = False) -> Any:
        from voicekit.media import WavWriter

        file = io.BytesIO()

        class Forgetful(WavWriter):
            def conceal(self, samples: int, following: bytes = b"") -> None:
                super().conceal(samples, b"" if forget else following)

        recorder = Recorder(None, lambda user_id: Forgetful(file))
        for frame in speech(packets, lose=lose):
            recorder.write(frame)
        recorder.close()
        with wave.open(io.BytesIO(file.getvalue())) as out:
            return np.frombuffer(out.readframes(out.getnframes()), "<i2").astype(float)

    whole, repeated, made_up = recorded(()), recorded(lost), recorded(lost, forget=True)
    assert len(whole) == len(repeated) == len(made_up)
    errors = [
        sum(
            ((out - whole)[(960 * n - PRE_SKIP) * 2 : (960 * (n + 1) - PRE_SKIP) * 2] ** 2).sum()
            for n in lost
        )
        for out in (repeated, made_up)
    ]
    assert errors[0] < 0.5 * errors[1]
