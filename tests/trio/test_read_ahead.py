"""Sources are read in a thread, a little ahead, and what they raise comes after their frames."""

import threading

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from voicekit.errors import MediaError
from voicekit.trio.pump import beside
from voicekit.trio.read_ahead import BATCH, ReadAhead


class Numbered:
    """Packets b"0", b"1", ... and then the end, or an error."""

    def __init__(self, number: int, error: Exception | None = None) -> None:
        self.number = number
        self.error = error
        self.read_so_far = 0
        self.threads: set[int] = set()

    def read(self) -> bytes | None:
        self.threads.add(threading.get_ident())
        if self.read_so_far == self.number:
            if self.error is not None:
                raise self.error
            return None
        self.read_so_far += 1
        return b"%d" % (self.read_so_far - 1)


class NeverBlocking(Numbered):
    blocking = False


async def read_all(source: Numbered) -> list[bytes]:
    ahead = ReadAhead(source)
    packets = []
    async with beside(ahead.run):
        while (packet := await next_of(ahead)) is not None:
            packets.append(packet)
    return packets


async def next_of(ahead: ReadAhead) -> bytes | None:
    await ahead.wait()
    return ahead.read()


@pytest.mark.parametrize("number", [0, 1, BATCH - 1, BATCH, BATCH + 1, 100])
@pytest.mark.parametrize("kind", [Numbered, NeverBlocking])
def test_everything_comes_in_order(kind: type[Numbered], number: int) -> None:
    assert trio.run(read_all, kind(number)) == [b"%d" % n for n in range(number)]


def test_a_source_that_may_block_is_read_in_another_thread() -> None:
    source = Numbered(3)
    trio.run(read_all, source)
    assert threading.get_ident() not in source.threads


def test_a_source_that_never_blocks_is_read_without_a_thread() -> None:
    source = NeverBlocking(3)
    trio.run(read_all, source)
    assert source.threads == {threading.get_ident()}


def test_what_reading_raises_is_kept_until_what_was_read_is_played() -> None:
    async def main() -> None:
        error = MediaError("cut off")
        ahead = ReadAhead(Numbered(20, error))
        async with beside(ahead.run):
            for number in range(20):
                assert await next_of(ahead) == b"%d" % number
            assert await next_of(ahead) is None
        assert ahead.error is error

    trio.run(main)


def test_it_reads_no_further_ahead_than_three_batches() -> None:
    source = NeverBlocking(10_000)

    async def main() -> None:
        ahead = ReadAhead(source)
        async with beside(ahead.run):
            await next_of(ahead)
            await wait_all_tasks_blocked()
            assert source.read_so_far <= 3 * BATCH

    trio.run(main)


def test_a_live_source_is_played_packet_by_packet() -> None:
    feed = threading.Semaphore(0)

    class Live(Numbered):
        def read(self) -> bytes | None:
            feed.acquire()
            return super().read()

    async def main() -> None:
        ahead = ReadAhead(Live(2))
        async with beside(ahead.run):
            feed.release()
            await trio.sleep(0.02)
            feed.release()
            assert await next_of(ahead) == b"0"
            feed.release()
            assert await next_of(ahead) == b"1"
            assert await next_of(ahead) is None

    trio.run(main)
