"""A recording beside a call: what is put in one thread is written in another."""

import threading
from pathlib import Path

import pytest

from tests.media.recording.calls import speech
from tests.media.recording.sinks import Places, numbered
from voicekit.events import RtcpReceived
from voicekit.media import Recorder, read_manifest, read_opus_packets
from voicekit.media.recording import RunningRecording
from voicekit.rtcp import SenderReport

PACKETS = numbered(100)


def test_nothing_is_written_but_by_who_works(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    running = RunningRecording(recorder)
    assert running.next_timeout() is None
    frames = list(speech(PACKETS))
    for frame in frames:
        running.put_many([frame])
    assert running.next_timeout() == frames[0].arrived
    assert list(tmp_path.iterdir()) == []
    running.work(frames[-1].arrived)
    assert (tmp_path / "42.ogg").stat().st_size > 0
    (track,) = running.finish()
    assert (track.frames, track.lost) == (100, 0)
    assert read_opus_packets(tmp_path / "42.ogg") == PACKETS


def test_what_does_not_fit_is_counted_and_is_a_loss(tmp_path: Path) -> None:
    running = RunningRecording(Recorder(tmp_path), room=30)
    frames = list(speech(PACKETS))
    running.put_many(frames[:50])  # the disk stands still: 20 too many
    running.work(frames[49].arrived)
    running.put_many(frames[50:])
    running.put_many(frames[50:60])
    (track,) = running.finish()
    assert track.frames == 60
    manifest = read_manifest(tmp_path)
    assert manifest.overflowed == 20 + 20 + 10
    assert manifest.tracks[0].lost == 20
    assert "too slow for 50 packets" in draw(tmp_path)


def draw(directory: Path) -> str:
    from voicekit.media.recording.page import draw_page

    return draw_page(read_manifest(directory), {})


def test_pauses_hold_from_where_they_were_asked_for() -> None:
    sink = Places()
    running = RunningRecording(Recorder(None, lambda user: sink))
    frames = list(speech(PACKETS))
    running.put_many(frames[:20])
    running.pause(frames[20].arrived)
    assert running.paused
    running.put_many(frames[20:50])
    running.resume(frames[50].arrived)
    running.put_many(frames[50:])
    running.finish()
    assert sink.packets == PACKETS[:20] + PACKETS[50:]


def test_reports_come_to_the_timeline_in_their_order() -> None:
    recorder = Recorder(None, lambda user: Places())
    running = RunningRecording(recorder)
    frames = list(speech(PACKETS, ssrc=7))
    running.put_many(frames)
    sender = SenderReport(7, 1 << 60, frames[-1].rtp_time % 2**32, 0, 0)
    running.put_event(RtcpReceived((sender,), frames[-1].arrived))
    running.work(frames[-1].arrived)
    assert len(recorder.timeline._streams[7].reports) == 1


def test_two_who_work_at_once_write_everything_once_and_in_order() -> None:
    sink = Places()
    running = RunningRecording(Recorder(None, lambda user: sink))
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            running.work(1000.0)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for frame in speech(numbered(1500)):
        running.put_many([frame])
    stop.set()
    for worker in workers:
        worker.join()
    (track,) = running.finish()
    assert (track.frames, track.late) == (1500, 0)
    assert sink.packets == numbered(1500)


def test_a_recorder_that_its_owner_closed_takes_nothing_more() -> None:
    recorder = Recorder()
    running = RunningRecording(recorder)
    recorder.close()
    running.put_many(list(speech(PACKETS)))
    running.work(2000.0)
    assert running.finish() == []
    running.put_many(list(speech(PACKETS)))
    running.pause(3000.0)
    running.work(3000.0)
    with pytest.raises(Exception, match="over"):
        recorder.write(next(speech(PACKETS)))
