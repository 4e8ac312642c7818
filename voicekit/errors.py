"""Every exception that voicekit raises.

Two kinds, after h11: *your* mistake raises `LocalProtocolError`; *their* mistakes
never raise in the core (they are counted, and reported as events). Anything that is
neither a `VoicekitError` nor a `ValueError`/`TypeError` for an argument is a bug of
voicekit: please report it. `docs/errors.md` has them all in one table.
"""

__all__ = [
    "AlreadyConnected",
    "AlreadyRecording",
    "AuthenticationFailed",
    "BackendUnavailable",
    "CallClosed",
    "ConnectFailed",
    "ConnectTimedOut",
    "DecryptionFailed",
    "EncryptionRequired",
    "GatewayUnavailable",
    "InvalidPacket",
    "LocalProtocolError",
    "MediaError",
    "ModeUnavailable",
    "NoSink",
    "NonceExhausted",
    "NotConnected",
    "NotRecording",
    "PlaybackError",
    "ProtocolRejected",
    "RateLimited",
    "RecordingError",
    "RecordingNotConnected",
    "VoicekitError",
    "WorkerDied",
]


class VoicekitError(Exception):
    """Base class of all of voicekit's own exceptions."""


class LocalProtocolError(VoicekitError):
    """You called something that the current state does not allow.

    The object is unchanged by the call that raised this.
    """


class NotConnected(LocalProtocolError):
    """There is no session, or no call, for what you asked: connect first."""


class AlreadyConnected(LocalProtocolError):
    """You are connecting, or connected, already: one connection is for one call."""


class InvalidPacket(VoicekitError, ValueError):
    """Bytes handed to a bare parser are not what it parses.

    The state machines never raise this: they drop and count. ``reason`` is the
    `voicekit.codes.DropReason` under which they would have counted it.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class BackendUnavailable(VoicekitError):
    """The library for end-to-end encryption is missing. The text says what to install."""


class DecryptionFailed(VoicekitError):
    """The authentication tag of a packet does not match: wrong key, or altered bytes."""


class NonceExhausted(VoicekitError):
    """All 2**32 nonces of a transport key are used; the key must be renegotiated.

    At 50 packets per second that is 2.7 years of one session.
    """


class ModeUnavailable(VoicekitError):
    """No transport encryption mode is both offered by the server and available here."""


class MediaError(VoicekitError):
    """A media file or stream can not be read or written. The text names it."""


class PlaybackError(MediaError):
    """A source failed while it was played. The call goes on; ``__cause__`` is what it raised."""


class RecordingError(LocalProtocolError):
    """A recording can not be begun, paused or ended now. What is recorded is untouched."""


class RecordingNotConnected(RecordingError, NotConnected):
    """There is no call to record."""


class AlreadyRecording(RecordingError):
    """A recording is under way: stop it first."""


class NoSink(RecordingError):
    """What was given to record into is no format, no function and no `Recorder`."""


class NotRecording(RecordingError):
    """There is no recording to pause or to stop."""


class ConnectFailed(VoicekitError):
    """The call could not be established.

    ``stage`` is where it stopped: ``"join"``, ``"websocket"``, ``"handshake"``,
    ``"udp"``, ``"udp_discovery"`` or ``"update"``; ``attempts`` is how often it was tried.
    """

    def __init__(self, message: str, stage: str = "websocket", attempts: int = 1) -> None:
        super().__init__(message)
        self.stage = stage
        self.attempts = attempts


class ConnectTimedOut(ConnectFailed):
    """What was waited for did not come in time: an update of the host's, or the session.

    The deadlines are `Join`'s ``timeout``, `Config.connect_timeout` and `Config.update_timeout`.
    """


class GatewayUnavailable(ConnectFailed):
    """The host's own gateway is not there: nobody asks for a voice channel. Stage ``"join"``."""


class CallClosed(VoicekitError):
    """The voice server, or the host, ended the call. ``code`` is the WebSocket close code."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class AuthenticationFailed(CallClosed):
    """Close 4004: the token was refused."""


class ProtocolRejected(CallClosed):
    """Close 4001, 4002, 4003, 4005, 4012, 4016 or 4020: the server refuses what was sent."""


class EncryptionRequired(CallClosed):
    """Close 4017: this call admits only clients that speak DAVE (end-to-end encryption)."""


class RateLimited(CallClosed):
    """Close 4021: too many connections; wait before joining again."""


class WorkerDied(VoicekitError):
    """A process that ran calls ended under them, or could not be started. The text says how."""
