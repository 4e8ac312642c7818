"""One timeline for all tracks of a recording: when was what said, on the recorder's own clock.

Every stream counts samples on a clock of its own: it starts anywhere, and runs a little fast or
slow (a sound card by up to 100 ppm: a third of a second in an hour). Two things tell where that
clock stands:

- **Arrival.** A packet's transit is its arrival minus its RTP time; the network only ever adds to
  it. So the least transit lately is the offset of the clock, and how that least transit moves over
  minutes is its drift: the slope through the minima of windows, by the median of all pairs
  (Theil 1950, Sen 1968), which a congested minute does not bend.
- **RTCP sender reports** (RFC 3550 section 6.4.1), where they come: they name the wall-clock time
  of an RTP time, so that a slower path no longer counts as later speech. Senders whose wall clocks
  disagree by more than any path takes are placed by arrival instead.

All times are in seconds, RTP times extended and at 48 kHz. Nothing here reads a clock.
"""

from collections import deque
from statistics import median

from ..._rtp import SAMPLE_RATE
from ...rtcp import SenderReport

__all__ = ["AGREEING", "LONG_PAUSE", "SpurtDelay", "StreamClock", "Timeline"]

#: A window is closed after both: enough packets that one of them came through unhindered. Or
#: before a pause of this length, as a clock moves on in it, if it has `MIN_PACKETS`.
WINDOW_SECONDS = 10.0
WINDOW_PACKETS = 100
#: Windows that the drift is fitted to (7 minutes), and the span from which on it is.
WINDOWS = 40
MIN_SPAN = 60.0
#: Windows whose least transit is the offset: a path that became slower is believed after a minute.
RECENT = 6
#: After a pause of this length (seconds) a clock may stand anywhere, unless it has been watched
#: for longer than that: then its drift is known as well as where it stands.
LONG_PAUSE = 20.0
#: Packets from which on the least transit is worth keeping.
MIN_PACKETS = 25
#: No sound card is further off.
MAX_DRIFT = 500e-6
#: Sender reports kept, 5 minutes of them as a rule.
REPORTS = 64
#: Wall clocks that disagree by more than the slowest path are not the same clock.
MAX_PATH = 0.25
#: Seconds from 1900, where NTP time begins, to 1970.
NTP_EPOCH = 2_208_988_800
#: Packets that must agree on how late a talk spurt is, of how many, and how well, in seconds: 10
#: packets of a network with 60 ms of jitter do not come within 3 ms of each other.
AGREEING = 10
SPURT_PACKETS = 20
AGREEMENT = 0.003
#: Senders round down to whole frames after a pause; a spurt that is later came by a slower path.
ROUNDING = 0.0205
HALF_SPAN = 1 << 31
SPAN = 1 << 32


class StreamClock:
    """Where one clock stands against ours: ``media + offset + drift × media``."""

    def __init__(self) -> None:
        self.drift = 0.0  #: seconds that it loses per second of its own
        self.packets = 0
        self._base = 0.0  # drift counts from here: the first media time
        self._windows: deque[tuple[float, float]] = deque(maxlen=WINDOWS)
        self._floor = float("inf")  # least transit of the recent windows, without drift
        self._least = float("inf")  # of the current one
        self._least_at = 0.0
        self._began = 0.0
        self._count = 0
        self._latest = float("-inf")
        self._anchor = float("-inf")  # where it had to be placed anew: what was before is no help

    @property
    def steady(self) -> bool:
        """Whether a drift has been fitted."""
        return self._span >= MIN_SPAN

    @property
    def _span(self) -> float:
        return self._windows[-1][0] - self._windows[0][0] if self._windows else 0.0

    def observe(self, media: float, arrived: float) -> None:
        """Learn that what was sent at ``media`` came at ``arrived``."""
        if not self.packets:
            self._base = self._began = media
        self.packets += 1
        self._count += 1
        pause = media - self._latest
        full = media - self._began >= WINDOW_SECONDS and self._count > WINDOW_PACKETS
        if full or (pause > WINDOW_SECONDS and self._count > MIN_PACKETS):
            self._close_window(media)
        if pause > LONG_PAUSE and not (self.steady and pause <= self._span):
            self._floor = self._least = float("inf")
            self._anchor = media
        self._latest = max(self._latest, media)
        least = arrived - media - self.drift * (media - self._base)
        if least < self._least:
            self._least = least
            self._least_at = media

    def time_of(self, media: float) -> float:
        """Return when ``media`` was, on our clock; infinite before anything came."""
        floor = min(self._floor, self._least)
        return media + floor + self.drift * (media - self._base)

    def _close_window(self, media: float) -> None:
        transit = self._least + self.drift * (self._least_at - self._base)
        self._windows.append((self._least_at, transit))
        if self.steady:
            self.drift = _slope(list(self._windows))
        recent = list(self._windows)[-RECENT:]
        self._floor = min(y - self.drift * (x - self._base) for x, y in recent if x >= self._anchor)
        self._least = float("inf")
        self._began = media
        self._count = 1


class SpurtDelay:
    """How much later than its RTP times a talk spurt is, where its packets agree on it.

    Many senders count whole frames through a pause, whatever its length. So each spurt may be up
    to a frame later than the one before, which the least transit of all of them does not show.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._late: deque[float] = deque(maxlen=SPURT_PACKETS)

    def begin(self) -> None:
        """Expect a new spurt."""
        self.seconds = 0.0
        self._late.clear()

    def observe(self, late: float) -> None:
        """Learn from how much later than expected a packet of the spurt came."""
        self._late.append(late)
        if len(self._late) >= AGREEING:
            least = min(self._late)
            if least <= ROUNDING and max(self._late) - least <= AGREEMENT:
                self.seconds = least


class _Stream:
    """One SSRC."""

    def __init__(self) -> None:
        self.clock = StreamClock()
        self.highest = 0
        self.reports: deque[tuple[float, float]] = deque(maxlen=REPORTS)
        self.shares_wall = True
        self.wall_drift = 0.0
        self.wall_offset = 0.0


class Timeline:
    """Maps the RTP times of all streams to one clock, that of ``arrived``."""

    def __init__(self) -> None:
        self._streams: dict[int, _Stream] = {}
        # Wall time is one more clock that is seen through a network.
        self._wall = StreamClock()

    def observe(self, ssrc: int, rtp_time: int, arrived: float) -> None:
        """Learn from one packet of audio."""
        stream = self._streams.get(ssrc)
        if stream is None:
            stream = self._streams[ssrc] = _Stream()
        stream.highest = max(stream.highest, rtp_time)
        stream.clock.observe(rtp_time / SAMPLE_RATE, arrived)

    def receive_sender_report(self, report: SenderReport, arrived: float) -> None:
        """Learn from a sender report; one of an unknown stream is ignored."""
        stream = self._streams.get(report.ssrc)
        if stream is None or not report.ntp:
            return
        ahead = (report.rtp_time - stream.highest) % SPAN
        media = stream.highest + (ahead if ahead < HALF_SPAN else ahead - SPAN)
        wall = report.ntp / 2**32 - NTP_EPOCH
        if self._wall.packets:
            apart = arrived - self._wall.time_of(wall)
            stream.shares_wall = abs(apart) <= MAX_PATH
        if stream.shares_wall:
            self._wall.observe(wall, arrived)
        stream.reports.append((media / SAMPLE_RATE, wall - media / SAMPLE_RATE))
        points = list(stream.reports)
        if points[-1][0] - points[0][0] >= MIN_SPAN / 6:
            stream.wall_drift = _slope(points)
        stream.wall_offset = median(y - stream.wall_drift * x for x, y in points)

    def forget(self, ssrc: int) -> None:
        """Forget the clock of a stream: it was set anew, or the stream is over."""
        self._streams.pop(ssrc, None)

    def time_of(self, ssrc: int, rtp_time: int) -> float:
        """Return when ``rtp_time`` of a stream was. Raises ``KeyError`` for an unknown one."""
        stream = self._streams[ssrc]
        media = rtp_time / SAMPLE_RATE
        by_arrival = stream.clock.time_of(media)
        if stream.shares_wall and len(stream.reports) > 1:
            wall = media + stream.wall_offset + stream.wall_drift * media
            by_report = self._wall.time_of(wall)
            if abs(by_report - by_arrival) <= MAX_PATH:  # else it is not what it says it is
                return by_report
        return by_arrival

    def lateness(self, ssrc: int, rtp_time: int, arrived: float) -> float | None:
        """Return how much later than expected a packet came; None for a new stream."""
        stream = self._streams.get(ssrc)
        if stream is None:
            return None
        return arrived - stream.clock.time_of(rtp_time / SAMPLE_RATE)

    def steady(self, ssrc: int) -> bool:
        """Whether the drift of a stream is known."""
        stream = self._streams.get(ssrc)
        return stream is not None and (stream.clock.steady or len(stream.reports) > 3)


def _slope(points: list[tuple[float, float]]) -> float:
    """The median slope of all pairs, between what clocks can be off."""
    slopes = [
        (y2 - y1) / (x2 - x1)
        for n, (x1, y1) in enumerate(points)
        for x2, y2 in points[n + 1 :]
        if x2 > x1
    ]
    return max(-MAX_DRIFT, min(MAX_DRIFT, median(slopes))) if slopes else 0.0
