"""One user's track: frames back in order, each at its place on the timeline.

frames ──▶ waiting: in order, holes waited for ──▶ place on the timeline ──▶ sinks
             ▲                                        gap, loss, drift
             └── a new stream is held for 0.4 s first, a new talk spurt for 0.2 s: the more
                 of its packets are seen, the better is it known when they were sent
"""

from collections.abc import Callable, Sequence

from ..._rtp import SAMPLE_RATE, opus_duration
from ...codes import SILENCE_FRAME
from .activity import Activity
from .sink import GuardedSink, ReceivedFrame
from .timeline import AGREEING, LONG_PAUSE, SpurtDelay, Timeline

__all__ = ["CONCEAL_PACKETS", "REORDER_FRAMES", "SETTLE_FRAMES", "SETTLE_SECONDS", "TrackWriter"]

#: Frames that wait for an earlier one that is missing: 0.2 s, after which no network of
#: interest still delivers it.
REORDER_FRAMES = 10
#: How long they wait at most, in seconds, when nothing more comes.
REORDER_SECONDS = 0.3
#: Lost packets in a row that are concealed: 0.2 s. What a decoder makes up any longer is noise;
#: the rest becomes silence.
CONCEAL_PACKETS = 10
#: A new stream is held until so many frames or seconds are there: the least transit of 20 frames
#: is within 20 ms of the truth at 60 ms of jitter.
SETTLE_FRAMES = 20
SETTLE_SECONDS = 0.4
#: The beginning of a talk spurt is held until it is known how late it is, or can not be.
SPURT_FRAMES = AGREEING
SPURT_SECONDS = 0.2
#: From this gap on, in samples, it is another talk spurt: what a sender may be late is less.
SPURT_GAP = SAMPLE_RATE // 10
#: Frames that are held while it is unclear whether a clock jumped: 5 s of a burst.
SUSPECT_FRAMES = 250
#: A packet that is earlier or later than expected by more than this (seconds) shows that the
#: sender's clock was set anew, if those behind it agree.
JUMP = 0.5
#: How far the sender's clock may run ahead of the arrival times before a gap is not believed:
#: network delay and clock drift, with room. It bounds what a forged timestamp can make us write.
CLOCK_SLACK = 2.0
#: What is put right in the middle of sound, in samples. Packets can only be left out or made up:
#: 10 ms; samples can be moved one by one, by 2.5 % of a frame at most.
COARSE_SLIP = 480
FINE_SLIP = 12
FINE_STEP = 24
#: How far silence stays behind, in seconds: what is on its way may still come before it.
IDLE_SECONDS = 2.0
#: Frames between two coarse corrections.
COARSE_INTERVAL = 25
#: Opus packets of up to so many bytes say that nothing is said (DTX).
QUIET_BYTES = 3


class TrackWriter:
    """Puts the frames of one user into sinks.

    ``begin`` is where the recording begins, in seconds of the timeline. ``open_sinks`` is called
    once, with the samples from there to the first frame.
    """

    def __init__(
        self,
        timeline: Timeline,
        begin: float,
        open_sinks: Callable[[int], Sequence[GuardedSink]],
        activity: Activity,
    ) -> None:
        self.activity = activity
        self.frames = self.lost = self.concealed = self.late = 0
        self.start: int | None = None  #: samples from ``begin`` to the first frame
        self._timeline = timeline
        self._begin = begin
        self._open_sinks = open_sinks
        self._sinks: Sequence[GuardedSink] = ()
        self._ssrc: int | None = None
        self._next = 0  # sequence number of the next frame to write
        self._clock = 0  # RTP time of the end of the last one
        self._waiting: dict[int, ReceivedFrame] = {}
        self._waiting_since = 0.0
        self._now = 0.0  # the latest arrival
        # Held, until there are so many frames or seconds: a new stream, or a new talk spurt of one.
        self._settling: tuple[int, float] | None = None
        self._suspect = False  # held: its clock may have been set anew
        self._fresh = True  # the next frame has no neighbour: its place is what the timeline says
        self._missing = 0  # lost since the last frame written
        self._position = 0  # samples since ``begin``, up to the end of the last frame
        self._uncorrected = 0  # frames since the last coarse correction
        self._delay = SpurtDelay()

    @property
    def holding(self) -> bool:
        """Whether frames wait."""
        return bool(self._waiting)

    def receive(self, frame: ReceivedFrame) -> None:
        """Take one frame, in the order of arrival."""
        before, self._now = self._now, max(self._now, frame.arrived)
        if frame.ssrc != self._ssrc:
            self.drain()
            self._begin_stream(frame)
        elif self._settling is None and not self._suspect:
            if self._begins_spurt(frame):
                self._settling = (SPURT_FRAMES, SPURT_SECONDS)
                self._delay.begin()
            if frame.arrived - before > LONG_PAUSE and not self._waiting:
                # Its clock went on alone, nobody knows how fast.
                self._settling = (SETTLE_FRAMES, SETTLE_SECONDS)
            if frame.sequence < self._next or frame.sequence in self._waiting:
                self.late += 1
                return
            late = self._timeline.lateness(frame.ssrc, frame.rtp_time, frame.arrived)
            if late is not None and not -JUMP < late < JUMP:
                self.drain()
                self._suspect = True
        if frame.sequence in self._waiting or (not self._fresh and frame.sequence < self._next):
            self.late += 1
            return
        if not self._suspect:
            self._timeline.observe(frame.ssrc, frame.rtp_time, frame.arrived)
            self._delay.observe(
                self._timeline.lateness(frame.ssrc, frame.rtp_time, frame.arrived) or 0.0
            )
        if not self._waiting:
            self._waiting_since = self._now
        self._waiting[frame.sequence] = frame
        if (hold := self._hold()) is not None:
            held = frame.arrived - self._waiting_since
            if len(self._waiting) < hold[0] and held < hold[1]:
                return
            self._settle()
        self._write_ready()

    def handle_timeout(self, now: float) -> None:
        """Write what has waited long enough, or silence while nobody speaks."""
        if not self._waiting:
            self._let_pass(now - IDLE_SECONDS)
            return
        held = now - self._waiting_since
        if (hold := self._hold()) is not None:
            if held >= hold[1]:
                self._settle()
                self._waiting_since = now
                self._write_ready()
        elif held >= REORDER_SECONDS:
            self.drain()

    def drain(self) -> None:
        """Write all that waits, whatever is missing."""
        self._settle()
        while self._waiting:
            self._write_earliest()

    def detach(self) -> None:
        """Expect anything next: what did not come until then is not lost."""
        self.drain()
        self._fresh = True

    def flush(self) -> None:
        """Bring everything written to the disk."""
        for sink in self._sinks:
            sink.flush()

    # -- order -----------------------------------------------------------------------

    def _write_ready(self) -> None:
        while self._next in self._waiting or len(self._waiting) > REORDER_FRAMES:
            self._write_earliest()

    def _begin_stream(self, frame: ReceivedFrame) -> None:
        if self._ssrc is not None:
            self._timeline.forget(self._ssrc)
        self._ssrc = frame.ssrc
        self._delay.begin()
        self._missing = 0
        self._fresh = True
        self._settling = (SETTLE_FRAMES, SETTLE_SECONDS)
        self._next = frame.sequence

    def _begins_spurt(self, frame: ReceivedFrame) -> bool:
        gap = frame.rtp_time - self._clock
        return frame.sequence == self._next and gap >= SPURT_GAP and not self._waiting

    def _hold(self) -> tuple[int, float] | None:
        """Return up to how many frames or seconds are held; None: none but for their order."""
        return (SUSPECT_FRAMES, SETTLE_SECONDS) if self._suspect else self._settling

    def _settle(self) -> None:
        if self._suspect:
            self._judge_jump()
        elif self._settling is not None and self._fresh and self._waiting:
            self._next = min(self._waiting)
        self._settling = None
        self._suspect = False

    def _judge_jump(self) -> None:
        """Was the clock set anew, or the network blocked for a while? The earliest one tells."""
        assert self._ssrc is not None
        frames = self._waiting.values()
        lateness = [self._timeline.lateness(f.ssrc, f.rtp_time, f.arrived) or 0.0 for f in frames]
        if lateness and not -JUMP < min(lateness) < JUMP:
            self._timeline.forget(self._ssrc)
            self._fresh = True
            self._missing = 0
        for frame in frames:
            self._timeline.observe(frame.ssrc, frame.rtp_time, frame.arrived)

    # -- place -----------------------------------------------------------------------

    def _write_earliest(self) -> None:
        frame = self._waiting.pop(min(self._waiting))
        self._waiting_since = self._now
        duration = opus_duration(frame.opus)
        skipped = 0 if self._fresh else frame.sequence - self._next
        skipped += not duration
        self._next = frame.sequence + 1
        self.lost += skipped
        self._missing += skipped
        if skipped:
            self.activity.lose(self._position, skipped)
        if not duration:
            return
        place = self._place(frame)
        if self.start is None:
            self.start = self._position = place
            self._sinks = self._open_sinks(place)
        if self._fresh:
            gap = max(0, place - self._position)
        else:
            latest = round((frame.arrived + CLOCK_SLACK - self._begin) * SAMPLE_RATE)
            gap = max(0, min(frame.rtp_time - self._clock, latest - self._position))
            gap = self._correct(frame, duration, gap, place - self._position - gap)
        self._clock = frame.rtp_time + duration
        self._fresh = False
        if gap < 0:
            self._conceal(duration + gap, b"")
            return
        concealed = min(self._missing, gap // duration, CONCEAL_PACKETS)
        if concealed:
            self._conceal(concealed * duration, frame.opus)
            self.concealed += concealed
            self.activity.conceal(self._position, concealed)
        self._pause(gap - concealed * duration)
        for sink in self._sinks:
            sink.write(frame.opus)
        self.frames += 1
        self._missing = 0
        self.activity.hear(self._position, duration, frame.e2ee, frame.opus == SILENCE_FRAME)
        self._position += duration

    def _place(self, frame: ReceivedFrame) -> int:
        """Samples from the beginning to where the frame belongs."""
        heard = self._timeline.time_of(frame.ssrc, frame.rtp_time) + self._delay.seconds
        believed = min(heard, frame.arrived + CLOCK_SLACK) - self._begin
        return max(0, round(believed * SAMPLE_RATE))

    def _correct(self, frame: ReceivedFrame, duration: int, gap: int, slip: int) -> int:
        """Return the gap in front of a frame, by which a drifting clock is put right.

        ``slip`` is how much later than behind that gap the timeline has the frame. A gap below
        0 is what is to be left out of the frame.
        """
        self._uncorrected += 1
        if gap > self._missing * duration:
            return max(0, gap + slip)  # a pause: nobody hears where exactly it ends
        quiet = frame.opus == SILENCE_FRAME or len(frame.opus) <= QUIET_BYTES
        if quiet and slip > 0:
            return gap + slip
        if not self._timeline.steady(frame.ssrc):
            return gap
        if all(sink.can_shift for sink in self._sinks):
            self._shift(slip)
        elif abs(slip) >= COARSE_SLIP and self._uncorrected > COARSE_INTERVAL:
            self._uncorrected = 0
            if slip > 0:
                self._conceal(COARSE_SLIP, b"")
            elif not gap and duration >= 2 * COARSE_SLIP:
                return -COARSE_SLIP
        return gap

    def _shift(self, slip: int) -> None:
        if abs(slip) >= FINE_SLIP:
            step = max(-FINE_STEP, min(FINE_STEP, slip))
            for sink in self._sinks:
                sink.shift(step)
            self._position += step

    def _conceal(self, samples: int, following: bytes) -> None:
        for sink in self._sinks:
            sink.conceal(samples, following)
        self._position += samples

    def _let_pass(self, until: float) -> None:
        """Write silence up to a time where that is work: hours at once would hold everybody up."""
        samples = round((until - self._begin) * SAMPLE_RATE) - self._position
        if samples > 0 and any(sink.encodes_silence for sink in self._sinks):
            self._pause(samples)
            self._clock += samples

    def _pause(self, samples: int) -> None:
        if samples > 0:
            for sink in self._sinks:
                sink.pause(samples)
            self._position += samples
