"""Recording a call on asyncio: the same methods as on trio, and neither waits for a disk."""

import asyncio
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from voicekit.aio import Voice, connect, record
from voicekit.errors import NotRecording, RecordingNotConnected
from voicekit.media import Recorder, Track, read_manifest, read_opus_packets
from voicekit.testing.loopback import LoopbackServer

from ..trio.calls import EARS, MOUTH, SILENCE, numbered
from ..trio.test_recording import Slow
from .test_calls import run, speak, until

PACKETS = numbered(20)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


async def say(mouth: Voice, ears: Voice) -> None:
    """Speak, and wait until the last of it has come."""
    heard = ears.frames()
    await speak(mouth, PACKETS)
    for _ in range(len(PACKETS) + len(SILENCE)):
        await heard.receive()


def test_from_start_to_stop_with_a_callback_in_the_loop(server: LoopbackServer) -> None:
    called: list[Any] = []

    async def finished(tracks: list[Track], *args: object) -> None:
        await asyncio.sleep(0)
        called.append((threading.get_ident(), tracks, args))

    async def main() -> None:
        async with connect(server.info(MOUTH)) as mouth, connect(server.info(EARS)) as ears:
            ears.start_recording("ogg", finished, 5)
            await say(mouth, ears)
            tracks = await ears.stop_recording()
            assert called == [(threading.get_ident(), tracks, (5,))]
            file = ears.recordings[MOUTH]
            assert isinstance(file, io.BytesIO)
            assert read_opus_packets(file.getvalue()) == PACKETS + SILENCE
            with pytest.raises(NotRecording):
                ears.toggle_pause()
        with pytest.raises(RecordingNotConnected):
            ears.start_recording("ogg")

    run(main())


def test_a_sink_that_stands_still_delays_nobody(server: LoopbackServer) -> None:
    sink = Slow()

    async def main() -> None:
        async with connect(server.info(MOUTH)) as mouth, connect(server.info(EARS)) as ears:
            ears.start_recording(lambda user: sink)
            for _ in range(3):
                await say(mouth, ears)
                await until(sink.stands.is_set)
            assert sink.written == []
            sink.go_on.set()
            (track,) = await ears.stop_recording()
            assert track.lost == 0
            assert sink.written == (PACKETS + SILENCE) * 3

    try:
        run(main())
    finally:
        sink.go_on.set()


def test_the_end_of_the_block_finishes_the_files(server: LoopbackServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with connect(server.info(MOUTH)) as mouth, connect(server.info(EARS)) as ears:
            ears.start_recording(Recorder(tmp_path / "one"))
            other = Recorder(tmp_path / "other")
            beside = asyncio.create_task(record(ears, other))
            await say(mouth, ears)
            beside.cancel()
            await until(beside.done)
            assert not other.closed
            (track,) = other.close()
            assert track.frames == len(PACKETS) + len(SILENCE)

    run(main())
    manifest = read_manifest(tmp_path / "one")
    assert manifest.state == "complete"
    assert manifest.tracks[0].frames == len(PACKETS) + len(SILENCE)
