"""One source in three calls, in memory: the same Opus bytes to all, encoded once."""

import trio

from tests.media.mixing.tones import Tone
from voicekit.config import Config
from voicekit.media import Broadcast, Mixer
from voicekit.trio import Listening, connect
from voicekit.trio.network import Network

from .calls import EARS, MOUTH, SILENCE, collect, in_memory, info, until

CALLS = 3
FRAMES = 100


class Prompt(Mixer):
    """Never waits: it is read where the ring is filled, so the clock may be virtual."""

    blocking = False


async def call(
    listening: Listening, network: Network, broadcast: Broadcast, number: int, heard: list[bytes]
) -> int:
    """Play the broadcast in a guild of its own, and note what is heard there; return misses."""
    guild = 100 + number
    listener = broadcast.listen()
    async with (
        connect(
            info(listening.url, EARS, guild=guild),
            config=Config(receive_only=True),
            network=network,
        ) as ears,
        connect(info(listening.url, MOUTH, guild=guild), network=network) as mouth,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(collect, ears.frames(), heard)
        await trio.sleep(0.1 * number)  # not all at once
        await mouth.play(listener)
        await until(lambda: heard[-5:] == SILENCE)
        nursery.cancel_scope.cancel()
    return listener.missed


def test_three_calls_hear_the_same_bytes() -> None:
    heard: list[list[bytes]] = [[] for _ in range(CALLS)]
    missed: list[int] = []
    broadcast = Broadcast(Prompt(Tone(500, FRAMES), Tone(850, FRAMES)))

    async def use(listening: Listening, network: Network) -> None:
        async def one(number: int) -> None:
            missed.append(await call(listening, network, broadcast, number, heard[number]))

        async with trio.open_nursery() as nursery:
            for number in range(CALLS):
                nursery.start_soon(one, number)

    in_memory(use)
    assert missed == [0] * CALLS
    assert broadcast.frames_read == FRAMES
    assert len(heard[0]) == FRAMES + len(SILENCE)
    assert heard[1] == heard[0]
    assert heard[2] == heard[0]
    assert SILENCE[0] not in heard[0][:FRAMES]
