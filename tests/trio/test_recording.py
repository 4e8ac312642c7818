"""start_recording and record in trio: what disks, sinks and callbacks do holds nobody up."""

import errno
import io
import logging
import math
import threading
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trio

from voicekit.errors import AlreadyRecording, NoSink, NotRecording, RecordingNotConnected
from voicekit.media import Recorder, Track, read_manifest, read_opus_packets
from voicekit.server import ServerConfig
from voicekit.trio import Listening, Voice, connect, record, voice

from .calls import EARS, MOUTH, SILENCE, Packets, in_memory, info, numbered, until
from .memory_network import MemoryNetwork

THIRD = 1003
PACKETS = numbered(50)


class Slow:
    """A sink that stands still until it may go on."""

    def __init__(self) -> None:
        self.samples = 0
        self.written: list[bytes] = []
        self.stands = threading.Event()
        self.go_on = threading.Event()

    def write(self, opus: bytes) -> None:
        self.stands.set()
        self.go_on.wait(20)
        self.written.append(opus)

    def conceal(self, samples: int, following: bytes = b"") -> None:
        self.samples += samples

    def pause(self, samples: int) -> None:
        self.samples += samples

    def close(self) -> None:
        pass


async def say(mouth: Voice, packets: list[bytes]) -> None:
    """Play, and wait until the last of it has come."""
    await mouth.play(Packets(packets))
    await trio.sleep(0.1)


def with_all(use: Any, users: Sequence[int], config: ServerConfig | None = None) -> None:
    """Run ``use`` with everybody's `Voice` in one call."""

    async def main(listening: Listening, network: MemoryNetwork) -> None:
        async with AsyncExitStack() as stack:
            calls = (connect(info(listening.url, user), network=network) for user in users)
            await use(*[await stack.enter_async_context(call) for call in calls])

    in_memory(main, config)


def with_two(use: Any, config: ServerConfig | None = None) -> None:
    """Run ``use(mouth, ears)`` in a call of two."""
    with_all(use, (MOUTH, EARS), config)


def test_a_recording_from_start_to_stop_and_its_callback() -> None:
    called: list[Any] = []

    async def finished(tracks: list[Track], *args: object) -> None:
        await trio.lowlevel.checkpoint()
        called.append((threading.get_ident(), tracks, args))

    async def use(mouth: Voice, ears: Voice) -> None:
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
    async def use(mouth: Voice, ears: Voice) -> None:
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

    async def use(mouth: Voice, ears: Voice) -> None:
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
    monkeypatch.setattr(voice, "FINISH_TIMEOUT", math.inf)
    called: list[list[Track]] = []

    async def main(listening: Listening, network: MemoryNetwork) -> None:
        async with (
            connect(info(listening.url, MOUTH), network=network) as mouth,
            connect(info(listening.url, EARS), network=network) as ears,
        ):
            ears.start_recording(Recorder(tmp_path), called.append)
            await say(mouth, PACKETS)

    in_memory(main)
    assert [track.frames for track in called[0]] == [len(PACKETS) + len(SILENCE)]
    manifest = read_manifest(tmp_path)
    assert (manifest.state, manifest.overflowed) == ("complete", 0)
    assert manifest.began is not None


def test_a_sink_that_stands_still_delays_neither_sending_nor_receiving() -> None:
    sink = Slow()
    heard: list[bytes] = []

    async def use(mouth: Voice, ears: Voice) -> None:
        ears.start_recording(lambda user: sink)
        frames = ears.frames()
        for n in range(3):
            await say(mouth, PACKETS)
            heard.extend(frame.opus for frame in frames.take())
            assert len(heard) == (n + 1) * (len(PACKETS) + len(SILENCE))
            await ears.play(Packets(PACKETS))
            await until(sink.stands.is_set)
        assert sink.written == []
        sink.go_on.set()
        (track,) = await ears.stop_recording()
        assert sink.written == heard
        assert track.lost == 0

    with_two(use)


def test_a_sink_that_never_goes_on_can_not_keep_us_in_the_call() -> None:
    sink = Slow()

    async def use(mouth: Voice, ears: Voice) -> None:
        ears.start_recording(lambda user: sink)
        await say(mouth, PACKETS)
        await until(sink.stands.is_set)
        began = trio.current_time()
        await ears.aclose()
        assert trio.current_time() - began <= 6.1

    try:
        with_two(use)
    finally:
        sink.go_on.set()


def test_a_full_disk_ends_a_track_and_neither_the_call_nor_the_other_tracks() -> None:
    class Full(Slow):
        def write(self, opus: bytes) -> None:
            if len(self.written) == 20:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.written.append(opus)

    class Plenty(Slow):
        def write(self, opus: bytes) -> None:
            self.written.append(opus)

    sinks: dict[int, Slow] = {MOUTH: Full(), THIRD: Plenty()}

    async def use(mouth: Voice, ears: Voice, third: Voice) -> None:
        frames = ears.frames()
        ears.start_recording(sinks.__getitem__)
        await say(mouth, PACKETS)
        await say(third, PACKETS)
        assert len(frames.take()) == 2 * (len(PACKETS) + len(SILENCE))
        tracks = {track.user_id: track for track in await ears.stop_recording()}
        assert "No space left" in str(tracks[MOUTH].error)
        assert sinks[MOUTH].written == PACKETS[:20]
        assert tracks[THIRD].error is None
        assert sinks[THIRD].written == PACKETS + SILENCE

    with_all(use, (MOUTH, EARS, THIRD))


def test_a_pause_leaves_out_what_is_said() -> None:
    async def use(mouth: Voice, ears: Voice) -> None:
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
    async def use(mouth: Voice, ears: Voice) -> None:
        ears.start_recording("ogg", users=[EARS])
        await say(mouth, PACKETS)
        assert await ears.stop_recording() == []
        ears.start_recording("ogg", sync_start=True)
        await trio.sleep(2)
        await say(mouth, PACKETS)
        (track,) = await ears.stop_recording()
        assert track.seconds > 3

    with_two(use)


def test_sender_reports_reach_the_timeline(monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[object] = []
    monkeypatch.setattr(
        Recorder, "receive_rtcp", lambda self, packets, arrived: reports.extend(packets)
    )

    async def use(mouth: Voice, ears: Voice) -> None:
        ears.start_recording("ogg")
        await say(mouth, PACKETS * 3)
        await until(lambda: bool(reports))

    with_two(use, ServerConfig(rtcp=True, rtcp_interval=1.0))


def test_record_leaves_the_recorder_open_and_tells_how_long() -> None:
    recorder = Recorder()
    seconds: list[float] = []

    async def use(mouth: Voice, ears: Voice) -> None:
        with trio.move_on_after(2.0):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(say, mouth, PACKETS)
                await record(ears, recorder, progress=seconds.append)
        assert not recorder.closed
        (track,) = recorder.close()
        assert track.frames == len(PACKETS) + len(SILENCE)
        assert seconds == sorted(seconds)
        assert 0 < seconds[0] <= seconds[-1] <= 2.0
        # Who left is not recorded any more, and an end that is no failure raises nothing.
        later = Recorder()
        await ears.aclose()
        await record(ears, later)
        assert later.close() == []

    with_two(use)
