"""The recorder: one file per user, frames in order, gaps as long as they were."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.measure import measure, music
from tests.media.frames import USER, decoded, encoded, frames
from tests.media.test_wav import samples_of
from tests.reference import ogg
from voicekit._frame import AudioFrame
from voicekit.codes import SILENCE_FRAME
from voicekit.errors import MediaError
from voicekit.media import Recorder, Track, open_source, read_opus_packets
from voicekit.media.ogg import PRE_SKIP
from voicekit.media.recording.track import CONCEAL_PACKETS, REORDER_FRAMES
from voicekit.media.recording.wav import WavFile

PCM = music(3)
PACKETS = encoded(PCM)


def record(
    directory: Path, received: Iterable[AudioFrame], file_format: str = "ogg"
) -> list[Track]:
    recorder = Recorder(directory, file_format)
    for frame in received:
        recorder.write(frame)
    return recorder.close()


def test_what_came_is_on_the_disk_byte_for_byte(tmp_path: Path) -> None:
    sent = PACKETS + [SILENCE_FRAME] * 5
    (track,) = record(tmp_path, frames(sent))
    assert read_opus_packets(track.path) == sent
    assert track == Track(USER, tmp_path / "42.ogg", (155 * 960 - PRE_SKIP) / 48_000, 155, 0, 0, 0)
    assert ogg.parse(track.path.read_bytes())[-1].flags == ogg.END


def test_a_recording_can_be_played_again(tmp_path: Path) -> None:
    (track,) = record(tmp_path, frames(PACKETS))
    source = open_source(track.path)
    assert source.passthrough
    assert list(iter(source.read, None)) == PACKETS
    source.close()


def test_each_user_has_a_file(tmp_path: Path) -> None:
    others = frames(PACKETS[:100], user_id=43, ssrc=8)
    mixed = chain.from_iterable(zip(frames(PACKETS[:100]), others, strict=True))
    tracks = record(tmp_path, mixed)
    assert [track.user_id for track in tracks] == [42, 43]
    assert all(read_opus_packets(track.path) == PACKETS[:100] for track in tracks)


def test_nobody_spoke(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "new" / "folder")
    assert recorder.close() == []
    assert (tmp_path / "new" / "folder").is_dir()


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    names = [record(tmp_path, frames(PACKETS[n : n + 10]))[0].path.name for n in range(3)]
    assert names == ["42.ogg", "42-2.ogg", "42-3.ogg"]
    assert read_opus_packets(tmp_path / "42.ogg") == PACKETS[:10]


@pytest.mark.parametrize("file_format", ["ogg", "wav"])
def test_lost_packets_are_counted_and_their_time_is_kept(tmp_path: Path, file_format: str) -> None:
    gone = {3, 20, 21, 22, 60}
    came = [frame for n, frame in enumerate(frames(PACKETS)) if n not in gone]
    (track,) = record(tmp_path, came, file_format)
    assert (track.frames, track.lost, track.concealed, track.late) == (145, 5, 5, 0)
    assert track.seconds == (150 * 960 - PRE_SKIP) / 48_000
    if file_format == "ogg":
        assert read_opus_packets(track.path) == [frame.opus for frame in came]
        assert ogg.parse(track.path.read_bytes())[-1].granule == 150 * 960
    else:
        out = samples_of(track.path.read_bytes())
        verdict = measure(PCM[65 * 960 :], out[65 * 960 :])
        assert verdict.lag == 0, "what follows a loss is not early"
        assert verdict.faithful


def test_a_long_loss_is_concealed_at_first_and_silent_then(tmp_path: Path) -> None:
    came = [frame for n, frame in enumerate(frames(PACKETS)) if not 50 <= n < 100]
    (track,) = record(tmp_path, came, "wav")
    assert (track.lost, track.concealed) == (50, CONCEAL_PACKETS)
    out = samples_of(track.path.read_bytes())[48_000 - PRE_SKIP :]
    assert out[:960].any()
    assert not out[CONCEAL_PACKETS * 960 : 48_000].any()
    assert out[48_000:].any()


@pytest.mark.parametrize("file_format", ["ogg", "wav"])
def test_a_pause_is_silence_not_loss(tmp_path: Path, file_format: str) -> None:
    first = list(frames(PACKETS[:50]))
    rest = frames(
        PACKETS[50:],
        sequence=first[-1].sequence + 1,
        rtp_time=first[-1].rtp_time + 480_000,
        arrived=first[-1].arrived + 10,
    )
    (track,) = record(tmp_path, [*first, *rest], file_format)
    assert (track.frames, track.lost, track.concealed) == (150, 0, 0)
    assert track.seconds == pytest.approx(3 + 10 - 0.02 - PRE_SKIP / 48_000)


@given(st.randoms(use_true_random=False))
def test_any_order_within_the_window_is_put_right(rng: random.Random) -> None:
    order = sorted(range(60), key=lambda n: n + rng.random() * REORDER_FRAMES)
    order.remove(0)
    received = list(frames(PACKETS[:60]))
    sink = Collected()
    recorder = Recorder(None, lambda user_id: sink)
    for n in [0, *order]:
        recorder.write(received[n])
    (track,) = recorder.close()
    assert sink.written == PACKETS[:60]
    assert (track.lost, track.late) == (0, 0)


def test_twice_the_same_and_far_too_late_is_late(tmp_path: Path) -> None:
    received = list(frames(PACKETS))
    (track,) = record(tmp_path, [*received[:100], received[40], *received[99:], received[149]])
    assert read_opus_packets(track.path) == PACKETS
    assert (track.frames, track.lost, track.late) == (150, 0, 3)


def test_one_that_comes_after_its_place_was_given_up(tmp_path: Path) -> None:
    received = list(frames(PACKETS))
    behind = [*received[:20], *received[21:40], received[20], *received[40:]]
    (track,) = record(tmp_path, behind)
    assert (track.frames, track.lost, track.concealed, track.late) == (149, 1, 1, 1)


def test_a_user_who_joins_anew_goes_on_in_the_same_file(tmp_path: Path) -> None:
    again = frames(PACKETS[50:], ssrc=99, sequence=5, rtp_time=7, arrived=1003.0)
    (track,) = record(tmp_path, [*frames(PACKETS[:50]), *again])
    assert read_opus_packets(track.path) == PACKETS
    assert (track.frames, track.lost) == (150, 0)
    assert track.seconds == pytest.approx(3 + 2 - PRE_SKIP / 48_000, abs=0.003)


def test_bytes_that_are_no_opus_count_as_lost(tmp_path: Path) -> None:
    packets = [*PACKETS[:50], b"", b"\xff\x00", *PACKETS[50:]]
    for file_format in ("ogg", "wav"):
        (track,) = record(tmp_path, frames(packets), file_format)
        assert (track.frames, track.lost, track.concealed) == (150, 2, 2)
        assert track.seconds == (152 * 960 - PRE_SKIP) / 48_000


@pytest.mark.parametrize("jump", [2**31, 2**40, -(2**40), 48_000 * 3600])
def test_a_forged_timestamp_fills_no_disk(tmp_path: Path, jump: int) -> None:
    """What is written follows the arrival times, with two seconds to spare, not the claims."""
    received = list(frames(PACKETS[:50]))
    for n in range(50):
        frame = next(frames([PACKETS[50 + n]], sequence=received[-1].sequence + 1))
        received.append(
            AudioFrame(
                USER,
                7,
                frame.opus,
                sequence=frame.sequence,
                rtp_time=received[-1].rtp_time + jump,
                arrived=received[-1].arrived + 0.02,
            )
        )
    (track,) = record(tmp_path, received, "wav")
    assert track.frames == 100
    assert track.seconds < 2 + 2.1
    assert track.path.stat().st_size < 1_000_000


def test_a_wav_track_sounds_like_what_was_played(tmp_path: Path) -> None:
    (track,) = record(tmp_path, frames(PACKETS), "wav")
    assert measure(PCM, samples_of(track.path.read_bytes())).faithful
    (track,) = record(tmp_path, frames(PACKETS), "ogg")
    assert measure(PCM, decoded(read_opus_packets(track.path))).faithful


def test_a_track_is_plain_data(tmp_path: Path) -> None:
    (track,) = record(tmp_path, frames(PACKETS))
    assert list(msgspec.to_builtins(track, enc_hook=str)) == [
        *("user_id", "path", "seconds", "frames", "lost", "concealed", "late", "start", "error"),
    ]


def test_close_is_idempotent_and_keeps_what_still_waits(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    received = list(frames(PACKETS[:10]))
    for frame in [received[0], *received[2:]]:
        recorder.write(frame)
    tracks = recorder.close()
    assert recorder.close() == tracks
    assert tracks[0].frames == 9


def test_a_wrong_format_or_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"one of ogg, wav, .*, not 'mp9'"):
        Recorder(tmp_path, "mp9")
    (tmp_path / "file").write_text("")
    with pytest.raises(MediaError, match="can not make"):
        Recorder(tmp_path / "file" / "below")


def test_one_full_disk_does_not_cost_the_other_tracks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path, "wav")
    for frame in chain(frames(PACKETS[:10]), frames(PACKETS[:10], user_id=43)):
        recorder.write(frame)
    close = WavFile.close
    failed: list[Any] = []

    def close_or_fail(self: WavFile) -> None:
        close(self)
        if not failed:
            failed.append(self)
            raise MediaError("can not write 42.wav: No space left on device")

    monkeypatch.setattr(WavFile, "close", close_or_fail)
    full, well = recorder.close()
    assert full.error == "can not write 42.wav: No space left on device"
    assert well.error is None
    assert len(samples_of((tmp_path / "43.wav").read_bytes())) == 9600 - PRE_SKIP


@dataclass
class Collected:
    """A sink that remembers."""

    samples: int = 0

    def __post_init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, opus: bytes) -> None:
        self.written.append(opus)

    def conceal(self, samples: int, following: bytes = b"") -> None:
        self.samples += samples

    pause = conceal

    def close(self) -> None:
        pass
