"""Seeded traces of received audio: when which packet of a stream arrives, if it does.

For jitter buffers: the same trace for each of them, without a network and without a clock. A
trace is a function of its seed, on every machine; tests hold a digest of each of the named ones.
"""

import hashlib
import math
from collections.abc import Callable
from random import Random

import msgspec

from voicekit.link import Burst, Link

__all__ = ["TRACES", "Trace", "TracePacket", "make_trace"]

PERIOD = 0.02
SAMPLES = 960
SILENCE_FRAMES = 5
#: Of every path, in seconds: that a delay is added to it can only be seen in differences.
BASE_DELAY = 0.03
#: 5 % in bursts of three packets on average.
BURSTS = Burst(enter=0.0175, leave=1 / 3)


class TracePacket(msgspec.Struct, frozen=True):
    """One packet of a stream of 20 ms frames."""

    sequence: int  #: extended
    rtp_time: int  #: extended, 48 kHz
    sent: float  #: seconds
    arrived: float | None  #: seconds; None: lost on the way
    marker: bool = False  #: first of a talk spurt
    silence: bool = False  #: one of the five frames of silence that end a talk spurt


class Trace(msgspec.Struct, frozen=True):
    """One stream over one path. ``packets`` are in the order in which they were sent."""

    name: str
    packets: list[TracePacket]

    @property
    def arrivals(self) -> list[TracePacket]:
        """What arrives, in that order."""
        there = [packet for packet in self.packets if packet.arrived is not None]
        return sorted(there, key=lambda packet: (packet.arrived or 0.0, packet.sequence))

    @property
    def digest(self) -> str:
        """SHA-256 of all packets, to the microsecond."""
        text = "\n".join(
            f"{p.sequence} {p.rtp_time} {round(p.sent * 1e6)} "
            f"{'-' if p.arrived is None else round(p.arrived * 1e6)} {p.marker:d}{p.silence:d}"
            for p in self.packets
        )
        return hashlib.sha256(text.encode()).hexdigest()


def make_trace(name: str, *, seed: int = 0, seconds: float = 600.0) -> Trace:
    """Make one of `TRACES`. Raises ``KeyError`` for another name."""
    speak, deliver = TRACES[name]
    return Trace(name, deliver(speak(seconds, Random(f"{seed}/speech")), seed))


# -- speakers --------------------------------------------------------------------


def _music(seconds: float, random: Random) -> list[TracePacket]:
    """Send without a pause."""
    return [TracePacket(n, n * SAMPLES, n * PERIOD, None) for n in range(round(seconds / PERIOD))]


def _talk(seconds: float, random: Random, *, counts_pauses: bool = True) -> list[TracePacket]:
    """Speak for about 2.5 s, pause for about 1.5 s, as people on the telephone do (ITU-T P.59)."""
    packets: list[TracePacket] = []
    frame = ticks = 0
    while frame * PERIOD < seconds:
        length = 1 + round(random.expovariate(1 / 2.5) / PERIOD)
        for n in range(length + SILENCE_FRAMES):
            packets.append(
                TracePacket(
                    len(packets),
                    ticks * SAMPLES,
                    frame * PERIOD,
                    None,
                    marker=n == 0,
                    silence=n >= length,
                )
            )
            frame += 1
            ticks += 1
        pause = 1 + round(random.expovariate(1 / 1.5) / PERIOD)
        frame += pause
        ticks += pause if counts_pauses else 0
    return packets


def _talk_without_counting(seconds: float, random: Random) -> list[TracePacket]:
    """Speak as `_talk`, but let the RTP time stand still over each pause, as some bots do."""
    return _talk(seconds, random, counts_pauses=False)


# -- paths -----------------------------------------------------------------------

_Path = Callable[[list[TracePacket], int], list[TracePacket]]


def _through(**knobs: float | Burst) -> _Path:
    """Return a path that is a `Link`: what it delays stays in order, what it reorders does not."""

    def deliver(packets: list[TracePacket], seed: int) -> list[TracePacket]:
        link = Link(delay=BASE_DELAY, seed=seed, **knobs)  # type: ignore[arg-type]
        return _carry(link, packets, lambda link, sent: None)

    return deliver


def _changing(packets: list[TracePacket], seed: int) -> list[TracePacket]:
    """Jitter of 5 ms, but 60 ms in each third minute."""

    def turn(link: Link, sent: float) -> None:
        link.jitter = 0.06 if sent % 180 >= 120 else 0.005

    return _carry(Link(delay=BASE_DELAY, burst=BURSTS, seed=seed), packets, turn)


def _spikes(packets: list[TracePacket], seed: int) -> list[TracePacket]:
    """Jitter of 10 ms; every 20 s, at first after 10, the path stops for 0.3 s, then brings all."""

    def turn(link: Link, sent: float) -> None:
        since = (sent + 10) % 20
        link.delay = BASE_DELAY + max(0.0, 0.3 - since)

    return _carry(Link(jitter=0.01, seed=seed), packets, turn)


def _carry(
    link: Link, packets: list[TracePacket], turn: Callable[[Link, float], None]
) -> list[TracePacket]:
    arrivals: dict[int, float] = {}
    for n, packet in enumerate(packets):
        turn(link, packet.sent)
        link.send(n.to_bytes(4, "big"), packet.sent)
    while (due := link.next_timeout()) is not None:
        data = link.receive(due)
        if data is not None:
            arrivals.setdefault(int.from_bytes(data, "big"), due)
    return [
        msgspec.structs.replace(packet, arrived=arrivals.get(n)) for n, packet in enumerate(packets)
    ]


def _independent(packets: list[TracePacket], seed: int) -> list[TracePacket]:
    """Each packet is up to 60 ms late on its own, so that many overtake each other."""
    random = Random(f"{seed}/path")
    return [
        msgspec.structs.replace(packet, arrived=packet.sent + BASE_DELAY + 0.06 * random.random())
        for packet in packets
    ]


def _heavy_tail(packets: list[TracePacket], seed: int) -> list[TracePacket]:
    """In order, with a Pareto tail: mostly some milliseconds, now and then some hundred."""
    random = Random(f"{seed}/path")
    last = -math.inf
    carried = []
    for packet in packets:
        late = 0.004 * (random.paretovariate(1.5) - 1)
        last = max(last, packet.sent + BASE_DELAY + min(late, 1.0))
        carried.append(msgspec.structs.replace(packet, arrived=last))
    return carried


_Speaker = Callable[[float, Random], list[TracePacket]]

#: Speaker and path of each named trace.
TRACES: dict[str, tuple[_Speaker, _Path]] = {
    "clean": (_music, _through()),
    # What the budget is for: bursts of loss, 5 % in all, and jitter of up to 60 ms.
    "talk, bursts, 60 ms": (_talk, _through(burst=BURSTS, jitter=0.06)),
    "music, bursts, 60 ms": (_music, _through(burst=BURSTS, jitter=0.06)),
    "no clock in pauses, bursts, 60 ms": (
        _talk_without_counting,
        _through(burst=BURSTS, jitter=0.06),
    ),
    "reordered, bursts, 60 ms": (
        _talk,
        _through(burst=BURSTS, jitter=0.06, reorder=0.01, duplicate=0.01),
    ),
    "independent, 60 ms": (_talk, _independent),
    "changing": (_music, _changing),
    "spikes": (_music, _spikes),
    "heavy tail": (_music, _heavy_tail),
}
