"""A thread per call does not scale.

songbird PR#179, discord.py#10064 and others. The core starts none: any number of connections
lives on one loop, or on none at all.

Item 24 of the list of what users suffer from.
"""

import os
import sys
import threading

import pytest
import trio

from tests.trio.calls import Packets, info, numbered, running_server, until
from voicekit.testing import Pair
from voicekit.trio import connect


def test_twenty_calls_that_all_talk_need_no_thread() -> None:
    before = set(threading.enumerate())
    pair = Pair(clients=20)
    pair.connect()
    for client in pair.clients:
        pair.play(client, 10)
    pair.drive(0.5)
    assert all(len(client.frames) == 190 for client in pair.clients)
    assert set(threading.enumerate()) <= before


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads of the kernel")
def test_calls_of_the_runner_share_one_loop_and_one_pacer() -> None:
    counts: list[int] = []

    async def call(url: str, user_id: int) -> None:
        async with connect(info(url, user_id)) as voice, trio.open_nursery() as nursery:
            nursery.start_soon(voice.play, Packets(numbered(10_000)))
            await until(lambda: voice.frames_played > 0)
            counts.append(len(os.listdir("/proc/self/task")))
            await trio.sleep_forever()

    async def main() -> None:
        with trio.fail_after(20):
            async with running_server() as listening, trio.open_nursery() as nursery:
                for number in range(8):
                    nursery.start_soon(call, listening.url, 1000 + number)
                    await until(lambda number=number: len(counts) == number + 1)  # type: ignore[misc]
                nursery.cancel_scope.cancel()

    trio.run(main)
    assert max(counts) <= counts[0]
