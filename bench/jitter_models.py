"""Jitter buffers on the same traces: ours, a fixed delay, songbird's and aiortc's.

The last two are models: what their code does, not the code. songbird's is
`src/driver/tasks/udp_rx/playout_buffer.rs` of 0.4 to 0.6, with its default of five packets;
aiortc's is `jitterbuffer.py` as its receiver makes it for audio, 16 packets and a prefetch of 4.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from voicekit import AudioFrame, JitterBuffer, JitterConfig, Lost
from voicekit.codes import SILENCE_FRAME
from voicekit.testing import Trace
from voicekit.testing.traces import BASE_DELAY, PERIOD, SAMPLES, TracePacket

__all__ = ["Heard", "adaptive", "aiortc", "fixed", "frames", "play", "songbird"]

#: A packet of about 64 kbit/s, in CELT, 20 ms.
PACKET = b"\xfc" + bytes(159)


@dataclass
class Heard:
    """What became of a trace: when each packet was played, by its number."""

    trace: Trace = field(repr=False)
    played: dict[int, float] = field(default_factory=dict, repr=False)
    #: How often playout stopped in the middle of speech, and waited.
    waited: int = 0

    @property
    def missed(self) -> float:
        """The share of what arrived that was not played, or made playout wait."""
        arrived = len(self.trace.arrivals)
        return (arrived - len(self.played) + self.waited) / arrived

    @property
    def dropped(self) -> float:
        """The share of what arrived that was not played."""
        arrived = len(self.trace.arrivals)
        return (arrived - len(self.played)) / arrived

    @property
    def added(self) -> float:
        """Mean seconds from sent to played, without those that the fastest packet takes."""
        sent = {packet.sequence: packet.sent for packet in self.trace.packets}
        total = math.fsum(at - sent[number] for number, at in self.played.items())
        return total / len(self.played) - BASE_DELAY

    @property
    def waiting(self) -> float:
        """Mean seconds from arrival to played: what the buffer itself adds."""
        came = {packet.sequence: packet.arrived or 0.0 for packet in self.trace.packets}
        total = math.fsum(at - came[number] for number, at in self.played.items())
        return total / len(self.played)


def frames(trace: Trace) -> list[AudioFrame]:
    """Return what arrives, in that order. The marker is not set: Discord's clients do not."""
    return [
        AudioFrame(
            1,
            1,
            SILENCE_FRAME if packet.silence else PACKET,
            packet.sequence,
            packet.rtp_time,
            SAMPLES,
            arrived=packet.arrived or 0.0,
        )
        for packet in trace.arrivals
    ]


def play(trace: Trace, buffer: JitterBuffer) -> list[tuple[float, AudioFrame | Lost]]:
    """Push each frame when it arrives, and pop whatever is due, when it is due."""
    out: list[tuple[float, AudioFrame | Lost]] = []

    def pop(until: float) -> None:
        now = -math.inf
        while (due := buffer.next_timeout()) is not None and due <= until:
            now = max(now, due, pushed)
            item = buffer.pop(now)
            if item is not None:
                out.append((now, item))

    pushed = -math.inf
    for frame in frames(trace):
        pop(frame.arrived)
        pushed = frame.arrived
        buffer.push(frame)
    pop(math.inf)
    return out


def adaptive(trace: Trace, config: JitterConfig | None = None) -> Heard:
    """Play a trace through `JitterBuffer`."""
    buffer = JitterBuffer(config)
    heard = Heard(trace)
    for now, item in play(trace, buffer):
        if isinstance(item, AudioFrame):
            heard.played[item.sequence] = now
    heard.waited = buffer.stats().underruns
    return heard


def fixed(trace: Trace, delay: float) -> Heard:
    """Play each talk spurt ``delay`` after its first packet came, and drop what is late then."""
    heard = Heard(trace)
    begin = -math.inf
    spurts: dict[int, float] = {}
    for packet in trace.packets:
        if packet.marker or begin == -math.inf:
            begin = packet.sent
        spurts[packet.sequence] = begin
    anchors: dict[float, float] = {}
    for packet in trace.arrivals:
        arrived = packet.arrived or 0.0
        spurt = spurts[packet.sequence]
        anchor = anchors.setdefault(spurt, arrived + delay - packet.sent)
        if arrived <= packet.sent + anchor:
            heard.played[packet.sequence] = packet.sent + anchor
    return heard


def songbird(trace: Trace, length: int = 5) -> Heard:
    """Ticks of 20 ms; filled up to ``length`` packets, then one a tick, until it is empty."""
    heard = Heard(trace)
    arrivals = trace.arrivals
    begins = {packet.sequence for packet in trace.packets if packet.marker}
    waiting: list[TracePacket | None] = []
    draining = False
    following = arrivals[0].sequence
    at = 0
    tick = arrivals[0].arrived or 0.0
    while at < len(arrivals) or (draining and waiting):
        tick += PERIOD
        while at < len(arrivals) and (arrivals[at].arrived or 0.0) <= tick:
            packet = arrivals[at]
            at += 1
            index = packet.sequence - following
            if 0 <= index < 64:
                waiting += [None] * (index + 1 - len(waiting))
                waiting[index] = packet
            draining = draining or len(waiting) >= length
        if draining and waiting:
            first = waiting.pop(0)
            following += 1
            if first is not None:
                heard.played[first.sequence] = tick
        if draining and not waiting:
            draining = False
            # In the middle of speech that is a gap of 100 ms.
            heard.waited += following not in begins and at < len(arrivals)
    return heard


def aiortc(trace: Trace, capacity: int = 16, prefetch: int = 4) -> Heard:
    """No clock: each packet that comes lets at most one go, ``prefetch`` behind it."""
    heard = Heard(trace)
    waiting: dict[int, TracePacket] = {}
    origin: int | None = None
    for packet in trace.arrivals:
        if origin is None:
            origin = packet.sequence
        if packet.sequence < origin:
            continue
        if packet.sequence - origin >= capacity:
            for gone in range(origin, packet.sequence - capacity + 1):
                waiting.pop(gone, None)
            origin = min(
                [n for n in waiting if n > packet.sequence - capacity] or [packet.sequence]
            )
        waiting[packet.sequence] = packet
        ready = 0
        while ready <= prefetch and origin + ready in waiting:
            ready += 1
        if ready > prefetch:
            heard.played[origin] = packet.arrived or 0.0
            del waiting[origin]
            origin += 1
    return heard


#: The ways to be compared, by name; each takes a trace.
WAYS: dict[str, Callable[[Trace], Heard]] = {
    "voicekit": adaptive,
    "fixed 100 ms": lambda trace: fixed(trace, 0.1),
    "songbird's, 5 packets": songbird,
    "aiortc's, 16 packets": aiortc,
}
