"""WebSocket close codes, and what follows from each: the one table of them.

Meanings: https://discord.com/developers/docs/topics/opcodes-and-status-codes#voice and
RFC 6455 §7.4.1. What Discord documents as "do not reconnect" is split in two here, because
4014 and 4022 also announce a move, which an update from the host completes.
``docs/close-codes.md`` is generated from this file.
"""

from enum import StrEnum

import msgspec

from .errors import (
    AuthenticationFailed,
    CallClosed,
    EncryptionRequired,
    ProtocolRejected,
    RateLimited,
)

__all__ = [
    "CLOSE_CODES",
    "UNKNOWN_CODE_STEPS",
    "CloseCode",
    "ClosePolicy",
    "close_code",
    "close_error",
]


class ClosePolicy(StrEnum):
    """What a lost WebSocket leads to."""

    #: Dial the same server again and resume the session; identify where there is none yet.
    RESUME = "resume"
    #: Ask the host to leave and join again (`NeedNewSession`).
    NEW_SESSION = "new_session"
    #: Dial nothing until the host brings a new voice server, or says that the call is over.
    WAIT_FOR_UPDATE = "wait_for_update"
    #: End with a typed error: trying again would give the same answer.
    FATAL = "fatal"


class CloseCode(msgspec.Struct, frozen=True):
    """One row of the table."""

    code: int
    name: str  #: identifier, such as "SESSION_INVALID"
    description: str  #: a few words
    explanation: str  #: what happened and, where somebody can mend it, what to do
    policy: ClosePolicy
    error: type[CallClosed] = CallClosed  #: what is raised where the call ends by this code

    @property
    def reconnects(self) -> bool:
        """Whether the same server is dialled again without asking anybody."""
        return self.policy is ClosePolicy.RESUME


_RESUME = ClosePolicy.RESUME
_NEW_SESSION = ClosePolicy.NEW_SESSION
_WAIT = ClosePolicy.WAIT_FOR_UPDATE
_FATAL = ClosePolicy.FATAL

_REPORT = "This is a mistake of voicekit, or of a message sent by hand: please report it."

_ROWS = (
    CloseCode(1000, "NORMAL", "Normal closure", "The server closed without a cause.", _RESUME),
    CloseCode(1001, "GOING_AWAY", "Going away", "The server is shutting down.", _RESUME),
    CloseCode(1005, "NO_STATUS", "No status", "The server closed without a code.", _RESUME),
    CloseCode(
        1006, "ABNORMAL", "Connection lost", "The connection ended without a close frame.", _RESUME
    ),
    CloseCode(1011, "INTERNAL_ERROR", "Internal error", "The server failed.", _RESUME),
    CloseCode(1012, "SERVICE_RESTART", "Service restart", "The server restarts.", _RESUME),
    CloseCode(1013, "TRY_AGAIN_LATER", "Try again later", "The server is overloaded.", _RESUME),
    CloseCode(1014, "BAD_GATEWAY", "Bad gateway", "A proxy lost the server.", _RESUME),
    CloseCode(
        4000,
        "UNKNOWN_ERROR",
        "Unknown error",
        "The server failed; also sent by voicekit itself to drop a dead socket.",
        _RESUME,
    ),
    CloseCode(
        4001,
        "UNKNOWN_OPCODE",
        "Unknown opcode",
        f"The server does not know an opcode it was sent. {_REPORT}",
        _FATAL,
        ProtocolRejected,
    ),
    CloseCode(
        4002,
        "DECODE_ERROR",
        "Failed to decode payload",
        f"The server could not read a message it was sent. {_REPORT}",
        _FATAL,
        ProtocolRejected,
    ),
    CloseCode(
        4003,
        "NOT_AUTHENTICATED",
        "Not authenticated",
        f"A message was sent before Identify. {_REPORT}",
        _FATAL,
        ProtocolRejected,
    ),
    CloseCode(
        4004,
        "AUTHENTICATION_FAILED",
        "Authentication failed",
        "The token was refused. Join the channel again and use the token of the newest"
        " VOICE_SERVER_UPDATE, which belongs to one session, server and user.",
        _FATAL,
        AuthenticationFailed,
    ),
    CloseCode(
        4005,
        "ALREADY_AUTHENTICATED",
        "Already authenticated",
        f"Identify was sent twice. {_REPORT}",
        _FATAL,
        ProtocolRejected,
    ),
    CloseCode(
        4006,
        "SESSION_INVALID",
        "Session no longer valid",
        "The session is gone. Leave the channel and join it again.",
        _NEW_SESSION,
    ),
    CloseCode(
        4009,
        "SESSION_TIMEOUT",
        "Session timeout",
        "The session timed out. Leave the channel and join it again.",
        _NEW_SESSION,
    ),
    CloseCode(
        4011,
        "SERVER_NOT_FOUND",
        "Server not found",
        "The server does not know this call. Leave the channel and join it again.",
        _NEW_SESSION,
    ),
    CloseCode(
        4012,
        "UNKNOWN_PROTOCOL",
        "Unknown protocol",
        "The server does not know the transport protocol or the gateway version that was"
        " asked for. Choose another Config.gateway_version.",
        _FATAL,
        ProtocolRejected,
    ),
    CloseCode(4013, "MEDIA_CRASHED", "Media crashed", "The media part failed.", _RESUME),
    CloseCode(
        4014,
        "DISCONNECTED",
        "Disconnected",
        "Kicked, moved, or the voice server changed; the host's next events tell which.",
        _WAIT,
    ),
    CloseCode(4015, "SERVER_CRASHED", "Voice server crashed", "The server crashed.", _RESUME),
    CloseCode(
        4016,
        "UNKNOWN_ENCRYPTION_MODE",
        "Unknown encryption mode",
        "The server does not know the transport encryption that was asked for."
        " Leave Config.modes at None to take the best that both sides have.",
        _FATAL,
        ProtocolRejected,
    ),
    CloseCode(
        4017,
        "ENCRYPTION_REQUIRED",
        "End-to-end encryption required",
        "This call admits only clients that speak DAVE, the end-to-end encryption of every"
        " call except stage channels. Leave Config(dave=...) at True, its default (in voicekit"
        " play and record: no --no-dave), or join a stage channel.",
        _FATAL,
        EncryptionRequired,
    ),
    CloseCode(
        4020,
        "BAD_REQUEST",
        "Bad request",
        f"The server refuses a message it was sent. {_REPORT}",
        _FATAL,
        ProtocolRejected,
    ),
    CloseCode(
        4021,
        "RATE_LIMITED",
        "Rate limited",
        "Too many connections in a short time. Wait some minutes before joining again.",
        _FATAL,
        RateLimited,
    ),
    CloseCode(
        4022,
        "CALL_TERMINATED",
        "Call terminated",
        "Everybody left, the channel was deleted, or the voice server changed; the host's"
        " next events tell which.",
        _WAIT,
    ),
)

#: Every close code with a meaning of its own.
CLOSE_CODES: dict[int, CloseCode] = {row.code: row for row in _ROWS}

#: Codes of a future version: resume once, then ask for a new session once, then give up.
UNKNOWN_CODE_STEPS = (_RESUME, _NEW_SESSION, _FATAL)


def close_code(code: int | None) -> CloseCode:
    """Look ``code`` up. None, a loss without a close frame, is 1006; unknown ones reconnect."""
    row = CLOSE_CODES.get(1006 if code is None else code)
    if row is not None:
        return row
    return CloseCode(
        code or 0,
        "UNKNOWN",
        "Unknown close code",
        "voicekit does not know this code. A newer version may.",
        UNKNOWN_CODE_STEPS[0],
    )


def close_error(code: int | None, reason: str = "") -> CallClosed:
    """Return the exception for a call that ended by ``code``; its text says what to do."""
    row = close_code(code)
    number = "" if code is None else f" ({code})"
    said = f" The server said: {reason!r}." if reason else ""
    return row.error(f"{row.description}{number}. {row.explanation}{said}", code)
