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


class Reader:
    """Takes all that is there, whenever there is more."""

    def __init__(self, source: Numbered) -> None:
        self.ahead = ReadAhead(source, self.take)
        self.taken: list[bytes] = []
        self.calls = 0
        self.done = trio.Event()

    def take(self) -> None:
        self.calls += 1
        while (packet := self.ahead.read()) is not None:
            self.taken.append(packet)
        if self.ahead.ended:
            self.done.set()


def read_all(source: Numbered) -> Reader:
    async def main() -> Reader:
        reader = Reader(source)
        async with beside(reader.ahead.run):
            with trio.fail_after(20):
                await reader.done.wait()
        return reader

    return trio.run(main)


@pytest.mark.parametrize("number", [0, 1, BATCH - 1, BATCH, BATCH + 1, 100])
def test_everything_comes_in_order(number: int) -> None:
    reader = read_all(Numbered(number))
    assert reader.taken == [b"%d" % n for n in range(number)]
    assert not reader.ahead
    assert reader.ahead.error is None


def test_it_is_read_in_another_thread() -> None:
    source = Numbered(3)
    read_all(source)
    assert threading.get_ident() not in source.threads


def test_what_reading_raises_is_kept_behind_what_was_read() -> None:
    error = MediaError("cut off")
    reader = read_all(Numbered(20, error))
    assert len(reader.taken) == 20
    assert reader.ahead.error is error


def test_it_reads_two_batches_ahead_and_goes_on_when_one_is_used_up() -> None:
    async def main() -> None:
        ahead = ReadAhead(Numbered(10_000), lambda: None)
        async with beside(ahead.run):
            for first in (0, BATCH, 2 * BATCH):
                with trio.fail_after(20):
                    while len(ahead) <= BATCH:  # noqa: ASYNC110
                        await trio.sleep(0.001)
                await wait_all_tasks_blocked()
                assert len(ahead) == 2 * BATCH
                for number in range(first, first + BATCH):
                    assert ahead.read() == b"%d" % number

    trio.run(main)


def test_a_live_source_is_not_waited_for_until_a_batch_is_full() -> None:
    feed = threading.Semaphore(0)

    class Live(Numbered):
        def read(self) -> bytes | None:
            feed.acquire()
            return super().read()

    async def main() -> None:
        reader = Reader(Live(BATCH))
        async with beside(reader.ahead.run):
            try:
                with trio.fail_after(20):
                    while len(reader.taken) < 3:
                        feed.release()
                        await trio.sleep(0.02)
                assert reader.taken[:3] == [b"0", b"1", b"2"]
                assert not reader.done.is_set()
            finally:
                feed.release(BATCH + 1)

    trio.run(main)
