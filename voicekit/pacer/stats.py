"""Immutable snapshots of what a pacer has counted."""

import msgspec

__all__ = ["Lateness", "PacerStats", "SendStats"]


class Lateness(msgspec.Struct, frozen=True):
    """From when a packet was due to when its send call had returned. Seconds, right to 1/8."""

    count: int = 0
    p50: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    max: float = 0.0


class SendStats(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the frames of one stream, or of all."""

    frames: int = 0  #: sent, without silence
    silence: int = 0  #: silence frames sent
    unsent: int = 0  #: packets that the operating system did not take
    underruns: int = 0  #: how often there was no frame when one was due
    rebases: int = 0  #: how often the schedule was moved
    skipped: int = 0  #: frames left out, by `LatePolicy.SKIP`
    withheld: int = 0  #: frames that end-to-end encryption did not let out
    lateness: Lateness = Lateness()


class PacerStats(SendStats, frozen=True, kw_only=True):
    """The sums of a pacer's streams, removed ones included."""

    streams: int = 0  #: that it has now
    turns: int = 0  #: how often its thread woke up to send
    cpu_seconds: float = 0.0  #: processor time of its thread; 0.0 where unknown
