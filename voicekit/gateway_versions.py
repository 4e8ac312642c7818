"""What voice gateway versions 4 to 9 have a client send differently.

Version 8 brought sequence numbers (``seq_ack``), 9 the ``channel_id``.
https://discord.com/developers/docs/topics/voice-connections#voice-gateway-versioning-gateway-versions
"""

from .codes import Opcode
from .messages import Heartbeat, Identify, Resume, encode_text
from .server_info import VoiceServerInfo

__all__ = ["CHANNEL_VERSION", "SEQUENCED_VERSION", "heartbeat", "identify", "resume"]

SEQUENCED_VERSION = 8
CHANNEL_VERSION = 9


def identify(version: int, info: VoiceServerInfo, max_dave_version: int) -> str:
    """Return op 0."""
    data = Identify(
        server_id=str(info.server_id),
        user_id=str(info.user_id),
        session_id=info.session_id,
        token=info.token,
        max_dave_protocol_version=max_dave_version,
        channel_id=_channel_id(version, info),
    )
    return encode_text(Opcode.IDENTIFY, data)


def resume(version: int, info: VoiceServerInfo, seq: int) -> str:
    """Return op 7; ``seq`` is the last sequence number seen, or -1."""
    data = Resume(
        server_id=str(info.server_id),
        session_id=info.session_id,
        token=info.token,
        seq_ack=seq if version >= SEQUENCED_VERSION else None,
        channel_id=_channel_id(version, info),
    )
    return encode_text(Opcode.RESUME, data)


def heartbeat(version: int, nonce: int, seq: int) -> str:
    """Return op 3."""
    data = Heartbeat(t=nonce, seq_ack=seq) if version >= SEQUENCED_VERSION else nonce
    return encode_text(Opcode.HEARTBEAT, data)


def _channel_id(version: int, info: VoiceServerInfo) -> str | None:
    return str(info.channel_id) if version >= CHANNEL_VERSION else None
