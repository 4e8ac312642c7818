"""IP discovery: the datagrams byte by byte, and the machine that asks and waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicekit.config import Config
from voicekit.discovery import (
    Discovered,
    DiscoveryFailed,
    IpDiscovery,
    build_reply,
    build_request,
    parse_reply,
    parse_request,
)
from voicekit.errors import LocalProtocolError

SSRC = 0x01020304
REPLY = (
    bytes.fromhex("0002 0046 01020304") + b"203.0.113.7".ljust(64, b"\0") + bytes.fromhex("d3e4")
)


def test_all_74_bytes_of_the_request():
    request = build_request(SSRC)
    assert len(request) == 74
    assert request == bytes([0, 1, 0, 70, 1, 2, 3, 4]) + bytes(64) + bytes(2)


def test_all_74_bytes_of_the_reply():
    assert build_reply(SSRC, "203.0.113.7", 54244) == REPLY
    assert parse_reply(REPLY, SSRC) == ("203.0.113.7", 54244)


@pytest.mark.parametrize("address", ["0.0.0.0", "255.255.255.255", "::1", "2001:db8::ff00:42:8329"])
@pytest.mark.parametrize("port", [1, 65535])
def test_any_address_and_port_go_through(address, port):
    assert parse_reply(build_reply(SSRC, address, port), SSRC) == (address, port)


def altered(at: int, new: bytes) -> bytes:
    return REPLY[:at] + new + REPLY[at + len(new) :]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(REPLY[:73], id="a byte short"),
        pytest.param(REPLY + b"\0", id="a byte long"),
        pytest.param(build_request(SSRC), id="our own request, echoed"),
        pytest.param(altered(0, b"\0\1"), id="type 1"),
        pytest.param(altered(0, b"\2\0"), id="type in little-endian"),
        pytest.param(altered(2, b"\0\x47"), id="length 71"),
        pytest.param(altered(4, b"\1\2\3\5"), id="another SSRC"),
        pytest.param(altered(8, bytes(64)), id="no address"),
        pytest.param(altered(8, b"1" * 64), id="no NUL"),
        pytest.param(altered(8, b"203.0.113.256\0"), id="no IPv4 address"),
        pytest.param(altered(8, b"203.0.113\0".ljust(64, b"\0")), id="three numbers"),
        pytest.param(altered(8, b" 203.0.113.7\0"), id="a space before"),
        pytest.param(altered(8, b"example.com".ljust(64, b"\0")), id="a name"),
        pytest.param(altered(8, b"\xd9\xa1.2.3.4\0".ljust(64, b"\0")), id="not ASCII"),
        pytest.param(altered(8, b"fe80::g\0".ljust(64, b"\0")), id="no IPv6 address"),
        pytest.param(altered(72, b"\0\0"), id="port 0"),
    ],
)
def test_anything_but_the_reply_to_us_is_ignored(data):
    assert parse_reply(data, SSRC) is None
    discovery = IpDiscovery(SSRC)
    discovery.start(0.0)
    assert discovery.poll() == build_request(SSRC)
    assert discovery.receive_datagram(data, 0.1) is False
    assert discovery.poll() is None
    assert discovery.receive_datagram(REPLY, 0.2) is True


def test_an_ipv6_scope_is_no_address_of_ours():
    # ipaddress takes "fe80::1%eth0"; a server that sees us by it can not be elsewhere.
    assert parse_reply(altered(8, b"fe80::1%eth0".ljust(64, b"\0")), SSRC) is None


@given(st.binary(max_size=100))
def test_no_datagram_raises(data):
    parse_reply(data, SSRC)
    parse_request(data)


@given(st.binary(min_size=64, max_size=64), st.integers(0, 65535))
def test_no_address_raises(text, port):
    found = parse_reply(REPLY[:8] + text + port.to_bytes(2, "big"), SSRC)
    assert found is None or found[1] == port != 0


def test_requests_are_read_by_servers():
    assert parse_request(build_request(SSRC)) == SSRC
    noisy = build_request(SSRC)[:8] + b"\xff" * 66  # some clients do not clear the rest
    assert parse_request(noisy) == SSRC
    for data in (REPLY, b"", build_request(SSRC)[:70], build_request(SSRC) + b"\0"):
        assert parse_request(data) is None


@pytest.mark.parametrize(
    ("ssrc", "address", "port"),
    [(-1, "::1", 1), (2**32, "::1", 1), (1, "::1", 65536), (1, "::1", -1), (1, "host", 1)],
)
def test_what_does_not_fit_is_a_value_error(ssrc, address, port):
    with pytest.raises(ValueError):  # noqa: PT011 - texts differ
        build_reply(ssrc, address, port)


# -- the machine ----------------------------------------------------------------------


def drain(discovery: IpDiscovery) -> list:
    found = []
    while (output := discovery.poll()) is not None:
        found.append(output)
    return found


def test_an_answer_ends_it():
    discovery = IpDiscovery(SSRC)
    assert discovery.next_timeout() is None
    discovery.start(100.0)
    assert drain(discovery) == [build_request(SSRC)]
    assert discovery.next_timeout() == 101.0
    assert discovery.receive_datagram(bytearray(REPLY), 100.2) is True
    assert drain(discovery) == [Discovered("203.0.113.7", 54244)]
    assert discovery.next_timeout() is None


def test_it_asks_each_second_and_gives_up_after_ten():
    discovery = IpDiscovery(SSRC)
    discovery.start(0.0)
    log = []
    while True:
        log += [(discovery.attempts, output) for output in drain(discovery)]
        deadline = discovery.next_timeout()
        if deadline is None:
            break
        discovery.handle_timeout(deadline - 0.001)
        assert drain(discovery) == [], "too early"
        discovery.handle_timeout(deadline)
    request = build_request(SSRC)
    assert log == [*((n, request) for n in range(1, 11)), (10, DiscoveryFailed(10))]


def test_interval_and_attempts_are_configured():
    discovery = IpDiscovery(SSRC, Config(discovery_interval=0.25, discovery_attempts=1))
    discovery.start(0.0)
    drain(discovery)
    discovery.handle_timeout(0.25)
    assert drain(discovery) == [DiscoveryFailed(1)]


def test_an_answer_after_nine_seconds_is_as_good():
    discovery = IpDiscovery(SSRC)
    discovery.start(0.0)
    for second in range(1, 10):
        discovery.handle_timeout(float(second))
    drain(discovery)
    assert discovery.receive_datagram(REPLY, 9.9) is True
    assert drain(discovery) == [Discovered("203.0.113.7", 54244)]


def test_late_and_repeated_answers_are_somebody_elses():
    discovery = IpDiscovery(SSRC, Config(discovery_attempts=1))
    assert discovery.receive_datagram(REPLY, 0.0) is False, "not started"
    discovery.start(0.0)
    discovery.handle_timeout(1.0)
    assert discovery.receive_datagram(REPLY, 1.1) is False, "given up"
    discovery = IpDiscovery(SSRC)
    discovery.start(0.0)
    assert discovery.receive_datagram(REPLY, 0.1) is True
    assert discovery.receive_datagram(REPLY, 0.2) is False, "answered"
    discovery.handle_timeout(100.0)
    assert drain(discovery) == [Discovered("203.0.113.7", 54244)]


def test_a_late_timer_asks_once_not_once_per_missed_second():
    discovery = IpDiscovery(SSRC)
    discovery.start(0.0)
    drain(discovery)
    discovery.handle_timeout(60.0)
    assert drain(discovery) == [build_request(SSRC)]
    assert discovery.next_timeout() == 61.0


def test_it_starts_once():
    discovery = IpDiscovery(SSRC)
    discovery.start(0.0)
    with pytest.raises(LocalProtocolError):
        discovery.start(1.0)
