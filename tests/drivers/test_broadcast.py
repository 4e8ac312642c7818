"""One source in three calls, in memory: the same Opus bytes to all, encoded once."""

from tests.media.mixing.tones import Tone
from tests.trio.calls import SILENCE, collect
from voicekit.errors import PlaybackError
from voicekit.media import Broadcast, Mixer

from .libraries import Listening, Network, lib, until
from .players import ears_and_mouth

CALLS = 3
FRAMES = 100


class Prompt(Mixer):
    """Never waits: it is read where the ring is filled, so the clock may be virtual."""

    blocking = False


async def call(
    listening: Listening, network: Network, broadcast: Broadcast, number: int, heard: list[bytes]
) -> int:
    """Play the broadcast in a guild of its own, and note what is heard there; return misses."""
    listener = broadcast.listen()
    async with (
        ears_and_mouth(listening, network, guild=100 + number) as (ears, mouth),
        lib.open_nursery() as nursery,
    ):
        nursery.start_soon(collect, ears.frames(), heard)
        await lib.sleep(0.1 * number)  # not all at once
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

        async with lib.open_nursery() as nursery:
            for number in range(CALLS):
                nursery.start_soon(one, number)

    lib.in_memory(use)
    assert missed == [0] * CALLS
    assert broadcast.frames_read == FRAMES
    assert len(heard[0]) == FRAMES + len(SILENCE)
    assert heard[1] == heard[0]
    assert heard[2] == heard[0]
    assert SILENCE[0] not in heard[0][:FRAMES]


def test_each_call_tells_the_source_what_gets_lost() -> None:
    reported: list[float] = []
    ended: list[Exception | None] = []

    class Told(Prompt):
        def report_loss(self, fraction: float) -> None:
            reported.append(fraction)
            if fraction == 1:
                raise OSError("no more of this")

    async def use(listening: Listening, network: Network) -> None:
        async with ears_and_mouth(listening, network) as (_, mouth):
            mouth.player.report_loss(0.25)
            radio = Broadcast(Told(Tone(500, FRAMES))).listen()
            await mouth.player.play(radio, after=ended.append)
            await until(lambda: mouth.frames_played > 5)
            mouth.player.report_loss(0.5)
            mouth.player.report_loss(1)
            await mouth.player.wait_for_stopped()

    lib.in_memory(use)
    assert reported == [0.25, 0.5, 1.0]
    (error,) = ended
    assert isinstance(error, PlaybackError)
    assert isinstance(error.__cause__, OSError)
