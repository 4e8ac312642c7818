"""User code starves audio: whoever lets go of the interpreter waits to get it back.

discord.py PR#6507 and PR#9288. A library that releases the GIL around each packet, as a cffi
call does, hands it to the thread that computes: 5 ms gone, for every packet. So one packet is
sealed and opened without a pause; only batches that take a millisecond let others run.

Item 21 of the list of what users suffer from.
"""

import sys
import threading
import time
from collections.abc import Iterator

import pytest

from voicekit.config import Config
from voicekit.testing import Pair, opus_frame

from ..session.peers import MODE

pytestmark = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="there is no GIL to be kept"
)


class Other:
    """A thread that takes the interpreter whenever somebody lets go of it."""

    def __init__(self) -> None:
        self.turns = 0
        self.stop = False
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while not self.stop:
            self.turns += 1
            time.sleep(0)  # and lets go of it again


@pytest.fixture
def other() -> Iterator[Other]:
    """The other thread, with a switch interval that forces nobody to let go."""
    interval = sys.getswitchinterval()
    other = Other()
    sys.setswitchinterval(1000.0)
    other.thread.start()
    try:
        yield other
    finally:
        other.stop = True
        sys.setswitchinterval(interval)
        other.thread.join()


def ready() -> Pair:
    pair = Pair(clients=2, config=Config(modes=(MODE,)))
    pair.connect()
    pair.play(pair.clients[0], 3)
    pair.drive(0.1)
    return pair


def test_no_packet_lets_another_thread_in(other: Other) -> None:
    pair = ready()
    connection, now = pair.clients[0].connection, pair.now
    frames = [opus_frame(number) for number in range(50)]
    before = other.turns
    for frame in frames:
        assert connection.seal_audio(frame, now) is not None
        assert connection.send_audio(frame, now)
        connection.open_datagram(bytes(100), now)
    assert len(connection.seal_many(frames, now)) == 50
    assert len(connection.open_many([bytes(100)] * 50, now)) == 0
    assert other.turns == before


def test_a_batch_of_many_milliseconds_does(other: Other) -> None:
    pair = ready()
    connection, now = pair.clients[0].connection, pair.now
    large = [b"\xfc" + bytes(60_000)] * 100
    before = other.turns
    datagrams = connection.seal_many(large, now)
    sealed = other.turns
    assert sealed > before
    assert len(datagrams) == 100
    connection.open_many(datagrams, now)
    assert other.turns > sealed
