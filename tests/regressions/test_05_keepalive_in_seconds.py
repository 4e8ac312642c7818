"""Item 5, Pycord-Development/pycord#3388: audio stops after minutes, and is back after 83.

The keepalive's pause was meant in milliseconds and slept in seconds: ``time.sleep(5000)``.
The NAT in between forgot the listener long before.
"""

from voicekit.link import Link
from voicekit.testing import Pair

NAT_TIMEOUT = 30.0  # what home routers give UDP
TEN_MINUTES = 600.0


class Nat(Link):
    """A way home that exists only for a while after something went out."""

    def __init__(self, outward: "Outward") -> None:
        super().__init__()
        self._outward = outward

    def send(self, data: bytes | bytearray | memoryview, now: float) -> None:
        if now - self._outward.last < NAT_TIMEOUT:
            super().send(data, now)


class Outward(Link):
    """The way out, which keeps the way home open."""

    last = 0.0

    def send(self, data: bytes | bytearray | memoryview, now: float) -> None:
        self.last = now
        super().send(data, now)


def test_a_silent_listener_behind_a_nat_hears_all_of_a_long_recording() -> None:
    outward = Outward()
    pair = Pair(
        clients=2,
        uplink=lambda number: outward if number == 1 else Link(),
        downlink=lambda number: Nat(outward) if number == 1 else Link(),
    )
    pair.connect()
    listener, speaker = pair.clients
    for _ in range(9):  # an hour and a half
        pair.drive(TEN_MINUTES)
        sent = pair.play(speaker, 50)
        pair.drive(2.0)
        assert [frame.opus for frame in listener.frames] == sent
        listener.frames.clear()
