"""start_recording and record of a call: who is recorded, when it ends, and what goes wrong."""

import errno
import io
import logging
import threading
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

import voicekit.aio.voice
import voicekit.trio.voice
from voicekit.errors import AlreadyRecording, NoSink, NotRecording, RecordingNotConnected
from voicekit.media import Recorder, Track, read_manifest, read_opus_packets
from voicekit.server import ServerConfig

from ..media.recording.sinks import Places
from ..trio.calls import EARS, MOUTH, SILENCE, Packets, info, numbered
from .libraries import Listening, Network, lib, until

THIRD = 1003
PACKETS = numbered(50)


async def say(mouth: Any, packets: list[bytes]) -> None:
    """Play, and wait until the last of it has come."""
    await mouth.play(Packets(packets))
    await lib.sleep(0.1)


def with_all(use: Any, users: Sequence[int], config: ServerConfig | None = None) -> None:
    """Run ``use`` with everybody's `Voice` in one call."""

    async def main(listening: Listening, network: Network) -> None:
        async with AsyncExitStack() as stack:
            calls = (lib.connect(info(listening.url, user), network=network) for user in users)
            await use(*[await stack.enter_async_context(call) for call in calls])

    lib.in_memory(main, config)


def with_two(use: Any, config: ServerConfig | None = None) -> None:
    """Run ``use(mouth, ears)`` in a call of two."""
    with_all(use, (MOUTH, EARS), config)


def test_a_recording_from_start_to_stop_and_its_callback() -> None:
    called: list[Any] = []

    async def finished(tracks: list[Track], *args: object) -> None:
        await lib.checkpoint()
        called.append((threading.get_ident(), tracks, args))

    async def use(mouth: Any, ears: Any) -> None:
        ears.start_recording("ogg", finished, "channel", 5)
        assert ears.is_recording
        await say(mouth, PACKETS)
        tracks = await ears.stop_recording()
        assert called == [(threading.get_ident(), tracks, ("channel", 5))]
        assert not ears.is_recording
        (track,) = tracks
        assert (track.user_id, track.lost, track.error) == (MOUTH, 0, None)
        file = ears.recordings[MOUTH]
        assert isinstance(file, io.BytesIO)
        assert read_opus_packets(file.getvalue()) == PACKETS + SILENCE

    with_two(use)


def test_wrong_calls_have_types_of_their_own() -> None:
    async def use(mouth: Any, ears: Any) -> None:
        for wrong in (ears.toggle_pause, ears.pause_recording, ears.resume_recording):
            with pytest.raises(NotRecording):
                wrong()
        with pytest.raises(NotRecording):
            await ears.stop_recording()
        with pytest.raises(NoSink):
            ears.start_recording("mp9")
        ears.start_recording("ogg")
        with pytest.raises(AlreadyRecording):
            ears.start_recording("ogg")
        await ears.aclose()
        assert not ears.is_recording
        with pytest.raises(RecordingNotConnected):
            ears.start_recording("ogg")

    with_two(use)


@pytest.mark.parametrize("kind", ["function", "coroutine"])
def test_what_a_callback_raises_is_logged_and_the_tracks_are_there(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(tracks: list[Track]) -> None:
        raise RuntimeError("callback")

    async def fail_later(tracks: list[Track]) -> None:
        fail(tracks)

    async def use(mouth: Any, ears: Any) -> None:
        ears.start_recording("ogg", fail if kind == "function" else fail_later)
        await say(mouth, PACKETS)
        (track,) = await ears.stop_recording()
        assert track.frames == len(PACKETS) + len(SILENCE)

    with caplog.at_level(logging.ERROR, "voicekit"):
        with_two(use)
    (logged,) = [entry for entry in caplog.records if entry.name == "voicekit"]
    assert logged.exc_info is not None
    assert str(logged.exc_info[1]) == "callback"


def test_the_end_of_the_block_ends_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A clock that jumps while everybody waits for a thread would run out.
    for runner in (voicekit.trio.voice, voicekit.aio.voice):
        monkeypatch.setattr(runner, "FINISH_TIMEOUT", 1e9)
    called: list[list[Track]] = []

    async def main(listening: Listening, network: Network) -> None:
        async with (
            lib.connect(info(listening.url, MOUTH), network=network) as mouth,
            lib.connect(info(listening.url, EARS), network=network) as ears,
        ):
            ears.start_recording(Recorder(tmp_path), called.append)
            await say(mouth, PACKETS)

    lib.in_memory(main)
    assert [track.frames for track in called[0]] == [len(PACKETS) + len(SILENCE)]
    manifest = read_manifest(tmp_path)
    assert (manifest.state, manifest.overflowed) == ("complete", 0)
    assert manifest.began is not None


def test_a_full_disk_ends_a_track_and_neither_the_call_nor_the_other_tracks() -> None:
    class Full(Places):
        def write(self, opus: bytes) -> None:
            if len(self.places) == 20:
                raise OSError(errno.ENOSPC, "No space left on device")
            super().write(opus)

    sinks = {MOUTH: Full(), THIRD: Places()}

    async def use(mouth: Any, ears: Any, third: Any) -> None:
        frames = ears.frames()
        ears.start_recording(sinks.__getitem__)
        await say(mouth, PACKETS)
        await say(third, PACKETS)
        assert len(frames.take()) == 2 * (len(PACKETS) + len(SILENCE))
        tracks = {track.user_id: track for track in await ears.stop_recording()}
        assert "No space left" in str(tracks[MOUTH].error)
        assert sinks[MOUTH].packets == PACKETS[:20]
        assert tracks[THIRD].error is None
        assert sinks[THIRD].packets == PACKETS + SILENCE

    with_all(use, (MOUTH, EARS, THIRD))


def test_a_pause_leaves_out_what_is_said() -> None:
    async def use(mouth: Any, ears: Any) -> None:
        ears.start_recording("ogg")
        await say(mouth, PACKETS[:10])
        assert ears.toggle_pause()
        await say(mouth, PACKETS[10:20])
        ears.resume_recording()
        ears.pause_recording()
        assert not ears.toggle_pause()
        await say(mouth, PACKETS[20:30])
        (track,) = await ears.stop_recording()
        assert (track.frames, track.lost) == (30, 0)
        assert ears.recordings.keys() == {MOUTH}

    with_two(use)


def test_only_some_users_and_a_common_beginning() -> None:
    async def use(mouth: Any, ears: Any) -> None:
        ears.start_recording("ogg", users=[EARS])
        await say(mouth, PACKETS)
        assert await ears.stop_recording() == []
        ears.start_recording("ogg", sync_start=True)
        await lib.sleep(2)
        await say(mouth, PACKETS)
        (track,) = await ears.stop_recording()
        assert track.seconds > 3

    with_two(use)


def test_sender_reports_reach_the_timeline(monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[object] = []
    monkeypatch.setattr(
        Recorder, "receive_rtcp", lambda self, packets, arrived: reports.extend(packets)
    )

    async def use(mouth: Any, ears: Any) -> None:
        ears.start_recording("ogg")
        await say(mouth, PACKETS * 3)
        await until(lambda: bool(reports))

    with_two(use, ServerConfig(rtcp=True, rtcp_interval=1.0))


def test_record_leaves_the_recorder_open_and_tells_how_long() -> None:
    recorder = Recorder()
    seconds: list[float] = []

    async def use(mouth: Any, ears: Any) -> None:
        async def told() -> None:
            await lib.record(ears, recorder, progress=seconds.append)

        began = lib.current_time()
        async with lib.open_nursery() as nursery:
            nursery.start_soon(told)
            await say(mouth, PACKETS)
            await until(lambda: bool(seconds))  # the clock jumps while a thread is at work
            nursery.cancel_scope.cancel()
        assert not recorder.closed
        (track,) = recorder.close()
        assert track.frames == len(PACKETS) + len(SILENCE)
        assert seconds == sorted(seconds)
        assert 0 < seconds[0] <= seconds[-1] <= lib.current_time() - began
        # Who left is not recorded any more, and an end that is no failure raises nothing.
        later = Recorder()
        await ears.aclose()
        await lib.record(ears, later)
        assert later.close() == []

    with_two(use)
