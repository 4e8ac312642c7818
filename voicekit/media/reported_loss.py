"""What receivers report of our audio (RTCP), as the loss that an encoder should expect."""

import math

from ..events import RtcpReceived
from ..rtcp import ReceiverReport, ReportBlock, SenderReport

__all__ = ["ReportedLoss"]

#: Seconds in which what was reported loses half of its weight. Reports come every 5 s or so, and
#: loss comes in bursts: who has just had one is likely to have another.
HALF_LIFE = 15.0
#: Reporters that are kept: one server, or each member of a small call.
MOST_REPORTERS = 25


class ReportedLoss:
    """Smooths the fraction lost that others report about one of our streams.

    It rises with a report at once: the redundancy should be there before the burst is over. It
    falls slowly, by half in 15 s. Of several reporters the worst counts.
    """

    def __init__(self) -> None:
        self._ssrc: int | None = None
        self._reported: dict[int, tuple[float, float]] = {}  # by reporter: the fraction, and when

    def receive(self, event: RtcpReceived, ssrc: int | None) -> float | None:
        """Take in one RTCP packet; ``ssrc`` is that of our audio now.

        Returns the loss to expect, 0 to 1, or None if it says nothing about our audio.
        """
        if ssrc is None:
            return None
        if ssrc != self._ssrc:  # a new session, perhaps another network
            self._ssrc = ssrc
            self._reported.clear()
        told = False
        for packet in event.packets:
            if isinstance(packet, (SenderReport, ReceiverReport)):
                for block in packet.reports:
                    if block.ssrc == ssrc:
                        self._take(packet.ssrc, block, event.arrived)
                        told = True
        return self._expected(event.arrived) if told else None

    def _take(self, reporter: int, block: ReportBlock, now: float) -> None:
        known = self._reported.pop(reporter, None)  # the newest is the last
        fraction = block.fraction_lost / 256
        if known is not None:
            fraction = max(fraction, _faded(fraction, known, now))
        self._reported[reporter] = fraction, now
        if len(self._reported) > MOST_REPORTERS:
            del self._reported[next(iter(self._reported))]

    def _expected(self, now: float) -> float:
        return max(_faded(0.0, known, now) for known in self._reported.values())


def _faded(towards: float, known: tuple[float, float], now: float) -> float:
    """Return how much of what was reported still counts."""
    fraction, then = known
    return towards + (fraction - towards) * math.exp2(min(0.0, then - now) / HALF_LIFE)
