"""RTCP packets, as values: RFC 3550 §6, feedback of RFC 4585.

`voicekit._rtcp` reads and writes them. All numbers are as on the wire.
"""

import msgspec

__all__ = [
    "AppPacket",
    "Feedback",
    "Goodbye",
    "ReceiverReport",
    "ReportBlock",
    "RtcpPacket",
    "SdesChunk",
    "SenderReport",
    "SourceDescription",
    "UnknownRtcp",
]


class _Value(msgspec.Struct, frozen=True, gc=False):
    pass


class ReportBlock(_Value, frozen=True, gc=False):
    """How one stream is received (§6.4.1)."""

    ssrc: int  #: the stream it is about
    fraction_lost: int  #: 0 to 255: lost since the last report, of 256
    lost: int  #: cumulative, -2**23 to 2**23 - 1; negative when duplicates outnumber losses
    highest_sequence: int  #: u32: cycles in the upper half
    jitter: int  #: u32, in units of the RTP timestamp (48 000 per second)
    last_sr: int  #: u32: middle half of the NTP time of the last SenderReport; 0: none came
    delay: int  #: u32: time since it came, in 1/65 536 s


class SenderReport(_Value, frozen=True, gc=False):
    """What a sender sent (§6.4.1)."""

    ssrc: int
    ntp: int  #: u64: seconds since 1900 in the upper half, 2**-32 s in the lower
    rtp_time: int  #: u32: the RTP timestamp of the same instant
    packets: int  #: u32
    octets: int  #: u32, payload only
    reports: tuple[ReportBlock, ...] = ()
    extension: bytes = b""  #: profile-specific, in whole words


class ReceiverReport(_Value, frozen=True, gc=False):
    """What somebody who sends nothing receives (§6.4.2)."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()
    extension: bytes = b""  #: profile-specific, in whole words


class SdesChunk(_Value, frozen=True, gc=False):
    """What a source says of itself; item 1 is CNAME."""

    ssrc: int
    items: tuple[tuple[int, bytes], ...] = ()


class SourceDescription(_Value, frozen=True, gc=False):
    """Descriptions of sources (§6.5)."""

    chunks: tuple[SdesChunk, ...] = ()


class Goodbye(_Value, frozen=True, gc=False):
    """Sources that stop (§6.6)."""

    ssrcs: tuple[int, ...] = ()
    reason: bytes = b""


class AppPacket(_Value, frozen=True, gc=False):
    """Application-defined (§6.7)."""

    subtype: int  #: 0 to 31
    ssrc: int
    name: bytes  #: four ASCII letters
    data: bytes = b""


class Feedback(_Value, frozen=True, gc=False):
    """Transport (205) or payload-specific (206) feedback (RFC 4585 §6.1), not looked into."""

    packet_type: int
    format: int  #: 0 to 31
    ssrc: int
    media_ssrc: int
    data: bytes = b""


class UnknownRtcp(_Value, frozen=True, gc=False):
    """Any other packet type."""

    packet_type: int
    count: int  #: the five bits beside the version
    data: bytes = b""  #: all behind the first word


RtcpPacket = (
    SenderReport | ReceiverReport | SourceDescription | Goodbye | AppPacket | Feedback | UnknownRtcp
)
