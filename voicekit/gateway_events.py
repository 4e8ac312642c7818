"""What `Gateway.poll` reports to whoever owns the UDP side, and how messages become events.

`VoiceConnection` consumes the three machine events here; the others that a gateway
emits are public and in `voicekit.events`.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from .codes import Opcode
from .events import (
    ClientFlagsChanged,
    ClientPlatformSeen,
    Closed,
    MediaSinkWanted,
    MessageReceived,
    NeedNewSession,
    ProtocolViolation,
    Reconnecting,
    SessionResumed,
    SessionUpdated,
    SpeakingChanged,
    UnknownMessage,
    UserJoined,
    UserLeft,
    VideoChanged,
    VoiceBackendSeen,
    WaitingForUpdate,
)
from .messages import BadMessage, Message

__all__ = [
    "FORWARDED_OPS",
    "MESSAGE_EVENTS",
    "GatewayDescribed",
    "GatewayEvent",
    "GatewayMessage",
    "GatewayReady",
    "MessageEvent",
]


class GatewayReady(msgspec.Struct, frozen=True):
    """Op 2: find out your address by way of ``ip:port``, then call `select_protocol`.

    It belongs to a new session: the SSRC, key and DAVE group of an older one are gone.
    """

    ssrc: int
    ip: str  #: IPv4 or IPv6 address of the voice server's UDP side
    port: int
    modes: tuple[str, ...]  #: transport encryption that the server offers


class GatewayDescribed(msgspec.Struct, frozen=True):
    """Op 4: the session has a key. Comes again only if the server changes mode or key."""

    mode: str
    secret_key: bytes  #: 32 bytes
    dave_version: int

    def __repr__(self) -> str:
        return (
            f"GatewayDescribed(mode={self.mode!r}, secret_key=<hidden>,"
            f" dave_version={self.dave_version})"
        )


class GatewayMessage(msgspec.Struct, frozen=True):
    """A message that the UDP or the DAVE side acts on: one of `FORWARDED_OPS`."""

    op: int
    data: Any  #: the struct of `voicekit.messages` for ``op``, or the bytes of a binary one


#: Opcodes that come as a `GatewayMessage`: who speaks and who is there, and all of DAVE.
FORWARDED_OPS = frozenset(
    {
        Opcode.SPEAKING,
        Opcode.CLIENTS_CONNECT,
        Opcode.CLIENT_DISCONNECT,
        Opcode.DAVE_PREPARE_TRANSITION,
        Opcode.DAVE_EXECUTE_TRANSITION,
        Opcode.DAVE_PREPARE_EPOCH,
        Opcode.MLS_EXTERNAL_SENDER,
        Opcode.MLS_PROPOSALS,
        Opcode.MLS_ANNOUNCE_COMMIT_TRANSITION,
        Opcode.MLS_WELCOME,
    }
)

MessageEvent = (
    ClientFlagsChanged
    | ClientPlatformSeen
    | MediaSinkWanted
    | SessionUpdated
    | SpeakingChanged
    | UserLeft
    | VideoChanged
    | VoiceBackendSeen
)

GatewayEvent = (
    GatewayReady
    | GatewayDescribed
    | GatewayMessage
    | Closed
    | MessageReceived
    | NeedNewSession
    | ProtocolViolation
    | Reconnecting
    | SessionResumed
    | UnknownMessage
    | UserJoined
    | WaitingForUpdate
    | MessageEvent
)


def _speaking_changed(message: Message) -> SpeakingChanged:
    data = message.data
    if data.user_id is None:
        raise BadMessage("op 5", "no user_id")
    return SpeakingChanged(int(data.user_id), data.ssrc, data.speaking)


def _video_changed(message: Message) -> VideoChanged:
    data = message.data
    if data.user_id is None:
        raise BadMessage("op 12", "no user_id")
    return VideoChanged(int(data.user_id), data.audio_ssrc, data.video_ssrc, message.raw)


def _user_left(message: Message) -> UserLeft:
    return UserLeft(int(message.data.user_id))


def _session_updated(message: Message) -> SessionUpdated:
    data = message.data
    return SessionUpdated(data.audio_codec, data.video_codec, data.media_session_id, message.raw)


def _media_sink_wanted(message: Message) -> MediaSinkWanted:
    # "pixelCounts" holds an object; a bool is an int to Python but no quality.
    wants = {key: want for key, want in message.data.items() if type(want) in (int, float)}
    return MediaSinkWanted(wants, message.raw)


def _voice_backend_seen(message: Message) -> VoiceBackendSeen:
    return VoiceBackendSeen(message.data.voice, message.data.rtc_worker, message.raw)


def _client_flags_changed(message: Message) -> ClientFlagsChanged:
    return ClientFlagsChanged(int(message.data.user_id), message.data.flags, message.raw)


def _client_platform_seen(message: Message) -> ClientPlatformSeen:
    return ClientPlatformSeen(int(message.data.user_id), message.data.platform, message.raw)


#: How a message becomes a public event; `BadMessage` where it can not. Op 11 is not here:
#: it becomes one event per newcomer.
MESSAGE_EVENTS: dict[int, Callable[[Message], MessageEvent]] = {
    Opcode.SPEAKING: _speaking_changed,
    Opcode.VIDEO: _video_changed,
    Opcode.CLIENT_DISCONNECT: _user_left,
    Opcode.SESSION_UPDATE: _session_updated,
    Opcode.MEDIA_SINK_WANTS: _media_sink_wanted,
    Opcode.VOICE_BACKEND_VERSION: _voice_backend_seen,
    Opcode.CLIENT_FLAGS: _client_flags_changed,
    Opcode.CLIENT_PLATFORM: _client_platform_seen,
}
