"""Immutable accounts of what the server has seen of its clients."""

import msgspec

__all__ = ["ServerStats", "SessionStats"]


class SessionStats(msgspec.Struct, frozen=True, kw_only=True):
    """One session, running or over. Counters go on over resumes."""

    user_id: int
    server_id: int
    channel_id: int | None
    ssrc: int
    gateway_version: int
    state: str  #: "ready", "established", "detached" (no socket) or "ended"
    mode: str | None  #: transport encryption; None before op 4
    dave_version: int
    packets_valid: int  #: RTP packets received
    packets_bad: dict[str, int]  #: by `voicekit.server.BadReason`
    packets_missing: int  #: lost on the way to the server
    packets_reordered: int
    rtcp_valid: int
    keepalives: int
    packets_sent: int  #: audio to this client, lost ones included
    rtcp_sent: int
    dropped_to: int  #: audio to this client that the network lost
    messages_received: int
    messages_bad: dict[str, int]
    heartbeats: int
    resumes: int
    close_code: int | None  #: of the last close, whoever closed


class ServerStats(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to no session."""

    sessions: int
    strangers: int  #: sockets without a session
    messages_bad: dict[str, int]  #: of sockets without a session, by reason
    datagrams_dropped: dict[str, int]  #: of unknown sources, by reason
    sockets_refused: int
    late_inputs: int  #: messages of sockets that were closed before
