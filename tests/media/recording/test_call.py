"""start_recording, toggle_pause, stop_recording: what pycord and interactions.py have."""

import io
from pathlib import Path
from typing import Any

import pytest

from tests.measure import music
from tests.media.frames import encoded
from tests.media.recording.calls import speech, together
from voicekit.errors import (
    AlreadyRecording,
    NoSink,
    NotRecording,
    RecordingError,
    RecordingNotConnected,
)
from voicekit.media import CallRecording, Recorder, Track, read_opus_packets

PACKETS = encoded(music(1))


def test_from_start_to_stop() -> None:
    call = CallRecording()
    heard: list[Any] = []
    call.start_recording("ogg", lambda *args: heard.append(args), "channel", 5)
    assert call.is_recording
    for frame in speech(PACKETS):
        call.write(frame)
    tracks = call.stop_recording()
    assert heard == [(tracks, "channel", 5)]
    assert isinstance(tracks[0], Track)
    file = call.recordings[42]
    assert isinstance(file, io.BytesIO)
    assert read_opus_packets(file.getvalue()) == PACKETS
    assert not call.is_recording


def test_what_is_wrong_has_a_type_of_its_own(tmp_path: Path) -> None:
    connected = False
    call = CallRecording(lambda: connected)
    with pytest.raises(RecordingNotConnected):
        call.start_recording("ogg")
    connected = True
    for nothing in (None, "mp9", 5):
        with pytest.raises(NoSink):
            call.start_recording(nothing)  # type: ignore[arg-type]
    for method in (call.stop_recording, lambda: call.toggle_pause(0.0)):
        with pytest.raises(NotRecording):
            method()
    recorder = call.start_recording(Recorder(tmp_path))
    with pytest.raises(AlreadyRecording):
        call.start_recording("ogg")
    call.stop_recording()
    with pytest.raises(NoSink):
        call.start_recording(recorder)
    assert issubclass(AlreadyRecording, RecordingError)


def test_later_users_begin_with_silence_when_asked_to() -> None:
    lengths = {}
    for sync_start in (False, True):
        call = CallRecording()
        call.start_recording("wav", sync_start=sync_start)
        later = speech(PACKETS, user_id=43, ssrc=8, at=1003.0)
        for frame in together(speech(PACKETS), later):
            call.write(frame)
        lengths[sync_start] = {track.user_id: track.seconds for track in call.stop_recording()}
    assert lengths[False] == {42: pytest.approx(0.9935), 43: pytest.approx(0.9935)}
    assert lengths[True] == {42: pytest.approx(0.9935), 43: pytest.approx(3.9935)}


def test_without_a_recording_frames_go_nowhere() -> None:
    call = CallRecording()
    call.write(next(speech(PACKETS)))
    call.receive_rtcp([], 0.0)
    call.handle_timeout(0.0)
    assert (call.next_timeout(), call.recordings, call.recorder) == (None, {}, None)


def test_a_callback_that_raises_is_heard_of_and_the_recording_is_whole() -> None:
    call = CallRecording()

    def fail(tracks: list[Track]) -> None:
        raise RuntimeError("callback")

    call.start_recording("ogg", fail)
    for frame in speech(PACKETS):
        call.write(frame)
    with pytest.raises(RuntimeError, match="callback"):
        call.stop_recording()
    assert not call.is_recording
    file = call.recordings[42]
    assert isinstance(file, io.BytesIO)
    assert read_opus_packets(file.getvalue()) == PACKETS


def test_pausing_and_a_second_recording() -> None:
    call = CallRecording()
    call.start_recording("ogg", users=[42])
    frames = list(speech(PACKETS))
    for frame in frames[:20]:
        call.write(frame)
    assert call.toggle_pause(frames[20].arrived)
    call.write(frames[20])
    assert not call.toggle_pause(frames[21].arrived)
    call.write(frames[21])
    (track,) = call.stop_recording()
    assert (track.frames, track.lost) == (21, 0)
    call.start_recording("pcm")
    assert call.stop_recording() == []
