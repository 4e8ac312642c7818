"""What `VoiceConnection.poll` reports. Past tense: it has happened.

`AudioFrame` is made per packet and therefore lives in Cython, in
`voicekit._frame`; it is named here because it is an event like the others.
"""

from typing import Any

import msgspec

from ._frame import AudioFrame
from ._rtcp import RtcpPacket
from .close_codes import ClosePolicy
from .codes import DropReason
from .errors import VoicekitError

__all__ = [
    "AudioFrame",
    "AudioStopped",
    "ClientFlagsChanged",
    "ClientPlatformSeen",
    "Closed",
    "DaveEvent",
    "DaveFailed",
    "DaveRecovering",
    "DaveTransition",
    "E2eeWithheld",
    "Event",
    "MediaSinkWanted",
    "MessageReceived",
    "NeedNewSession",
    "PacketDropped",
    "ProtocolViolation",
    "Reconnecting",
    "RtcpReceived",
    "SessionReady",
    "SessionResumed",
    "SessionUpdated",
    "SpeakingChanged",
    "SpeakingStarted",
    "SpeakingStopped",
    "SsrcChanged",
    "UnknownMessage",
    "UserJoined",
    "UserLeft",
    "VideoChanged",
    "VoiceBackendSeen",
    "WaitingForUpdate",
]


class _Event(msgspec.Struct, frozen=True):
    pass


# -- the session -------------------------------------------------------------


class SessionReady(_Event, frozen=True):
    """Audio may be sent. Comes again after every new session (not after a resume)."""

    ssrc: int
    mode: str  #: transport encryption, such as "aead_aes256_gcm_rtpsize"
    dave_version: int  #: 0: no end-to-end encryption
    address: str  #: our own address as the server sees it
    port: int


class SessionResumed(_Event, frozen=True):
    """A lost WebSocket was replaced; key, SSRC and counters went on."""


class Reconnecting(_Event, frozen=True):
    """The WebSocket was lost and will be dialled again."""

    attempt: int  #: 1 for the first
    delay: float  #: seconds until it is dialled
    policy: ClosePolicy
    code: int | None  #: the close code, None where there was none
    why: str


class WaitingForUpdate(_Event, frozen=True):
    """Nothing is dialled until the host hands in a new voice server (4014, 4022, null endpoint)."""

    code: int | None
    why: str


class NeedNewSession(_Event, frozen=True):
    """The session is gone: the host must leave the channel and join it again.

    That is op 4 with a null channel, the null VOICE_STATE_UPDATE, then op 4 with the
    channel; feed both new events to the same connection. It never tries by itself.
    """

    code: int | None
    why: str


class Closed(_Event, frozen=True):
    """The call is over; the last event of a connection."""

    code: int | None  #: the close code, None where there was none
    policy: ClosePolicy | None  #: the row of the table that ended it; None: we left or gave up
    why: str  #: one sentence that says what to do
    error: VoicekitError | None = None  #: what a driver should raise; None: an orderly end


class ProtocolViolation(_Event, frozen=True):
    """The server sent something that is not the protocol. It was ignored."""

    what: str  #: where: "op 2", "binary message", "json" ...
    why: str
    in_a_row: int  #: at Config.max_violations the connection is made anew


# -- other people ------------------------------------------------------------


class UserJoined(_Event, frozen=True):
    """Somebody is in the call (op 11)."""

    user_id: int


class UserLeft(_Event, frozen=True):
    """Somebody left the call (op 13)."""

    user_id: int


class SpeakingStarted(_Event, frozen=True):
    """The first packet of a talk spurt came, or op 5 announced it, whichever was first."""

    user_id: int
    ssrc: int


class SpeakingStopped(_Event, frozen=True):
    """No packet for Config.speaking_timeout, only silence, op 5 with 0, or the user left."""

    user_id: int
    ssrc: int


class SpeakingChanged(_Event, frozen=True):
    """Op 5 as it came. Not sent on every talk spurt: see `SpeakingStarted`."""

    user_id: int
    ssrc: int
    flags: int  #: `voicekit.codes.SpeakingFlags`


class SsrcChanged(_Event, frozen=True):
    """Somebody's audio comes in another stream from now on, and they did not leave meanwhile.

    Op 5 or op 12 said so. In a new session (`SessionReady`) everybody may have another SSRC,
    without this.
    """

    user_id: int
    ssrc: int
    old_ssrc: int


class RtcpReceived(_Event, frozen=True):
    """One decrypted RTCP compound packet."""

    packets: tuple[RtcpPacket, ...]
    arrived: float


class PacketDropped(_Event, frozen=True):
    """A datagram was dropped. Only with Config(report_drops=True); always counted."""

    reason: DropReason
    size: int  #: bytes
    ssrc: int | None  #: where it could be read


# -- our own sending ---------------------------------------------------------


class AudioStopped(_Event, frozen=True):
    """`stop_audio` is complete: five silence frames and Speaking 0 are out."""


class DaveTransition(_Event, frozen=True):
    """What we send changed: another epoch's key, or the change from or to clear frames."""

    transition_id: int
    version: int  #: 0: frames go out in clear from now on
    epoch: int | None  #: None where only the server knows it (after a welcome)


class DaveRecovering(_Event, frozen=True):
    """A commit or welcome could not be used; we asked to be added again (op 31)."""

    transition_id: int
    why: str


class DaveFailed(_Event, frozen=True):
    """End-to-end encryption could not be recovered; nothing more is tried in this session."""

    why: str
    attempts: int


class E2eeWithheld(_Event, frozen=True):
    """The call is not encrypted and Config(require_e2ee=True): silence is sent instead."""


DaveEvent = DaveTransition | DaveRecovering | DaveFailed | E2eeWithheld | ProtocolViolation


# -- undocumented opcodes, parsed; and unknown ones, raw ----------------------


class VideoChanged(_Event, frozen=True):
    """Op 12: somebody's video streams."""

    user_id: int
    audio_ssrc: int
    video_ssrc: int
    raw: bytes


class SessionUpdated(_Event, frozen=True):
    """Op 14: codecs changed."""

    audio_codec: str | None
    video_codec: str | None
    media_session_id: str | None
    raw: bytes


class MediaSinkWanted(_Event, frozen=True):
    """Op 15: the quality (0..100) that the server wants per SSRC; "any" for the rest."""

    wants: dict[str, float]
    raw: bytes


class VoiceBackendSeen(_Event, frozen=True):
    """Op 16: versions of the voice server."""

    voice: str
    rtc_worker: str
    raw: bytes


class ClientFlagsChanged(_Event, frozen=True):
    """Op 18: `voicekit.codes.ClientFlag` of a user, or None."""

    user_id: int
    flags: int | None
    raw: bytes


class ClientPlatformSeen(_Event, frozen=True):
    """Op 20: `voicekit.codes.Platform` of a user, or None."""

    user_id: int
    platform: int | None
    raw: bytes


class MessageReceived(_Event, frozen=True):
    """A gateway message as it came, after what it has led to. Only with
    Config(report_messages=True), and never op 4, which holds the key.
    """

    op: int
    data: Any  #: the struct of `voicekit.messages` for ``op``, bytes of a binary one, or None
    raw: bytes  #: the ``d`` member's JSON; nothing of a binary one


class UnknownMessage(_Event, frozen=True):
    """An opcode that voicekit does not know; ``raw`` is the ``d`` member's JSON as it came."""

    op: int
    raw: bytes


Event = (
    SessionReady
    | SessionResumed
    | Reconnecting
    | WaitingForUpdate
    | NeedNewSession
    | Closed
    | ProtocolViolation
    | UserJoined
    | UserLeft
    | SpeakingStarted
    | SpeakingStopped
    | SpeakingChanged
    | SsrcChanged
    | RtcpReceived
    | PacketDropped
    | AudioStopped
    | DaveTransition
    | DaveRecovering
    | DaveFailed
    | E2eeWithheld
    | VideoChanged
    | SessionUpdated
    | MediaSinkWanted
    | VoiceBackendSeen
    | ClientFlagsChanged
    | ClientPlatformSeen
    | MessageReceived
    | UnknownMessage
    | AudioFrame
)
