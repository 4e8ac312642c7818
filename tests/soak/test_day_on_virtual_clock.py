"""A call of 24 hours, in seconds: nothing wears out, nothing fills up, nothing stops."""

import gc
import sys
from array import array
from itertools import pairwise

from voicekit.config import Config
from voicekit.events import ProtocolViolation, Reconnecting, SessionReady, SessionResumed
from voicekit.link import Link
from voicekit.testing import Client, Pair, opus_frame

HOUR = 3600.0
SPURTS_PER_HOUR = 5
FRAMES_PER_SPURT = 560  # 11.2 s; both ways 134 400 packets a day
SILENCE_FRAMES = 5
RESUMES_AT = {3: "in a pause", 11: "in a talk spurt", 19: "in a pause"}

KEEPALIVE_SIZE = 8
PORT_SIZE = 2  # the pair writes the port in front of each datagram

#: Python objects that a call may gain after its first hour: caches, counters that outgrow
#: the small integers. A leak of one object per packet would be 128 000.
SOME_OBJECTS = 1500


class WatchedLink(Link):
    """A link that notes when keepalives pass."""

    def __init__(self) -> None:
        super().__init__()
        self.keepalives = array("d")  # no objects: memory is what is measured here

    def send(self, data: bytes | bytearray | memoryview, now: float) -> None:
        if len(data) == KEEPALIVE_SIZE + PORT_SIZE:
            self.keepalives.append(now)
        super().send(data, now)


class Day:
    """The call, its script, and what was seen of it so far."""

    def __init__(self) -> None:
        self.uplinks = [WatchedLink(), WatchedLink()]
        self.pair = Pair(
            clients=2, config=Config(rtcp=True), uplink=lambda n: self.uplinks[n - 1], seed=2
        )
        self.sent = 0
        self.wraps = {"sequence": 0, "timestamp": 0}
        self.last: dict[str, tuple[int, int]] = {}

    def spurt(self, speaker: Client, listener: Client, *, drop: bool) -> None:
        """Talk, stop, and see that the other one heard all of it, in order, once."""
        pair = self.pair
        numbers = range(self.sent, self.sent + FRAMES_PER_SPURT)
        sent = pair.play(speaker, [opus_frame(number) for number in numbers])
        self.sent += FRAMES_PER_SPURT
        if drop:
            pair.at(pair.now + 5.0, lambda now: pair.drop_websocket(speaker))
        pair.drive(FRAMES_PER_SPURT * 0.02 + 0.01)
        pair.stop_audio(speaker)
        pair.drive(1.0)
        heard = [frame.opus for frame in listener.frames]
        assert heard[: len(sent)] == sent
        assert len(heard) == len(sent) + SILENCE_FRAMES
        assert speaker.unsent == 0
        assert not speaker.frames
        self._count_wraps(listener)
        listener.frames.clear()

    def _count_wraps(self, listener: Client) -> None:
        for frame in listener.frames:
            before = self.last.get(listener.name)
            if before is not None:
                assert frame.sequence == before[0] + 1
                assert frame.rtp_time > before[1]
                self.wraps["sequence"] += frame.sequence // 2**16 - before[0] // 2**16
                self.wraps["timestamp"] += frame.rtp_time // 2**32 - before[1] // 2**32
            self.last[listener.name] = (frame.sequence, frame.rtp_time)

    def hour(self, number: int) -> None:
        """Live through one hour."""
        pair = self.pair
        alice, bob = pair.clients
        begin = number * HOUR
        for spurt in range(SPURTS_PER_HOUR):
            pair.drive(begin + spurt * HOUR / SPURTS_PER_HOUR + 60.0 - pair.now)
            drop = spurt == 2 and RESUMES_AT.get(number) == "in a talk spurt"
            self.spurt(alice, bob, drop=drop)
            self.spurt(bob, alice, drop=False)
        if RESUMES_AT.get(number) == "in a pause":
            pair.drop_websocket(alice)
        pair.drive(begin + HOUR - pair.now)
        for client in pair.clients:
            assert client.connection.is_ready
            assert not client.events_of(ProtocolViolation)
            kept = (SessionReady, SessionResumed, Reconnecting)
            client.events[:] = [event for event in client.events if isinstance(event, kept)]
        pair.server_events.clear()


def objects() -> int:
    gc.collect()
    return sys.getallocatedblocks()


def test_a_call_of_24_hours() -> None:
    day = Day()
    pair = day.pair
    pair.connect()
    alice, bob = pair.clients
    after_an_hour = 0
    for number in range(24):
        day.hour(number)
        if number == 0:
            after_an_hour = objects()
    assert objects() - after_an_hour < SOME_OBJECTS

    assert day.sent >= 100_000
    assert day.wraps["sequence"] >= 2
    assert day.wraps["timestamp"] >= 1
    for link in day.uplinks:
        gaps = [b - a for a, b in pairwise(link.keepalives)]
        assert max(gaps) < 5.001
        assert len(link.keepalives) >= 24 * HOUR / 5 - 1
    assert len(alice.events_of(SessionResumed)) == 3
    assert not bob.events_of(Reconnecting)
    for client in pair.clients:
        assert len(client.events_of(SessionReady)) == 1
        stats = client.connection.stats()
        assert stats.packets_sent == day.sent / 2 + SILENCE_FRAMES * SPURTS_PER_HOUR * 24
        assert stats.packets_received == stats.packets_sent
        assert stats.drops == {}
        assert stats.violations == 0
        assert stats.max_timer_lateness < 1e-6
        assert stats.latency is not None
        assert stats.rtcp_sent > 0
    for session in pair.server.stats():
        assert session.packets_bad == {}
        assert session.messages_bad == {}
        assert session.packets_missing == 0
