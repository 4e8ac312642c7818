"""A recording on asyncio whose disk stands still: nobody waits for it."""

from collections.abc import Iterator

import pytest

from voicekit.aio import Voice, connect
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


def test_a_sink_that_stands_still_delays_nobody(server: LoopbackServer) -> None:
    sink = Slow()

    async def main() -> None:
        async with connect(server.info(MOUTH)) as mouth, connect(server.info(EARS)) as ears:
            ears.start_recording(lambda user: sink)
            for _ in range(3):
                await say(mouth, ears)
                await until(sink.stands.is_set)
            assert sink.packets == []
            sink.go_on.set()
            (track,) = await ears.stop_recording()
            assert track.lost == 0
            assert sink.packets == (PACKETS + SILENCE) * 3

    try:
        run(main())
    finally:
        sink.go_on.set()
