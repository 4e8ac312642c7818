"""What a connection is to a `Registry`: bare, the ``Voice`` of a driver, or your own."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from .connection import VoiceConnection
from .events import Closed

__all__ = ["BareConnections", "ConnectionKind", "Voices"]

C = TypeVar("C", contravariant=True)


class ConnectionKind(Protocol[C]):
    """What a `Registry` does with a connection. What is raised here is reported, not passed on.

    ``now`` is the time that the registry was called with, for connections that want it.
    """

    def is_live(self, connection: C, /) -> bool:
        """Whether the connection's call is not over."""

    def update_voice_state(
        self, connection: C, channel_id: int | None, session_id: str, now: float, /
    ) -> None:
        """Hand in our VOICE_STATE_UPDATE; None for the channel: we are out of it."""

    def update_voice_server(
        self, connection: C, token: str, endpoint: str | None, now: float, /
    ) -> None:
        """Hand in a VOICE_SERVER_UPDATE."""

    def stop(self, connection: C, now: float, /) -> None:
        """Stop what is played, but stay in the call."""

    def close(self, connection: C, now: float, /) -> None:
        """End the call. May start a task and return at once."""


class BareConnections:
    """Connections that the host drives itself.

    ``drain(connection)`` is called after each change: it polls to None, does what the outputs
    ask for, and sets the timer.
    """

    def __init__(self, drain: Callable[[VoiceConnection], object]) -> None:
        self._drain = drain

    def is_live(self, connection: VoiceConnection, /) -> bool:
        """Whether it is not closed."""
        return not connection.is_closed

    def update_voice_state(
        self, connection: VoiceConnection, channel_id: int | None, session_id: str, now: float, /
    ) -> None:
        """Hand it in, and drain."""
        connection.update_voice_state(channel_id, session_id, now)
        self._drain(connection)

    def update_voice_server(
        self, connection: VoiceConnection, token: str, endpoint: str | None, now: float, /
    ) -> None:
        """Hand it in, and drain."""
        connection.update_voice_server(token, endpoint, now)
        self._drain(connection)

    def stop(self, connection: VoiceConnection, now: float, /) -> None:
        """End the talk spurt."""
        connection.stop_audio(now)
        self._drain(connection)

    def close(self, connection: VoiceConnection, now: float, /) -> None:
        """Close with 1000."""
        connection.close(now)
        self._drain(connection)


class _Player(Protocol):
    def stop(self) -> object: ...


class VoiceLike(Protocol):
    """What is common to the ``Voice`` of every driver, as far as a registry needs it."""

    @property
    def connection(self) -> VoiceConnection:
        """The state machine."""

    @property
    def closed(self) -> Closed | None:
        """How the call ended; None while it lasts."""

    @property
    def player(self) -> _Player:
        """What plays."""

    def update_voice_state(self, channel_id: int | None, session_id: str) -> None:
        """Hand in our VOICE_STATE_UPDATE."""

    def update_voice_server(self, token: str, endpoint: str | None) -> None:
        """Hand in a VOICE_SERVER_UPDATE."""

    def drain(self) -> None:
        """Carry out at once what a call of ``connection`` has asked for."""


class Voices:
    """The ``Voice`` of a driver of voicekit: it has a clock of its own, which is the caller's."""

    def is_live(self, connection: VoiceLike, /) -> bool:
        """Whether it is not closed."""
        return connection.closed is None

    def update_voice_state(
        self, connection: VoiceLike, channel_id: int | None, session_id: str, now: float, /
    ) -> None:
        """Hand it in."""
        connection.update_voice_state(channel_id, session_id)

    def update_voice_server(
        self, connection: VoiceLike, token: str, endpoint: str | None, now: float, /
    ) -> None:
        """Hand it in."""
        connection.update_voice_server(token, endpoint)

    def stop(self, connection: VoiceLike, now: float, /) -> None:
        """Stop the player."""
        connection.player.stop()

    def close(self, connection: VoiceLike, now: float, /) -> None:
        """Leave the call at once; what the driver still has to tidy it does by itself."""
        connection.connection.close(now)
        connection.drain()
