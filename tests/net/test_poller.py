"""One descriptor for many sockets."""

import select
import socket
from contextlib import ExitStack

import pytest

from voicekit.net import DatagramBatch, Poller, drain

from .sockets import udp_pair

pytestmark = pytest.mark.skipif(not Poller.is_available, reason="Linux's epoll")


@pytest.fixture
def poller() -> Poller[str]:
    return Poller()


def is_readable(poller: Poller[str]) -> bool:
    return bool(select.select([poller.fileno()], [], [], 0)[0])


def test_it_is_readable_while_one_of_its_sockets_is(poller: Poller[str]) -> None:
    batch = DatagramBatch()
    with udp_pair() as (to_one, one), udp_pair() as (to_two, two):
        poller.add(one.fileno(), "one")
        poller.add(two.fileno(), "two")
        assert len(poller) == 2
        assert not is_readable(poller)
        assert poller.ready(10) == []
        to_two.send(b"data")
        assert is_readable(poller)
        assert poller.ready(10) == ["two"]
        assert poller.ready(10) == ["two"], "it was not drained"
        to_one.send(b"data")
        assert sorted(poller.ready(10)) == ["one", "two"]
        for sock in (one, two):
            drain(sock.fileno(), batch)
        assert not is_readable(poller)
    poller.close()


def test_a_limit_lets_everybody_have_a_turn(poller: Poller[str]) -> None:
    with ExitStack() as stack:
        for number in range(10):
            sender, receiver = stack.enter_context(udp_pair())
            poller.add(receiver.fileno(), str(number))
            sender.send(b"stays")
        turns = [poller.ready(3) for _ in range(10)]
        assert all(len(turn) == 3 for turn in turns)
        assert {owner for turn in turns for owner in turn} == set(map(str, range(10)))
    poller.close()


def test_one_that_was_removed_is_not_named(poller: Poller[str]) -> None:
    with udp_pair() as (sender, receiver):
        poller.add(receiver.fileno(), "gone")
        sender.send(b"data")
        poller.remove(receiver.fileno())
        assert len(poller) == 0
        assert not is_readable(poller)
        assert poller.ready(10) == []
    poller.close()


def test_the_number_of_a_closed_socket_can_be_anothers(poller: Poller[str]) -> None:
    with udp_pair() as (_, receiver):
        number = receiver.fileno()
        poller.add(number, "first")
        poller.remove(number)
    with udp_pair() as (sender, receiver), socket.socket(type=socket.SOCK_DGRAM) as spare:
        same = receiver if receiver.fileno() == number else spare
        poller.add(same.fileno(), "second")
        if same is receiver:
            sender.send(b"data")
            assert poller.ready(10) == ["second"]
    poller.close()


def test_no_descriptor_is_an_os_error_and_nothing_is_kept(poller: Poller[str]) -> None:
    with udp_pair() as (_, receiver):
        number = receiver.fileno()
    with pytest.raises(OSError, match=r"[Bb]ad"):
        poller.add(number, "closed")
    assert len(poller) == 0
    poller.close()
