"""The voice gateway's messages, typed: one codec for clients and servers.

Role-blind, after h11's rule: nothing here knows whether it runs in a client or a server.
A message is one of

    text     {"op": int, "d": any, "seq": u16}     seq only from servers
    binary   u16 seq | u8 op | payload             from servers (big-endian)
             u8 op | payload                       from clients

Source: https://discord.com/developers/docs/topics/voice-connections; undocumented members
as real servers send them. Unknown members are ignored, missing and mistyped ones refused.
"""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from .codes import Opcode

__all__ = [
    "BINARY_OPS",
    "BadMessage",
    "ClientDisconnect",
    "ClientFlags",
    "ClientPlatform",
    "ClientsConnect",
    "DaveExecuteTransition",
    "DavePrepareEpoch",
    "DavePrepareTransition",
    "DaveTransitionReady",
    "Heartbeat",
    "Hello",
    "Identify",
    "InvalidCommitWelcome",
    "MediaSinkWants",
    "Message",
    "Ready",
    "Resume",
    "SelectProtocol",
    "SelectedAddress",
    "SessionDescription",
    "SessionUpdate",
    "Speaking",
    "Video",
    "VoiceBackendVersion",
    "decode_client_binary",
    "decode_server_binary",
    "decode_text",
    "encode_client_binary",
    "encode_server_binary",
    "encode_text",
]

U16 = Annotated[int, Meta(ge=0, le=0xFFFF)]
U32 = Annotated[int, Meta(ge=0, le=0xFFFF_FFFF)]
Port = Annotated[int, Meta(ge=1, le=0xFFFF)]
Byte = Annotated[int, Meta(ge=0, le=0xFF)]
#: Ids travel as decimal strings, since JavaScript has no 64-bit integers; some send numbers.
SnowflakeText = Annotated[str, Meta(pattern=r"^[0-9]{1,19}$")]
Snowflake = Annotated[int, Meta(ge=0, le=2**63 - 1)] | SnowflakeText
ShortText = Annotated[str, Meta(max_length=4096)]
#: Numbers of no known range: whatever a double holds exactly.
Number = Annotated[int, Meta(ge=-(2**53), le=2**53)]
#: Nonces stay below 2**53: beyond it JSON numbers lose digits on the other side.
Nonce = Annotated[int, Meta(ge=-(2**53), le=2**53)]


class BadMessage(Exception):
    """A message that is not the protocol. Never leaves the state machines."""

    def __init__(self, what: str, why: str, seq: int | None = None) -> None:
        super().__init__(f"{what}: {why}")
        self.what = what
        self.why = why
        self.seq = seq


class Message(msgspec.Struct, frozen=True):
    """One decoded message. ``data`` is the struct of its op, else None; ``raw`` its ``d``."""

    op: int
    seq: int | None
    data: Any
    raw: bytes

    def __repr__(self) -> str:
        return f"Message(op={self.op}, seq={self.seq}, data={self.data!r})"


# -- the ``d`` members, by opcode ----------------------------------------------


class _Data(msgspec.Struct, frozen=True):
    pass


class Identify(_Data, frozen=True):
    """Op 0."""

    server_id: Snowflake
    user_id: Snowflake
    session_id: ShortText
    token: ShortText
    max_dave_protocol_version: U16 = 0
    channel_id: Snowflake | None = None  # gateway version 9

    def __repr__(self) -> str:
        return f"Identify(server_id={self.server_id!r}, user_id={self.user_id!r}, <secrets hidden>)"


class SelectedAddress(_Data, frozen=True):
    """The ``data`` of op 1."""

    address: ShortText
    port: Port
    mode: ShortText


class SelectProtocol(_Data, frozen=True):
    """Op 1."""

    protocol: ShortText
    data: SelectedAddress


class Ready(_Data, frozen=True):
    """Op 2. Its ``heartbeat_interval`` is wrong and not read; Hello's is right."""

    ssrc: U32
    ip: ShortText  #: IPv4 or IPv6; a name is refused, since looking it up is a favour to nobody
    port: Port
    modes: Annotated[list[ShortText], Meta(max_length=64)]

    def __post_init__(self) -> None:
        """Refuse what is not an address; msgspec reports the ``ValueError`` as its own."""
        try:
            ipaddress.ip_address(self.ip)
        except ValueError:
            raise ValueError("`ip` is not an IPv4 or IPv6 address") from None


class Heartbeat(_Data, frozen=True):
    """Op 3 and 6 from version 8 on; below it ``d`` is the bare nonce."""

    t: Nonce
    seq_ack: Annotated[int, Meta(ge=-1, le=0xFFFF)] | None = None


class SessionDescription(_Data, frozen=True):
    """Op 4."""

    mode: ShortText
    secret_key: Annotated[list[Byte], Meta(min_length=32, max_length=32)]
    dave_protocol_version: U16 = 0

    def __repr__(self) -> str:
        return (
            f"SessionDescription(mode={self.mode!r}, secret_key=<hidden>,"
            f" dave_protocol_version={self.dave_protocol_version})"
        )


class Speaking(_Data, frozen=True):
    """Op 5. Clients send ``delay``, servers ``user_id``."""

    speaking: Annotated[int, Meta(ge=0, le=0xFFFF_FFFF)]
    ssrc: U32
    user_id: Snowflake | None = None
    delay: Number | None = None


class Resume(_Data, frozen=True):
    """Op 7. ``seq_ack`` from version 8 on, ``channel_id`` from 9 on."""

    server_id: Snowflake
    session_id: ShortText
    token: ShortText
    seq_ack: Annotated[int, Meta(ge=-1, le=0xFFFF)] | None = None
    channel_id: Snowflake | None = None

    def __repr__(self) -> str:
        return f"Resume(server_id={self.server_id!r}, seq_ack={self.seq_ack}, <secrets hidden>)"


class Hello(_Data, frozen=True):
    """Op 8. Milliseconds, sometimes with a fraction."""

    heartbeat_interval: Annotated[float, Meta(gt=0)]
    v: Number | None = None


class ClientsConnect(_Data, frozen=True):
    """Op 11: everybody at the join, newcomers later."""

    user_ids: Annotated[list[Snowflake], Meta(max_length=10_000)]


class Video(_Data, frozen=True):
    """Op 12 (undocumented)."""

    audio_ssrc: U32 = 0
    video_ssrc: U32 = 0
    user_id: Snowflake | None = None
    rtx_ssrc: U32 | None = None


class ClientDisconnect(_Data, frozen=True):
    """Op 13."""

    user_id: Snowflake


class SessionUpdate(_Data, frozen=True):
    """Op 14 (undocumented)."""

    audio_codec: ShortText | None = None
    video_codec: ShortText | None = None
    media_session_id: ShortText | None = None


class VoiceBackendVersion(_Data, frozen=True):
    """Op 16 (undocumented); empty from clients."""

    voice: ShortText = ""
    rtc_worker: ShortText = ""


class ClientFlags(_Data, frozen=True):
    """Op 18 (undocumented)."""

    user_id: Snowflake
    flags: Number | None = None


class ClientPlatform(_Data, frozen=True):
    """Op 20 (undocumented)."""

    user_id: Snowflake
    platform: Number | None = None


class DavePrepareTransition(_Data, frozen=True):
    """Op 21."""

    transition_id: U16
    protocol_version: U16


class DaveExecuteTransition(_Data, frozen=True):
    """Op 22."""

    transition_id: U16


class DaveTransitionReady(_Data, frozen=True):
    """Op 23."""

    transition_id: U16


class DavePrepareEpoch(_Data, frozen=True):
    """Op 24."""

    protocol_version: U16
    epoch: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    transition_id: U16 | None = None


class InvalidCommitWelcome(_Data, frozen=True):
    """Op 31."""

    transition_id: U16


#: Op 15 (undocumented): quality by SSRC, "any", and a nested object that is not read.
MediaSinkWants = dict[str, Any]

_TYPES: dict[int, Any] = {
    Opcode.IDENTIFY: Identify,
    Opcode.SELECT_PROTOCOL: SelectProtocol,
    Opcode.READY: Ready,
    Opcode.HEARTBEAT: Heartbeat | Nonce | None,
    Opcode.SESSION_DESCRIPTION: SessionDescription,
    Opcode.SPEAKING: Speaking,
    Opcode.HEARTBEAT_ACK: Heartbeat | Nonce | None,
    Opcode.RESUME: Resume,
    Opcode.HELLO: Hello,
    Opcode.RESUMED: Any,
    Opcode.CLIENTS_CONNECT: ClientsConnect,
    Opcode.VIDEO: Video,
    Opcode.CLIENT_DISCONNECT: ClientDisconnect,
    Opcode.SESSION_UPDATE: SessionUpdate,
    Opcode.MEDIA_SINK_WANTS: MediaSinkWants,
    Opcode.VOICE_BACKEND_VERSION: VoiceBackendVersion,
    Opcode.CLIENT_FLAGS: ClientFlags,
    Opcode.CLIENT_PLATFORM: ClientPlatform,
    Opcode.DAVE_PREPARE_TRANSITION: DavePrepareTransition,
    Opcode.DAVE_EXECUTE_TRANSITION: DaveExecuteTransition,
    Opcode.DAVE_TRANSITION_READY: DaveTransitionReady,
    Opcode.DAVE_PREPARE_EPOCH: DavePrepareEpoch,
    Opcode.MLS_INVALID_COMMIT_WELCOME: InvalidCommitWelcome,
}
_DECODERS = {op: msgspec.json.Decoder(kind) for op, kind in _TYPES.items()}

#: Opcodes that travel in binary messages.
BINARY_OPS = frozenset(range(Opcode.MLS_EXTERNAL_SENDER, Opcode.MLS_WELCOME + 1))


class _Envelope(msgspec.Struct, frozen=True):
    op: Byte
    d: msgspec.Raw = msgspec.Raw(b"")
    seq: U16 | None = None


class _Sequence(msgspec.Struct, frozen=True):
    seq: U16 | None = None


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_sequence = msgspec.json.Decoder(_Sequence).decode
_encode = msgspec.json.Encoder().encode

#: What msgspec raises on text that is not what it should be. RecursionError: nesting;
#: UnicodeError: lone surrogates in a str, bad UTF-8 in bytes.
_DECODE_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeError)


def decode_text(text: str | bytes, max_size: int = 1 << 20) -> Message:
    """Decode one text message. An unknown op gives ``data=None`` with its raw JSON.

    Raises `BadMessage` for anything else that is not the protocol; its ``seq`` is set
    where it could be read, since a sequence number counts even then.
    """
    if len(text) > max_size:
        raise BadMessage("text message", f"{len(text)} characters are over the limit of {max_size}")
    try:
        envelope = _decode_envelope(text)
    except _DECODE_ERRORS as error:
        raise BadMessage("json", _reason(error), _sequence_of(text)) from None
    raw = bytes(envelope.d)
    decoder = _DECODERS.get(envelope.op)
    if decoder is None:
        return Message(envelope.op, envelope.seq, None, raw)
    try:
        data = decoder.decode(raw or b"null")
    except _DECODE_ERRORS as error:
        raise BadMessage(f"op {envelope.op}", _reason(error), envelope.seq) from None
    return Message(envelope.op, envelope.seq, data, raw)


def decode_server_binary(data: bytes, max_size: int = 1 << 20) -> Message:
    """Decode ``u16 seq | u8 op | payload``; ``data`` of the result is the payload."""
    _check_binary(data, 3, max_size)
    return Message(data[2], data[0] << 8 | data[1], bytes(data[3:]), b"")


def decode_client_binary(data: bytes, max_size: int = 1 << 20) -> Message:
    """Decode ``u8 op | payload``; ``data`` of the result is the payload."""
    _check_binary(data, 1, max_size)
    return Message(data[0], None, bytes(data[1:]), b"")


def encode_text(op: int, data: object, seq: int | None = None) -> str:
    """Encode one text message; ``data`` is a struct of this module or plain JSON values."""
    message: dict[str, object] = {"op": int(op), "d": _without_none(data)}
    if seq is not None:
        message["seq"] = seq
    return _encode(message).decode()


def encode_server_binary(op: int, payload: bytes, seq: int) -> bytes:
    """Encode ``u16 seq | u8 op | payload``."""
    return seq.to_bytes(2, "big") + bytes((op,)) + payload


def encode_client_binary(op: int, payload: bytes) -> bytes:
    """Encode ``u8 op | payload``."""
    return bytes((op,)) + payload


def _check_binary(data: bytes, header: int, max_size: int) -> None:
    sequence = data[0] << 8 | data[1] if header == 3 and len(data) >= 2 else None
    if len(data) < header:
        why = f"{len(data)} bytes are less than its header"
        raise BadMessage("binary message", why, sequence)
    if len(data) > max_size:
        why = f"{len(data)} bytes are over the limit of {max_size}"
        raise BadMessage("binary message", why, sequence)


def _sequence_of(text: str | bytes) -> int | None:
    try:
        return _decode_sequence(text).seq
    except _DECODE_ERRORS:
        return None


def _without_none(data: object) -> object:
    """Leave out members that are None: an absent ``channel_id`` is not a null one."""
    if isinstance(data, _Data):
        members = msgspec.structs.asdict(data).items()
        return {name: _without_none(value) for name, value in members if value is not None}
    if isinstance(data, Mapping):
        return dict(data)
    return data


def _reason(error: BaseException) -> str:
    """Say what is wrong without quoting the message: it may hold secrets."""
    if isinstance(error, msgspec.DecodeError):
        return str(error)
    return "nested too deeply" if isinstance(error, RecursionError) else "not valid UTF-8"
