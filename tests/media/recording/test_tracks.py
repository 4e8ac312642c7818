"""Tracks on one timeline: alignment, drift over hours, rejoining, pauses, sinks that fail."""

import errno
import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.measure import find_lag, music
from tests.media.frames import encoded
from tests.media.recording.calls import RATE, audio_of, speech, together
from tests.media.recording.sinks import TOC, Places, numbered
from voicekit._frame import AudioFrame
from voicekit.codes import SILENCE_FRAME
from voicekit.errors import LocalProtocolError, MediaError
from voicekit.media import Recorder, read_manifest, read_opus_packets
from voicekit.media.recording.timeline import NTP_EPOCH
from voicekit.rtcp import SenderReport

PCM = music(3)
PACKETS = encoded(PCM)
#: A packet of 20 ms that nobody decodes.


def offset_between(tmp_path: Path, calls: list[Iterator[AudioFrame]], **settings: Any) -> float:
    """Record two who play the same tune at once; return how far apart it lies, in seconds."""
    recorder = Recorder(tmp_path, "ogg", sync_start=True, begin=999.5, **settings)
    for frame in together(*calls):
        recorder.write(frame)
    one, other = (audio_of(track.path) / 32768 for track in recorder.close())
    return find_lag(one, other[: len(one)]) / RATE


def test_without_jitter_tracks_lie_within_a_millisecond(tmp_path: Path) -> None:
    calls = [
        speech(PACKETS, user_id=1, ssrc=1, path=0.0200),
        speech(PACKETS, user_id=2, ssrc=2, path=0.0203, rtp_time=77, at=1000.0),
    ]
    assert abs(offset_between(tmp_path, calls)) <= 0.001


@pytest.mark.parametrize("seed", range(4))
def test_with_60_ms_of_jitter_tracks_lie_within_20_ms(seed: int, tmp_path: Path) -> None:
    calls = [
        speech(PACKETS, user_id=1, ssrc=1, jitter=0.06, seed=seed),
        speech(PACKETS, user_id=2, ssrc=2, jitter=0.06, seed=seed + 100, rtp_time=5),
    ]
    assert abs(offset_between(tmp_path, calls)) <= 0.020


def test_with_sender_reports_different_paths_do_not_part_them() -> None:
    """40 ms of jitter, paths of 20 and 90 ms; they speak again once reports have come."""
    sinks: dict[int, Places] = {}
    recorder = Recorder(None, lambda user: sinks.setdefault(user, Places()), begin=1000.0)
    for spurt in range(3):
        calls = [
            speech(
                numbered(500),
                user_id=user,
                ssrc=user,
                sequence=500 * spurt,
                rtp_time=user * 10**6 + 480_000 * 2 * spurt,
                at=1001.0 + 20 * spurt,
                path=path,
                jitter=0.04,
                seed=user + spurt,
            )
            for user, path in ((1, 0.02), (2, 0.09))
        ]
        for n, frame in enumerate(together(*calls)):
            recorder.write(frame)
            if n % 50 == 25:
                sent = 1001.0 + (frame.rtp_time - frame.user_id * 10**6) / RATE
                ntp = round((sent + 1e9 + NTP_EPOCH) * 2**32)
                sender = SenderReport(frame.ssrc, ntp, frame.rtp_time % 2**32, 0, 0)
                recorder.receive_rtcp([sender], frame.arrived)
    tracks = recorder.close()
    starts = {track.user_id: round(track.start * RATE) for track in tracks}
    last = [starts[user] + sinks[user].places[-1][0] for user in (1, 2)]
    assert abs(last[0] - last[1]) <= RATE // 1000


@pytest.mark.parametrize("drift", [-100e-6, 100e-6])
@pytest.mark.parametrize("opus", [True, False], ids=["packets", "samples"])
def test_six_hours_stay_in_place(drift: float, opus: bool) -> None:
    """Speech of 10 s every minute, for six hours: 2.2 s of drift in all."""

    class Shifting(Places):
        def shift(self, samples: int) -> None:
            self.samples += samples

    sink = Places() if opus else Shifting()
    recorder = Recorder(None, lambda user: sink, begin=0.0)
    expected = []
    for minute in range(360):
        began = 60.0 * minute
        # The sender's clock counts drift into the pauses, too.
        rtp = round(began * (1 + drift) * RATE)
        spurt = speech(
            numbered(500),
            sequence=500 * minute,
            rtp_time=rtp,
            at=began,
            jitter=0.03,
            drift=drift,
            seed=minute,
        )
        for frame in together(spurt):
            recorder.write(frame)
        expected.append(began)
    (track,) = recorder.close()
    assert track.lost == 0
    for minute in range(360):
        place = sink.places[500 * minute][0] / RATE + track.start
        assert place - 0.02 == pytest.approx(60.0 * minute, abs=0.020)


@pytest.mark.parametrize("drift", [-100e-6, 100e-6])
def test_an_hour_without_a_pause_is_put_right_as_it_goes(drift: float) -> None:
    sink = Places()
    recorder = Recorder(None, lambda user: sink, begin=0.0)
    worst = 0.0
    count = 180_000
    for n in range(count):
        at = 0.02 * n / (1 + drift)
        recorder.write(AudioFrame(1, 1, TOC + bytes(9), sequence=n, rtp_time=960 * n, arrived=at))
        if n > 10_000 and sink.places:
            # The last one written is the one just received: nothing is missing.
            worst = max(worst, abs(sink.places[-1][0] / RATE - at))
    recorder.close()
    assert worst < 0.035
    assert count - len(sink.places) < 50


def test_a_user_who_rejoins_goes_on_in_the_same_track_where_he_is_heard(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "ogg", sync_start=True, begin=1000.0)
    again = speech(PACKETS, ssrc=99, sequence=5, rtp_time=7, at=1010.0)
    for frame in [*speech(PACKETS, at=1000.0), *again]:
        recorder.write(frame)
    (track,) = recorder.close()
    out = audio_of(track.path)
    assert (track.frames, track.lost) == (300, 0)
    lag = find_lag(PCM / 32768, out[10 * RATE :] / 32768)
    assert abs(lag / RATE - 0.02) <= 0.0015


def test_a_clock_that_stood_still_over_a_pause_is_not_believed() -> None:
    sink = Places()
    recorder = Recorder(None, lambda user: sink)
    first = list(speech(numbered(100)))
    rest = speech(
        numbered(100),
        sequence=first[-1].sequence + 1,
        rtp_time=first[-1].rtp_time + 960,
        at=1010.0,
    )
    for frame in [*first, *rest]:
        recorder.write(frame)
    recorder.close()
    assert sink.places[100][0] / RATE == pytest.approx(10.0, abs=0.001)


def test_a_blocked_network_makes_no_pause() -> None:
    """Two seconds come at once: they were spoken before."""
    sink = Places()
    recorder = Recorder(None, lambda user: sink)
    frames = list(speech(numbered(400)))
    held = [
        AudioFrame(42, 7, f.opus, f.sequence, f.rtp_time, arrived=max(f.arrived, 1004.02))
        if 100 <= n < 200
        else f
        for n, f in enumerate(frames)
    ]
    for frame in held:
        recorder.write(frame)
    (track,) = recorder.close()
    assert track.lost == 0
    assert [place for place, _ in sink.places] == [960 * n for n in range(400)]


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 3000)), min_size=1, max_size=8))
@settings(deadline=None)
def test_gaps_are_exact(spurts: list[tuple[int, int]]) -> None:
    """Whatever the talk spurts: each packet lies where its RTP time says."""
    sink = Places()
    recorder = Recorder(None, lambda user: sink, begin=0.0)
    at, expected, sequence = 0.0, [], 0
    for count, pause in spurts:
        rtp = round(at * RATE)
        for frame in speech(numbered(count), sequence=sequence, rtp_time=rtp, at=at, path=0.0):
            recorder.write(frame)
        expected += [rtp + 960 * n for n in range(count)]
        sequence += count
        at += 0.02 * (count + pause)
    recorder.close()
    assert [place for place, _ in sink.places] == pytest.approx(expected, abs=2)


def test_a_silence_of_hours_takes_neither_memory_nor_disk(tmp_path: Path) -> None:
    """interactions.py#1642: silence was multiplied until 25 GB were full."""
    tracemalloc.start()
    recorder = Recorder(tmp_path, "ogg", sync_start=True, begin=0.0)
    for frame in speech(PACKETS[:50], at=10_000.0):
        recorder.write(frame)
    for frame in speech(PACKETS[50:], at=20_000.0, ssrc=8):
        recorder.write(frame)
    (track,) = recorder.close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert track.seconds == pytest.approx(20_002, abs=0.1)
    assert track.path is not None
    assert track.path.stat().st_size < sum(map(len, PACKETS)) + 20_002 * 20
    assert peak < 1_000_000
    assert read_opus_packets(track.path) == PACKETS


def test_only_the_users_that_are_wanted(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, users=[43])
    calls = (speech(PACKETS), speech(PACKETS, user_id=43, ssrc=8))
    for frame in together(*calls):
        recorder.write(frame)
    (track,) = recorder.close()
    assert track.user_id == 43


def test_a_pause_leaves_out_what_is_said_and_keeps_its_time(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    for n, frame in enumerate(speech(PACKETS)):
        if n == 50:
            assert recorder.toggle_pause(frame.arrived)
        if n == 100:
            assert not recorder.toggle_pause(frame.arrived)
        recorder.write(frame)
    (track,) = recorder.close()
    assert track.path is not None
    assert (track.frames, track.lost) == (100, 0)
    assert read_opus_packets(track.path) == PACKETS[:50] + PACKETS[100:]
    assert track.seconds == pytest.approx(3 - 0.0065, abs=0.002)
    assert read_manifest(tmp_path).pauses == [(1.0, 2.0)]


def test_what_is_over_takes_nothing_more() -> None:
    recorder = Recorder()
    recorder.close()
    with pytest.raises(LocalProtocolError):
        recorder.write(next(speech(PACKETS)))


class Failing(Places):
    def write(self, opus: bytes) -> None:
        super().write(opus)
        if len(self.places) == 30:
            raise RuntimeError("out of ink")


def test_a_sink_that_raises_ends_its_own_track_only() -> None:
    sinks = {42: Failing(), 43: Places()}
    recorder = Recorder(None, lambda user: sinks[user])
    for frame in together(speech(PACKETS), speech(PACKETS, user_id=43, ssrc=8)):
        recorder.write(frame)
    failed, well = recorder.close()
    assert failed.error == "the sink failed: out of ink"
    assert failed.seconds > 0
    assert (well.error, well.frames) == (None, 150)
    assert len(sinks[42].places) == 30


def test_a_sink_that_can_not_be_opened_is_an_error_of_its_track() -> None:
    def refuse(user_id: int) -> Places:
        if user_id == 42:
            raise OSError(errno.EACCES, "no")
        return Places()

    recorder = Recorder(None, refuse)
    for frame in together(speech(PACKETS), speech(PACKETS, user_id=43, ssrc=8)):
        recorder.write(frame)
    failed, well = recorder.close()
    assert failed.error is not None
    assert well.error is None


class Full(io.FileIO):
    """A file on a disk with room for so many bytes."""

    room = 8_000

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("file_format", ["ogg", "wav", "flac", "mp3", "m4a", "mka"])
def test_a_full_disk_ends_a_track_and_keeps_what_it_has(
    file_format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import voicekit.media.output_file as output_file

    def open_full(file: Any, mode: str) -> Any:
        room = {"wav": 150_000, "flac": 150_000, "mka": 90_000}.get(file_format, 40_000)
        full = Full(file, "w+")
        full.room = room
        return full

    monkeypatch.setattr(output_file, "open", open_full, raising=False)
    recorder = Recorder(tmp_path, file_format)
    for frame in speech(encoded(music(6))):
        recorder.write(frame)
    (track,) = recorder.close()
    assert track.error is not None
    assert "No space left on device" in track.error
    monkeypatch.undo()
    assert len(audio_of(track.path)) > RATE // 2
    manifest = read_manifest(tmp_path)
    assert (manifest.state, manifest.tracks[0].state) == ("complete", "failed")


def test_the_manifest_says_who_spoke_when_what_was_lost_and_encrypted(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, begin=1000.0, wall=1.7e9)
    first = speech([*PACKETS, *[SILENCE_FRAME] * 5], at=1001.0, path=0.0, lose={50, 51}, e2ee=True)
    then = speech(
        PACKETS[:50], at=1008.0, path=0.0, sequence=65_530 + 155, rtp_time=2**32 - 9600 + 7 * RATE
    )
    for frame in [*first, *then]:
        recorder.write(frame)
    recorder.close()
    manifest = read_manifest(tmp_path)
    (entry,) = manifest.tracks
    assert (manifest.began, manifest.format) == (1.7e9, "ogg")
    assert entry.spurts == [(1.0, 4.0), (8.0, 9.0)]
    assert entry.losses == [(2, 2, 2)]
    assert entry.e2ee == [(1.0, True), (8.0, False)]
    assert (entry.e2ee_frames, entry.clear_frames) == (148 + 5 - 5, 50)
    assert (entry.start, entry.first, entry.file) == (1.0, 1.0, "42.ogg")


def test_a_damaged_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="can not read"):
        read_manifest(tmp_path)
    (tmp_path / "recording.json").write_text('{"tracks": 3}')
    with pytest.raises(MediaError, match="is not the manifest"):
        read_manifest(tmp_path)


def test_a_mix_of_tracks_that_begin_at_different_times_is_silent_between() -> None:
    recorder = Recorder(None, "pcm", mix=True, begin=1000.0)
    for frame in speech(PACKETS, at=1005.0, path=0.0):
        recorder.write(frame)
    recorder.close()
    mix = recorder.recordings[None]
    assert isinstance(mix, io.BytesIO)
    out = np.frombuffer(mix.getvalue(), "<i2").reshape(-1, 2)
    assert not out[: 5 * RATE - 400].any()
    assert find_lag(PCM / 32768, out[5 * RATE :] / 32768) == 0


def test_silence_that_has_to_be_encoded_is_encoded_as_it_passes() -> None:
    """Or an hour of it would hold everybody up when somebody speaks again."""
    recorder = Recorder(None, "flac", begin=1000.0)
    for frame in speech(PACKETS, at=1000.0, path=0.0):
        recorder.write(frame)
    now = 1003.0
    while now < 1020.0:
        recorder.handle_timeout(now)
        now += 0.15
    file = recorder.recordings[42]
    assert isinstance(file, io.BytesIO)
    assert len(audio_of(io.BytesIO(file.getvalue()))) > 15 * RATE
    again = speech(
        PACKETS, at=1020.0, path=0.0, sequence=65_530 + 150, rtp_time=2**32 - 9600 + 20 * RATE
    )
    for frame in again:
        recorder.write(frame)
    (track,) = recorder.close()
    assert (track.lost, track.concealed) == (0, 0)
    out = audio_of(io.BytesIO(file.getvalue()))
    assert abs(find_lag(PCM / 32768, out[20 * RATE :] / 32768)) <= 1


def test_the_latest_recording_of_a_directory_is_read(tmp_path: Path) -> None:
    for user in (1, 2):
        recorder = Recorder(tmp_path)
        for frame in speech(PACKETS, user_id=user):
            recorder.write(frame)
        recorder.close()
    assert [track.user_id for track in read_manifest(tmp_path).tracks] == [2]
    assert read_manifest(tmp_path / "recording.json").tracks[0].user_id == 1
