"""Taking what waits on a socket: with recvmmsg, and with one call for each datagram."""

import errno
import os
import socket
import sys
from collections.abc import Callable

import pytest

from voicekit.net import BATCHED, DatagramBatch, drain, drain_singly

from .sockets import udp_pair

Drain = Callable[[int, DatagramBatch], int]

both = pytest.mark.parametrize("take", [drain, drain_singly])


def contents(batch: DatagramBatch) -> list[bytes]:
    return [batch[index] for index in range(len(batch))]


@both
@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 63])
def test_all_that_waits_comes_in_order_and_then_nothing(take: Drain, count: int) -> None:
    sent = [bytes([number]) * (number * 7) for number in range(count)]
    batch = DatagramBatch()
    with udp_pair() as (sender, receiver):
        for data in sent:
            sender.send(data)
        assert take(receiver.fileno(), batch) == count
        assert contents(batch) == sent
        assert take(receiver.fileno(), batch) == 0
        assert contents(batch) == []


@both
@pytest.mark.parametrize("capacity", [1, 5, 16, 20])
def test_what_does_not_fit_waits_for_the_next_time(take: Drain, capacity: int) -> None:
    sent = [b"%d" % number for number in range(50)]
    batch = DatagramBatch(capacity)
    came: list[bytes] = []
    with udp_pair() as (sender, receiver):
        for data in sent:
            sender.send(data)
        while take(receiver.fileno(), batch):
            assert len(batch) == min(capacity, len(sent) - len(came))
            came += contents(batch)
    assert came == sent


@both
def test_the_largest_datagram_and_the_empty_one_come_whole(take: Drain) -> None:
    largest = os.urandom(65_507)
    batch = DatagramBatch()
    with udp_pair() as (sender, receiver):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for data in (largest, b"", b"after"):
            sender.send(data)
        assert take(receiver.fileno(), batch) == 3
        assert contents(batch) == [largest, b"", b"after"]


@both
def test_what_was_in_the_batch_is_gone(take: Drain) -> None:
    batch = DatagramBatch()
    batch.append(b"old")
    with udp_pair() as (_, receiver):
        assert take(receiver.fileno(), batch) == 0
    assert len(batch) == 0


@both
@pytest.mark.skipif(sys.platform != "linux", reason="when ICMP is reported differs")
def test_icmp_of_what_was_sent_earlier_hides_no_datagram(take: Drain) -> None:
    batch = DatagramBatch()
    with udp_pair() as (sender, receiver):
        port = sender.getsockname()
        sender.send(b"before")
        sender.close()
        receiver.send(b"nobody is there: ICMP answers, at once on loopback")
        with socket.socket(type=socket.SOCK_DGRAM) as back:
            back.bind(port)
            back.connect(receiver.getsockname())
            back.send(b"behind")
            came: list[bytes] = []
            for _ in range(3):
                take(receiver.fileno(), batch)
                came += contents(batch)
    assert came == [b"before", b"behind"]


@both
def test_a_broken_socket_is_an_os_error_and_leaves_an_empty_batch(take: Drain) -> None:
    batch = DatagramBatch()
    batch.append(b"old")
    with udp_pair() as (_, receiver):
        gone = receiver.fileno()
    with pytest.raises(OSError, match=r"[Bb]ad|not a socket") as caught:
        take(gone, batch)
    assert len(batch) == 0
    if sys.platform != "win32":
        assert caught.value.errno == errno.EBADF


@pytest.mark.skipif(sys.platform != "linux", reason="recvmmsg is Linux's")
def test_linux_takes_many_at_a_time_unless_built_portable() -> None:
    portable = os.environ.get("VOICEKIT_PORTABLE") == "1"
    assert portable != BATCHED
