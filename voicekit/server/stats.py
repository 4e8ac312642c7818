"""Immutable accounts of what the server has seen of its clients."""

import msgspec

__all__ = ["CallStats", "ServerStats", "SessionStats"]


class SessionStats(msgspec.Struct, frozen=True, kw_only=True):
    """One session, running or over. Counters go on over resumes."""

    user_id: int
    server_id: int
    channel_id: int | None
    ssrc: int
    gateway_version: int
    state: str  #: "ready", "established", "detached" (no socket) or "ended"
    mode: str | None  #: transport encryption; None before op 4
    dave_version: int  #: of its call; 0: not end-to-end encrypted
    packets_valid: int  #: RTP packets received
    packets_bad: dict[str, int]  #: by `voicekit.server.BadReason`
    packets_missing: int  #: lost on the way to the server
    packets_reordered: int
    rtcp_valid: int
    frames_e2ee: int  #: passed on to the others, with a DAVE frame's structure
    frames_clear: int  #: passed on, in clear
    frames_silence: int  #: passed on, Opus silence in clear
    keepalives: int
    media_received: int  #: audio and RTCP that was not opened (`ServerConfig.media`)
    media_passed: int  #: of these, datagrams passed on as they were
    packets_sent: int  #: audio to this client, lost ones included
    rtcp_sent: int
    dropped_to: int  #: audio to this client that the network lost
    messages_received: int
    messages_bad: dict[str, int]
    messages_late: int  #: of DAVE, too late without anybody's fault: another commit was first
    heartbeats: int
    resumes: int
    close_code: int | None  #: of the last close, whoever closed


class CallStats(msgspec.Struct, frozen=True, kw_only=True):
    """One room under DAVE, as its delivery service sees it."""

    server_id: int
    channel_id: int | None
    users: tuple[int, ...]
    dave_version: int
    epoch: int | None  #: None: there is no MLS group
    group: tuple[int, ...]  #: in the MLS group, also those who left and are not removed yet
    settled: bool  #: no proposal, commit or transition is under way
    refused: dict[str, int]  #: messages of members, by reason


class ServerStats(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to no session."""

    sessions: int
    strangers: int  #: sockets without a session
    messages_bad: dict[str, int]  #: of sockets without a session, by reason
    datagrams_dropped: dict[str, int]  #: of unknown sources, by reason
    sockets_refused: int
    late_inputs: int  #: messages of sockets that were closed before
