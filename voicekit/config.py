"""Every limit, deadline and budget, each with its reason. Times are in seconds."""

import math

import msgspec

from .codes import SpeakingFlags

__all__ = ["Config", "JitterConfig"]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one connection. Immutable; a wrong value raises ``ValueError`` at once."""

    # -- the gateway ---------------------------------------------------------

    #: Voice gateway version, 4 to 9. 8 brought buffered resume; 9 adds ``channel_id``.
    gateway_version: int = 8
    #: From `start` (or an update) to a ready session. Peers use 30.
    connect_timeout: float = 30.0
    #: Reconnect by itself after a lost WebSocket. False: every loss ends in `Closed`.
    reconnect: bool = True
    #: First and longest pause between tries; doubled each time, with jitter.
    backoff_min: float = 0.25
    backoff_max: float = 10.0
    #: Each pause is multiplied by 1 - jitter .. 1 + jitter, so that a crowd spreads out.
    backoff_jitter: float = 0.1
    #: Tries in a row before giving up.
    max_attempts: int = 5
    #: After 4014, 4022 or a null endpoint: how long the host may take to bring an update. A voice
    #: server that goes away takes its calls with it, and Discord needs a while to move them all.
    update_timeout: float = 60.0
    #: What Hello asks for is clamped to these: no busy loop, no dead socket unnoticed.
    heartbeat_min: float = 1.0
    heartbeat_max: float = 120.0
    #: Heartbeats without an ACK after which the socket is a zombie and is closed with 4000.
    max_missed_acks: int = 1
    #: Protocol violations in a row after which the connection is made anew.
    max_violations: int = 20
    #: Largest message that is looked at, in bytes. Real ones are below 64 KiB.
    max_message_size: int = 1 << 20

    # -- UDP -----------------------------------------------------------------

    #: IP discovery: one request a second, ten times; UDP that lost ten is blocked.
    discovery_interval: float = 1.0
    discovery_attempts: int = 10
    #: NAT tables forget a mapping after as little as 30 s; peers and clients use 5.
    keepalive_interval: float = 5.0
    #: Transport encryption to choose, best first. None: everything available.
    modes: tuple[str, ...] | None = None

    # -- end-to-end encryption (DAVE) -----------------------------------------

    #: Offer end-to-end encryption. Discord closes with 4017 without, but for stages.
    dave: bool = True
    #: The library: "dave.py" (Discord's libdave) or "davey".
    dave_backend: str = "dave.py"
    #: Never send audio in clear: silence goes out where the call is not encrypted.
    require_e2ee: bool = False
    #: How long a frame may wait for the key that opens it; 0: not at all. Senders switch
    #: keys up to a round trip before we are told; 200 ms is two jitter buffers.
    key_hold_time: float = 0.2

    # -- sending -------------------------------------------------------------

    #: Flags of the Speaking message that `send_audio` sends by itself.
    speaking_flags: SpeakingFlags = SpeakingFlags.MICROPHONE
    #: Set the RTP marker bit at the start of a talk spurt. One known client drops such
    #: packets, hence off.
    marker: bool = False
    #: When audio pauses for longer than this the RTP timestamp jumps ahead to the media
    #: clock; shorter delays are jitter. 0.1: the five silence frames of a pause.
    media_clock_slack: float = 0.1
    #: Send Speaking and five silence frames as soon as the session is ready, then listen:
    #: servers send nothing to clients that never sent anything.
    receive_only: bool = False
    #: Send RTCP sender and receiver reports. No known client does, hence off.
    rtcp: bool = False
    rtcp_interval: float = 5.0

    # -- receiving -----------------------------------------------------------

    #: SSRCs that are tracked at once. A stage of 1 000 speakers is beyond any server.
    max_ssrcs: int = 1024
    #: Packets held per SSRC whose user is not known yet, and for how long. Speaking comes
    #: some milliseconds after the first packet; 200 ms is two jitter buffers.
    hold_packets: int = 10
    hold_time: float = 0.2
    #: All held packets together: 5 000 of the usual size, far below 1 024 rings full of the
    #: largest.
    hold_bytes: int = 1 << 20
    #: Silence after which somebody has stopped speaking: ten frames, as peers have it.
    speaking_timeout: float = 0.2
    #: Emit a `PacketDropped` event for every drop; they are always counted.
    report_drops: bool = False
    #: Emit a `MessageReceived` event for every gateway message but that with the key.
    report_messages: bool = False
    #: Events that wait to be polled; beyond it, frames are dropped oldest first, counted.
    max_pending: int = 4096

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        if not 4 <= self.gateway_version <= 9:
            raise ValueError("gateway_version is 4 to 9")
        for name in _POSITIVE:
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is a finite number above 0, not {value!r}")
        if not 0 <= self.backoff_jitter < 1:
            raise ValueError("backoff_jitter is between 0 and 1")
        if self.backoff_max < self.backoff_min or self.heartbeat_max < self.heartbeat_min:
            raise ValueError("a maximum is below its minimum")
        if self.dave_backend not in ("dave.py", "davey"):
            raise ValueError('dave_backend is "dave.py" or "davey"')
        if self.require_e2ee and not self.dave:
            raise ValueError("require_e2ee needs dave=True")
        if not (math.isfinite(self.key_hold_time) and self.key_hold_time >= 0):
            raise ValueError("key_hold_time is a finite number from 0 on")
        if self.hold_packets < 0:
            raise ValueError("hold_packets is 0 or more")
        if self.modes is not None and not self.modes:
            raise ValueError("modes is None or names at least one mode")


class JitterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one `JitterBuffer`. Immutable; a wrong value raises ``ValueError`` at once."""

    #: The least delay to add: one frame, so that two that change places still play in order.
    minimum: float = 0.02
    #: The delay before anything is known of the network: two frames of it, and one in hand.
    initial: float = 0.06
    #: The longest delay. From 0.4 s on people can not talk with each other (ITU-T G.114).
    maximum: float = 0.4
    #: The share of packets that the delay need not cover: a thousandth of the talk is 20 ms
    #: out of 20 s.
    late_share: float = 0.001
    #: Seconds of audio for which a slow packet is remembered: longer than a storm of Wi-Fi
    #: scans or a bufferbloat download takes to come back, shorter than a call.
    memory: float = 10.0
    #: Packets that wait at once: 0.4 s of 2.5 ms ones, with room for a consumer that is late.
    max_packets: int = 512

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        for name in ("minimum", "initial", "maximum", "late_share", "memory"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is a finite number above 0, not {value!r}")
        if not self.minimum <= self.initial <= self.maximum:
            raise ValueError("minimum, initial and maximum are in this order")
        if self.late_share >= 1:
            raise ValueError("late_share is below 1")
        if self.max_packets < 1:
            raise ValueError("max_packets is at least 1")


_POSITIVE = (
    "connect_timeout",
    "backoff_min",
    "backoff_max",
    "max_attempts",
    "update_timeout",
    "heartbeat_min",
    "heartbeat_max",
    "max_missed_acks",
    "max_violations",
    "max_message_size",
    "discovery_interval",
    "discovery_attempts",
    "keepalive_interval",
    "media_clock_slack",
    "rtcp_interval",
    "max_ssrcs",
    "hold_time",
    "hold_bytes",
    "speaking_timeout",
    "max_pending",
)
