"""Whole calls on asyncio over real sockets, against the voice server in a thread of its own."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from voicekit.aio import Voice, connect
from voicekit.events import Closed
from voicekit.server import ServerConfig
from voicekit.testing.loopback import LoopbackServer

from ..trio.calls import EARS, MOUTH, SILENCE, numbered

#: Nothing here should take longer; seconds.
PATIENCE = 20
DAVE = ServerConfig(default_channel_id=2000, dave="required")


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(DAVE) as running:
        yield running


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run ``main``; afterwards only its own task may be there."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await main
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(bounded(), debug=True)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def speak(voice: Voice, packets: list[bytes]) -> None:
    for packet in packets:
        assert voice.send_audio(packet)
        await asyncio.sleep(0.002)
    voice.stop_audio()


def test_audio_goes_both_ways_end_to_end_encrypted(server: LoopbackServer) -> None:
    async def main() -> None:
        async with connect(server.info(MOUTH)) as mouth, connect(server.info(EARS)) as ears:
            await asyncio.gather(mouth.wait_encrypted(), ears.wait_encrypted())
            there, back = ears.frames(), mouth.frames()
            await asyncio.gather(speak(mouth, numbered(10)), speak(ears, numbered(20)[10:]))
            assert [(await there.receive()).opus for _ in range(15)] == numbered(10) + SILENCE
            assert [(await back.receive()).opus for _ in range(15)] == numbered(20)[10:] + SILENCE
            assert mouth.stats().frames_sent_clear == ears.stats().frames_sent_clear == 0
        assert isinstance(ears.closed, Closed)
        assert [frame async for frame in there] == []

    run(main())
    assert [stats.close_code for stats in server.stats()] == [1000, 1000]
    assert [stats.packets_bad for stats in server.stats()] == [{}, {}]
