"""What is needed to join one call: the six values that the host's gateway hands out."""

from typing import TypeGuard

import msgspec

from .errors import LocalProtocolError

__all__ = ["VoiceServerInfo", "require_id", "require_text", "snowflake", "websocket_url"]


class VoiceServerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Where to connect, and as whom. Plain and picklable; the repr hides the secrets.

    ``endpoint`` is opaque: ``host:port``, or with a scheme (``wss://``, and ``ws://`` for
    tests). It is None while the server is gone (protocol: wait for the next update).

    Raises `LocalProtocolError` for an id that is none, and without a session or a token.
    """

    endpoint: str | None
    server_id: int
    channel_id: int
    user_id: int
    session_id: str
    token: str

    def __post_init__(self) -> None:
        """Refuse what no server could take: it would be a close code some seconds later."""
        for name in ("server_id", "channel_id", "user_id"):
            require_id(name, getattr(self, name))
        for name in ("session_id", "token"):
            require_text(name, getattr(self, name))

    def __repr__(self) -> str:
        return (
            f"VoiceServerInfo(endpoint={self.endpoint!r}, server_id={self.server_id},"
            f" channel_id={self.channel_id}, user_id={self.user_id},"
            " session_id=<hidden>, token=<hidden>)"
        )


def websocket_url(endpoint: str, version: int) -> str:
    """Return the URL to dial for ``endpoint``: the port is never touched.

    Stripping ``:443`` or any other port has been the cause of endless 4006 loops.
    """
    base = endpoint if endpoint.startswith(("ws://", "wss://")) else f"wss://{endpoint}"
    return f"{base.rstrip('/')}/?v={version}"


def require_id(name: str, value: object) -> int:
    """Return ``value`` if it is an id, or raise `LocalProtocolError` that names it."""
    if _is_id(value):
        return value
    if value is None:
        raise LocalProtocolError(f"{name} is None: it is the id of a guild, a channel or a user")
    raise LocalProtocolError(f"{name} is an id, a whole number of 64 bits, not {value!r}")


def require_text(name: str, value: object) -> str:
    """Return ``value`` if it is text, or raise `LocalProtocolError` that names it."""
    if isinstance(value, str):
        return value
    raise LocalProtocolError(
        f"{name} is text, not {type(value).__name__}: it comes with VOICE_STATE_UPDATE or"
        " VOICE_SERVER_UPDATE, and voicekit.Join waits for both"
    )


def snowflake(value: object) -> int | None:
    """Return an id that came as decimal text or as a number; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        value = int(value)
    return value if _is_id(value) else None


def _is_id(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64
