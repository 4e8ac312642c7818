"""A recording in trio whose disk stands still: nobody waits for it."""

import threading
from typing import Any

import trio

from voicekit.trio import Listening, Voice, connect

from ..media.recording.sinks import Places
from .calls import EARS, MOUTH, SILENCE, Packets, in_memory, info, numbered, until
from .memory_network import MemoryNetwork

PACKETS = numbered(50)


class Slow(Places):
    """A sink that stands still until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.stands = threading.Event()
        self.go_on = threading.Event()

    def write(self, opus: bytes) -> None:
        self.stands.set()
        self.go_on.wait(20)
        super().write(opus)


async def say(mouth: Voice, packets: list[bytes]) -> None:
    """Play, and wait until the last of it has come."""
    await mouth.play(Packets(packets))
    await trio.sleep(0.1)


def with_two(use: Any) -> None:
    """Run ``use(mouth, ears)`` in a call of two."""

    async def main(listening: Listening, network: MemoryNetwork) -> None:
        async with (
            connect(info(listening.url, MOUTH), network=network) as mouth,
            connect(info(listening.url, EARS), network=network) as ears,
        ):
            await use(mouth, ears)

    in_memory(main)


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
        assert sink.packets == []
        sink.go_on.set()
        (track,) = await ears.stop_recording()
        assert sink.packets == heard
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
