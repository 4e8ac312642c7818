"""users.md item 15, discordrb PR#457: after a stall the player sent back-to-back to catch up."""

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from tests.trio.calls import EARS, MOUTH, Packets, account, in_memory, info, numbered
from tests.trio.memory_network import MemoryNetwork
from voicekit.config import Config
from voicekit.trio import Listening, connect


@pytest.mark.parametrize("stall", [0.1, 1.0, 10.0])
def test_frames_stay_20_ms_apart_after_the_process_stood_still(stall: float) -> None:
    clock = MockClock(autojump_threshold=0)

    async def use(listening: Listening, network: MemoryNetwork) -> None:
        async with (
            connect(
                info(listening.url, EARS), config=Config(receive_only=True), network=network
            ) as ears,
            connect(info(listening.url, MOUTH), network=network) as mouth,
            trio.open_nursery() as nursery,
        ):
            frames = ears.frames()
            nursery.start_soon(mouth.play, Packets(numbered(100)))
            await trio.sleep(0.51)
            clock.jump(stall)
            arrived = [(await frames.receive()).arrived for _ in range(100)]
            gaps = [later - earlier for earlier, later in pairwise(arrived)]
            assert min(gaps) == pytest.approx(0.02, abs=1e-6)
            assert max(gaps) == pytest.approx(stall + 0.01, abs=0.011)
            assert mouth.lateness()["max"] >= (stall - 0.02) * 1000
        assert account(listening, MOUTH).packets_valid == 105

    in_memory(use, clock=clock)


def test_a_hiccup_of_less_than_a_frame_shifts_nothing_for_good() -> None:
    clock = MockClock(autojump_threshold=0)

    async def use(listening: Listening, network: MemoryNetwork) -> None:
        async with connect(info(listening.url), network=network) as voice:
            began = trio.current_time()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(voice.play, Packets(numbered(100)))
                await trio.sleep(0.51)
                clock.jump(0.018)
            assert trio.current_time() - began == pytest.approx(100 * 0.02 + 0.08, abs=0.021)

    in_memory(use, clock=clock)
