"""The loopback server: what it counts, and when."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from voicekit.testing import LoopbackServer, MainGateway

#: More than are taken in one go.
DATAGRAMS = 100
KEEPALIVE = bytes(8)


@contextmanager
def busy(server: "LoopbackServer | MainGateway") -> Iterator[None]:
    """Keep the server's thread from reading anything until the end of the block."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(core: Any, now: float) -> None:
        begun.set()
        assert go_on.wait(30)

    thread = threading.Thread(target=server.call, args=(wait,))
    thread.start()
    try:
        assert begun.wait(30)
        yield
    finally:
        go_on.set()
        thread.join()


def send_to(port: int) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        for _ in range(DATAGRAMS):
            client.sendto(KEEPALIVE, ("127.0.0.1", port))


def while_busy(
    server: "LoopbackServer | MainGateway", port: int, ask: Callable[[], object]
) -> None:
    """Have datagrams and then a question wait for the server's thread."""
    asking = threading.Thread(target=ask)
    with busy(server):
        send_to(port)
        queued = len(server._expected)
        asking.start()
        while len(server._expected) == queued:
            pass
    asking.join()


def test_what_was_sent_before_a_call_is_counted_before_it() -> None:
    counted: list[dict[str, int]] = []

    def look(core: Any, now: float) -> None:
        counted.append(core.server_stats().datagrams_dropped)

    with LoopbackServer() as server:
        while_busy(server, server.udp_port, lambda: server.call(look))
    assert counted == [{"keepalive": DATAGRAMS}]


def test_statistics_know_what_was_sent_before_and_stay_readable() -> None:
    server = LoopbackServer()
    assert server.stats() == []
    with server:
        while_busy(server, server.udp_port, server.stats)
        # Of the core itself: nothing catches up here.
        assert server.server.server_stats().datagrams_dropped == {"keepalive": DATAGRAMS}
    assert server.stats() == []


def test_what_was_sent_before_the_end_is_counted() -> None:
    with LoopbackServer() as server:
        stopping = threading.Thread(target=server.stop)
        with busy(server):
            send_to(server.udp_port)
            stopping.start()
        stopping.join()
    assert server.server.server_stats().datagrams_dropped == {"keepalive": DATAGRAMS}


def test_the_voice_servers_of_a_gateway_catch_up_before_a_call_of_it() -> None:
    gateway = MainGateway(regions=2)
    assert gateway.stats() == [[], []]
    with gateway:
        port = gateway._running.voice[1].udp_port
        while_busy(gateway, port, gateway.stats)
        dropped = [core.server_stats().datagrams_dropped for core in gateway.voice_servers]
    assert dropped == [{}, {"keepalive": DATAGRAMS}]


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before
