"""What `VoiceServer.poll` asks the shell to do, and what it reports.

``link`` is the number that the shell gave to an accepted WebSocket. `HostVoiceState` and
`HostVoiceServer` are for a bot's main gateway, which no voice server has: whoever plays the
host delivers them (`voicekit.server.host`).
"""

from typing import Any

import msgspec

from ..outputs import CloseWebSocket, SendBinary, SendText
from .stats import SessionStats

__all__ = [
    "CloseWebSocket",
    "DropWebSocket",
    "HostVoiceServer",
    "HostVoiceState",
    "SendBinary",
    "SendDatagram",
    "SendText",
    "ServerEvent",
    "ServerOutput",
    "SessionEnded",
    "SessionResumed",
    "SessionStarted",
]


class DropWebSocket(msgspec.Struct, frozen=True):
    """Cut the TCP connection without a close frame; nothing need be reported back."""

    link: int


class SendDatagram(msgspec.Struct, frozen=True):
    """Send one datagram from the server's socket."""

    address: tuple[str, int]
    data: bytes

    def __repr__(self) -> str:
        return f"SendDatagram(address={self.address}, data=<{len(self.data)} bytes>)"


class SessionStarted(msgspec.Struct, frozen=True):
    """A client is ready for audio: its first op 4 is out."""

    server_id: int
    channel_id: int | None
    user_id: int
    ssrc: int
    mode: str


class SessionResumed(msgspec.Struct, frozen=True):
    """A client came back on a new socket."""

    server_id: int
    user_id: int
    ssrc: int


class SessionEnded(msgspec.Struct, frozen=True):
    """A session is over; ``stats`` is its last account."""

    stats: SessionStats


class HostVoiceState(msgspec.Struct, frozen=True):
    """The host should now send VOICE_STATE_UPDATE."""

    server_id: int
    user_id: int
    channel_id: int | None
    session_id: str

    @property
    def data(self) -> dict[str, Any]:
        """The event's ``d`` as a main gateway has it."""
        channel = self.channel_id
        return {
            "guild_id": str(self.server_id),
            "channel_id": None if channel is None else str(channel),
            "user_id": str(self.user_id),
            "session_id": self.session_id,
            "deaf": False,
            "mute": False,
            "self_deaf": False,
            "self_mute": False,
            "self_video": False,
            "suppress": False,
            "request_to_speak_timestamp": None,
        }

    def __repr__(self) -> str:
        return (
            f"HostVoiceState(server_id={self.server_id}, user_id={self.user_id},"
            f" channel_id={self.channel_id}, session_id=<hidden>)"
        )


class HostVoiceServer(msgspec.Struct, frozen=True):
    """The host should now send VOICE_SERVER_UPDATE."""

    server_id: int
    user_id: int  #: whose gateway it is for; not a part of the event
    token: str
    endpoint: str | None

    @property
    def data(self) -> dict[str, Any]:
        """The event's ``d`` as a main gateway has it."""
        return {"guild_id": str(self.server_id), "token": self.token, "endpoint": self.endpoint}

    def __repr__(self) -> str:
        return (
            f"HostVoiceServer(server_id={self.server_id}, user_id={self.user_id},"
            f" token=<hidden>, endpoint={self.endpoint!r})"
        )


ServerOutput = SendText | SendBinary | CloseWebSocket | DropWebSocket | SendDatagram
ServerEvent = SessionStarted | SessionResumed | SessionEnded | HostVoiceState | HostVoiceServer
