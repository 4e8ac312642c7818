"""Immutable snapshots of what a connection has counted.

Safe to take from any thread at any time: a snapshot copies numbers and never blocks.
"""

import msgspec

__all__ = ["ConnectionStats", "JitterStats", "StreamStats"]


class StreamStats(msgspec.Struct, frozen=True, kw_only=True):
    """One received RTP stream (one SSRC)."""

    ssrc: int
    user_id: int | None
    packets: int  #: audio packets accepted, duplicates not counted
    bytes: int  #: their Opus payload
    expected: int  #: highest minus first sequence number plus one (RFC 3550 A.3)
    lost: int  #: expected minus packets, never below 0
    duplicates: int
    reordered: int  #: packets that arrived after a later one
    jitter: float  #: interarrival jitter in seconds (RFC 3550 A.8)
    first_sequence: int  #: extended
    highest_sequence: int  #: extended
    held: int  #: packets that waited for their user to be known
    awaited_key: int  #: packets that waited for an end-to-end key
    undecryptable: int  #: packets that no end-to-end key opened in time
    last_arrival: float


class ConnectionStats(msgspec.Struct, frozen=True, kw_only=True):
    """One connection and its streams."""

    state: str
    latency: float | None  #: last heartbeat round trip in seconds; None until known
    average_latency: float | None  #: mean of the last 20
    packets_sent: int  #: RTP audio
    bytes_sent: int  #: their datagrams
    frames_sent_clear: int  #: without end-to-end encryption
    dave: dict[str, int]  #: end-to-end encryption: transitions, recoveries, what was ignored
    packets_received: int  #: RTP audio that became frames
    bytes_received: int  #: their datagrams
    rtcp_sent: int
    rtcp_received: int
    drops: dict[str, int]  #: by `voicekit.codes.DropReason`
    violations: int
    ignored_messages: int  #: unknown opcodes, late input of replaced sockets
    reconnects: int
    resumes: int
    max_timer_lateness: float  #: how late `handle_timeout` was at worst, in seconds
    streams: dict[int, StreamStats]  #: by SSRC


class JitterStats(msgspec.Struct, frozen=True, kw_only=True):
    """One jitter buffer.

    ``pushed == played + late + duplicates + invalid + skipped + overflowed + waiting``.
    """

    pushed: int
    played: int  #: handed out
    late: int  #: came after their place had been given up
    duplicates: int
    invalid: int  #: not Opus
    skipped: int  #: left out on purpose, to get a delay back that was no longer needed
    overflowed: int  #: more waited than there is room for: the oldest are dropped
    waiting: int
    lost: int  #: packets reported as `Lost`; late ones are among them
    underruns: int  #: times that nothing was there in the middle of speech, and came later
    stretched: float  #: seconds by which playout was put off for these and for holes
    spurts: int  #: times that playout was anchored anew, after a pause
    target: float  #: the delay that playout ought to have, in seconds
    delay: float | None  #: the delay that it has, above the fastest packets; None: not begun
    mean_wait: float  #: mean of the seconds from a frame's arrival to its `pop`
