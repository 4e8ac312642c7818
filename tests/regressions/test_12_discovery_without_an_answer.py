"""UDP is blocked and nobody says so (discord.py#4091, discord.js#8728, #5128, Lavalink#218).

Discovery has a deadline and ends in a result that counts its attempts. And servers that
check the request (dysnomia PR#205: no garbage in it) get zeros where nothing belongs.
Item 12 of the list of what users suffer from.
"""

from voicekit.discovery import DiscoveryFailed, IpDiscovery


def test_blocked_udp_ends_within_ten_seconds_in_a_failure_that_counts():
    discovery = IpDiscovery(1)
    discovery.start(0.0)
    now = 0.0
    outputs = []
    while (deadline := discovery.next_timeout()) is not None:
        now = deadline
        discovery.handle_timeout(now)
        while (output := discovery.poll()) is not None:
            outputs.append(output)
    assert now == 10.0
    assert outputs[-1] == DiscoveryFailed(attempts=10)
    assert len(outputs) == 11


def test_garbage_for_an_answer_does_not_stop_the_clock():
    discovery = IpDiscovery(1)
    discovery.start(0.0)
    for n in range(1, 11):
        for garbage in (b"", b"\0\2\0\x46", bytes(74), b"\xff" * 74, bytes(65507)):
            assert not discovery.receive_datagram(garbage, n - 0.5)
        assert discovery.next_timeout() == n
        discovery.handle_timeout(float(n))
    assert discovery.next_timeout() is None


def test_the_request_is_zero_wherever_nothing_is_said():
    discovery = IpDiscovery(0xFFFF_FFFF)
    discovery.start(0.0)
    request = discovery.poll()
    assert request == bytes.fromhex("00010046 ffffffff") + bytes(66)
