"""The relay: media taken off a socket, counted and passed on, in a thread without the GIL."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

relay_module: Any = pytest.importorskip("voicekit.net._relay", reason="built on Linux only")

MEDIA = b"\x80\x78" + bytes(60)
#: Nothing here takes a hundredth of it; seconds.
PATIENCE = 10.0


def udp(family: int = socket.AF_INET, host: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.settimeout(PATIENCE)
    return sock


class Strangers:
    """What the relay leaves to Python."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, tuple[str, int]]] = []
        self._changed = threading.Condition()

    def take(self, datagrams: list[tuple[bytes, tuple[str, int]]]) -> None:
        with self._changed:
            self.seen += datagrams
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.seen) >= count, PATIENCE)

    def wait_for_next(self, datagram: tuple[bytes, tuple[str, int]], known: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.seen.count(datagram) > known, PATIENCE)


class Running:
    def __init__(self, relay: Any, sock: socket.socket, strangers: Strangers) -> None:
        self.relay, self.sock, self.strangers = relay, sock, strangers
        self.address = sock.getsockname()[:2]

    def flush(self, client: socket.socket) -> None:
        """Return when all that ``client`` has sent before was taken: order is kept."""
        last = (b"\0flush", client.getsockname())
        known = self.strangers.seen.count(last)
        client.sendto(last[0], self.address)
        self.strangers.wait_for_next(last, known)


@contextmanager
def running(
    family: int = socket.AF_INET, host: str = "127.0.0.1", log: int = 0
) -> Iterator[Running]:
    sock, strangers = udp(family, host), Strangers()
    relay = relay_module.Relay(sock.fileno(), log)
    thread = threading.Thread(target=relay.run, args=(strangers.take,))
    thread.start()
    try:
        yield Running(relay, sock, strangers)
    finally:
        relay.stop()
        relay.stop()
        thread.join(PATIENCE)
        sock.close()
        assert not thread.is_alive()


def test_media_of_a_known_source_is_counted_and_reaches_its_receivers_unchanged() -> None:
    with running() as server, udp() as one, udp() as two, udp() as three:
        route = server.relay.add(one.getsockname())
        route.set_targets([two.getsockname(), three.getsockname()])
        sent = [MEDIA + bytes([number]) for number in range(200)]
        for number, data in enumerate(sent):
            one.sendto(data, server.address)
            assert two.recv(4096) == three.recv(4096) == sent[number]
        assert server.strangers.seen == []
        server.flush(one)  # it counts when it has sent
        assert (route.received, route.passed, route.unsent) == (200, 400, 0)


def test_without_receivers_media_is_counted() -> None:
    with running() as server, udp() as client:
        route = server.relay.add(client.getsockname())
        for _ in range(100):
            client.sendto(MEDIA, server.address)
        server.flush(client)
        assert (route.received, route.passed) == (100, 0)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x13\x37\xca\xfe\0\0\0\1", b"\0\1" + bytes(72), MEDIA[:11], b"\x40" + bytes(40)],
    ids=["empty", "ping", "discovery", "short", "version 1"],
)
def test_all_else_of_a_known_source_is_left_to_python(data: bytes) -> None:
    with running() as server, udp() as client:
        route = server.relay.add(client.getsockname())
        client.sendto(data, server.address)
        server.strangers.wait_for(1)
        assert server.strangers.seen == [(data, client.getsockname())]
        assert route.received == 0


def test_unknown_sources_are_left_to_python() -> None:
    with running() as server, udp() as known, udp() as unknown:
        route = server.relay.add(known.getsockname())
        route.set_targets([known.getsockname()])
        unknown.sendto(MEDIA, server.address)
        server.strangers.wait_for(1)
        assert server.strangers.seen == [(MEDIA, unknown.getsockname())]
        assert route.received == 0


def test_a_datagram_too_long_for_media_is_left_to_python_cut_off() -> None:
    with running() as server, udp() as client:
        route = server.relay.add(client.getsockname())
        client.sendto(b"\x80" + bytes(4000), server.address)
        server.strangers.wait_for(1)
        ((data, _),) = server.strangers.seen
        assert 2048 < len(data) < 4001
        assert route.received == 0


def test_a_route_that_is_closed_is_a_stranger_again_and_keeps_its_counts() -> None:
    with running() as server, udp() as client:
        route = server.relay.add(client.getsockname())
        client.sendto(MEDIA, server.address)
        server.flush(client)
        route.close()
        route.close()
        assert len(server.relay) == 0
        client.sendto(MEDIA, server.address)
        server.strangers.wait_for(2)
        assert route.received == 1
        again = server.relay.add(client.getsockname())
        assert again.received == 0


def test_a_thousand_sources_are_told_apart() -> None:
    with running() as server, udp() as client:
        routes = [server.relay.add(("127.0.0.2", port)) for port in range(2000, 3000)]
        own = server.relay.add(client.getsockname())
        for route in routes[::2]:
            route.close()
        client.sendto(MEDIA, server.address)
        server.flush(client)
        assert len(server.relay) == 501
        assert own.received == 1
        assert all(route.received == 0 for route in routes)
        with pytest.raises(ValueError, match="route"):
            server.relay.add(("127.0.0.2", 2001))
        server.relay.add(("127.0.0.2", 2000))


def test_receivers_that_can_not_be_reached_are_counted_and_stop_nobody() -> None:
    with running() as server, udp() as client, udp() as listener:
        route = server.relay.add(client.getsockname())
        route.set_targets([("127.0.0.1", 0), listener.getsockname()])
        client.sendto(MEDIA, server.address)
        assert listener.recv(4096) == MEDIA
        server.flush(client)
        assert (route.passed, route.unsent) == (1, 1)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_ipv6() -> None:
    try:
        probe = udp(socket.AF_INET6, "::1")
    except OSError:
        pytest.skip("no IPv6 on loopback")
    with probe as client, running(socket.AF_INET6, "::1") as server:
        host, port = client.getsockname()[:2]
        route = server.relay.add((host, port))
        route.set_targets([(host, port)])
        client.sendto(MEDIA, server.address)
        assert client.recv(4096) == MEDIA
        client.sendto(b"\0hello", server.address)
        server.strangers.wait_for(1)
        assert server.strangers.seen == [(b"\0hello", (host, port))]


@pytest.mark.parametrize("address", [("example.org", 1), ("", 1), ("1.2.3", 1), ("::1", 70000)])
def test_what_is_no_address_is_refused(address: tuple[str, int]) -> None:
    with running() as server:
        with pytest.raises(ValueError, match="no address"):
            server.relay.add(address)
        route = server.relay.add(("127.0.0.1", 9))
        with pytest.raises(ValueError, match="no address"):
            route.set_targets([("127.0.0.1", 9), address])


def test_routes_come_from_add_only() -> None:
    with pytest.raises(TypeError):
        relay_module.Route()


# -- the log -----------------------------------------------------------------------------------


def rtp(ssrc: int, sequence: int, kind: int = 0x78) -> bytes:
    return struct.pack(">BBHII", 0x80, kind, sequence, 960, ssrc) + bytes(20)


def test_the_log_says_when_the_kernel_had_which_packet() -> None:
    with running(log=10) as server, udp() as client:
        route = server.relay.add(client.getsockname())
        before = time.time_ns()
        client.sendto(rtp(7, 65535), server.address)
        client.sendto(rtp(8, 3), server.address)
        server.flush(client)
        after = time.time_ns()  # a kernel that has just begun to stamp does so on reading
        lines = list(struct.iter_unpack("=qIHH", server.relay.arrivals()))
        assert [line[1:] for line in lines] == [(7, 65535, 32), (8, 3, 32)]
        assert before <= lines[0][0] <= lines[1][0] <= after
        assert route.received == 2


def test_rtcp_and_strangers_are_not_logged_and_a_full_log_stays_as_it_is() -> None:
    with running(log=2) as server, udp() as client, udp() as unknown:
        route = server.relay.add(client.getsockname())
        unknown.sendto(rtp(1, 1), server.address)
        client.sendto(rtp(7, 1, kind=200), server.address)
        for sequence in range(4):
            client.sendto(rtp(7, sequence), server.address)
        server.flush(client)
        lines = list(struct.iter_unpack("=qIHH", server.relay.arrivals()))
        assert [line[2] for line in lines] == [0, 1]
        assert route.received == 5


def test_without_a_log_nothing_is_written_down() -> None:
    with running() as server, udp() as client:
        route = server.relay.add(client.getsockname())
        client.sendto(rtp(7, 1), server.address)
        server.flush(client)
        assert route.received == 1
        assert server.relay.arrivals() == b""


def test_a_route_that_nobody_keeps_is_forgotten() -> None:
    with running() as server, udp() as client:
        route = server.relay.add(client.getsockname())
        assert len(server.relay) == 1
        del route
        assert len(server.relay) == 0
