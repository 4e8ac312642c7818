"""Every limit and option of the voice server, each with its reason. Times are in seconds."""

import math
from typing import Literal

import msgspec

from .fault_specs import Fault, Impairment

__all__ = ["EXTENSIONS", "ServerConfig"]

#: Header extensions that `ServerConfig.extensions` may name.
EXTENSIONS = ("audio_level", "abs_send_time", "speaker_flags")


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one server. Immutable; a wrong value raises ``ValueError`` at once."""

    # -- admission -----------------------------------------------------------

    #: The one token that is admitted. None: any.
    token: str | None = None
    #: Gateway versions spoken. Below 4, Discord refuses, too.
    min_version: int = 4
    max_version: int = 9
    #: Channel of clients that name none: versions below 9 do not. None: the oldest channel
    #: of their server, so that two such clients always meet.
    default_channel_id: int | None = None
    #: Transport encryption offered, best first. None: everything available.
    modes: tuple[str, ...] | None = None

    # -- end-to-end encryption ------------------------------------------------

    #: DAVE: "on" where all clients of a call speak it, "off" never, "required": others are
    #: refused (close 4017). A group is named after its channel: where nobody has told it
    #: (gateway versions below 9 do not, see `default_channel_id`), a call stays in clear.
    dave: Literal["on", "off", "required"] = "on"
    #: Id of a call's first transition. 0 is effective at once, and rare, but legal.
    first_transition_id: int = 1
    #: Clients of one call that speak DAVE (close 1013). A commit carries the whole tree to
    #: newcomers, some 400 bytes per member, and must fit `max_message_size`.
    max_group: int = 100

    # -- sessions ------------------------------------------------------------

    #: What Hello asks for. Discord says 13.75 or 41.25.
    heartbeat_interval: float = 13.75
    #: Intervals without a heartbeat after which a session has timed out (close 4009). A
    #: client knows of a dead socket after two, and then still has to dial and resume.
    missed_heartbeats: float = 3.0
    #: How long a session outlives its socket: a client backs off up to 10 s per try.
    resume_window: float = 60.0
    #: Numbered messages kept for a resume. A full one missed its call for minutes.
    replay_buffer: int = 1024
    #: Replay before Resumed (op 9). Discord's order is not documented; ours is 9 first.
    replay_first: bool = False
    #: Time from the socket to Hello (op 8). Hello may come after Ready, clients must cope.
    hello_delay: float = 0.0
    #: Tell about everybody's flags and platform, too (ops 18 and 20), as Discord does.
    undocumented: bool = False

    # -- limits --------------------------------------------------------------

    #: A socket must identify or resume within this time (close 4003).
    identify_timeout: float = 10.0
    #: Largest message looked at (close 1009). Real ones are below 64 KiB.
    max_message_size: int = 1 << 16
    #: Largest datagram looked at. Audio fits an Ethernet frame.
    max_datagram_size: int = 2048
    #: Sessions at once, and sockets that have none (close 1013).
    max_sessions: int = 4096
    max_strangers: int = 256
    #: Messages of one socket per second and at once (close 4021). A client sends some ten a
    #: minute, more while the encryption of a call changes.
    message_rate: float = 50.0
    message_burst: float = 200.0
    #: Datagrams of one client per second and at once: audio is 50 a second.
    datagram_rate: float = 2000.0
    datagram_burst: float = 10_000.0
    #: Datagrams of unknown sources that are decrypted to see whose they are. Each costs a
    #: microsecond, and nobody answers for them.
    stranger_rate: float = 1000.0
    stranger_burst: float = 2000.0
    #: Sessions that are over but still in `VoiceServer.stats`.
    max_ended: int = 1000

    # -- forwarding ----------------------------------------------------------

    #: What is done with audio and RTCP. "open": opened, judged, sealed anew for each receiver.
    #: "count": counted. "relay": counted and passed on as it is, which takes one key for a
    #: whole room. Both of these judge nothing and believe every source address: they are for
    #: measuring clients on one machine, where the server must not be what is measured.
    media: Literal["open", "count", "relay"] = "open"
    #: Header extensions added to forwarded audio, of `EXTENSIONS`. Discord sends all three.
    extensions: tuple[str, ...] = ()
    #: The audio level (RFC 6464, -dBov) of senders that state none.
    audio_level: int = 30
    #: Bytes of RTP padding added to forwarded audio, 0 to 255. Discord pads 3 to 15 %.
    padding: int = 0
    #: Pass the clients' RTCP on.
    forward_rtcp: bool = False
    #: Send sender and receiver reports of the server's own.
    rtcp: bool = False
    rtcp_interval: float = 5.0
    #: Send audio only to clients that have sent some, as Discord does.
    receive_after_send: bool = False
    #: Send keepalives back. Discord once did.
    echo_keepalives: bool = False

    # -- misbehaviour --------------------------------------------------------

    #: The bad network of audio and RTCP to each client: probabilities, seconds.
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    network_seed: int = 0
    #: Faults that strike every session; see `parse_fault`.
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        if not 4 <= self.min_version <= self.max_version <= 9:
            raise ValueError("gateway versions are 4 to 9")
        if self.dave not in ("on", "off", "required"):
            raise ValueError('dave is "on", "off" or "required"')
        if self.media not in ("open", "count", "relay"):
            raise ValueError('media is "open", "count" or "relay"')
        if not 0 <= self.first_transition_id <= 0xFFFF:
            raise ValueError("first_transition_id has 16 bits")
        if self.modes is not None and not self.modes:
            raise ValueError("modes is None or names at least one mode")
        for name in _POSITIVE:
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is a finite number above 0, not {value!r}")
        if not (math.isfinite(self.hello_delay) and self.hello_delay >= 0):
            raise ValueError("hello_delay is a finite number from 0 on")
        if not 1 <= self.replay_buffer <= 0x8000:
            raise ValueError("replay_buffer is 1 to 32768: numbers have 16 bits")
        if not set(self.extensions) <= set(EXTENSIONS):
            raise ValueError(f"extensions are of {', '.join(EXTENSIONS)}")
        if not 0 <= self.padding <= 255:
            raise ValueError("padding is 0 to 255")
        if not 0 <= self.audio_level <= 127:
            raise ValueError("audio_level is 0 to 127")
        if self.network and self.media != "open":
            raise ValueError("a bad network takes media that is opened")

    def __repr__(self) -> str:
        shown = msgspec.structs.asdict(self)
        if self.token is not None:
            shown["token"] = "<hidden>"
        return f"ServerConfig({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @property
    def network(self) -> Impairment:
        """The bad network as one value."""
        return Impairment(
            loss=self.loss,
            duplicate=self.duplicate,
            reorder=self.reorder,
            delay=self.delay,
            jitter=self.jitter,
        )


_POSITIVE = (
    "heartbeat_interval",
    "missed_heartbeats",
    "resume_window",
    "identify_timeout",
    "max_message_size",
    "max_datagram_size",
    "max_group",
    "max_sessions",
    "max_strangers",
    "message_rate",
    "message_burst",
    "datagram_rate",
    "datagram_burst",
    "stranger_rate",
    "stranger_burst",
    "max_ended",
    "rtcp_interval",
)
