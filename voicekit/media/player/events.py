"""What a player reports. Past tense: it has happened, or is on its way to the receivers."""

import enum

import msgspec

from ..sources import Frames

__all__ = [
    "CallbackFailed",
    "Continued",
    "EndReason",
    "Interrupted",
    "Paused",
    "PlayerEvent",
    "QueueEnded",
    "Resumed",
    "SourceFailed",
    "Stalled",
    "TrackEnded",
    "TrackStarted",
]


class EndReason(enum.Enum):
    """Why a track has ended."""

    FINISHED = "finished"  #: the source had no more
    FAILED = "failed"  #: the source raised, or gave nothing for too long
    STOPPED = "stopped"  #: `stop`, or who waited for its end was cancelled
    SKIPPED = "skipped"  #: `skip`
    REPLACED = "replaced"  #: `play`, or another `source`
    CALL_ENDED = "call ended"


class TrackStarted(msgspec.Struct, frozen=True):
    """The first frame of a source was sent."""

    source: Frames


class TrackEnded(msgspec.Struct, frozen=True):
    """The last frame of a source was sent, or none will be any more."""

    #: What was given to play where it could not be opened.
    source: object
    reason: EndReason
    error: Exception | None = None


class SourceFailed(msgspec.Struct, frozen=True):
    """A source could not be opened or read. Its `TrackEnded` follows; the queue goes on.

    So is one in a `Mixer`, which goes on without it.
    """

    source: object
    error: Exception


class Stalled(msgspec.Struct, frozen=True):
    """A source had no frame when one was due: silence goes out until it has.

    So for one in a `Mixer`, whose others go on.
    """

    source: object


class Paused(msgspec.Struct, frozen=True):
    """`pause` was called."""


class Resumed(msgspec.Struct, frozen=True):
    """`resume` was called."""


class Interrupted(msgspec.Struct, frozen=True):
    """The call moves, reconnects, or a new session is made. Nothing gets lost: see `Continued`."""

    why: str
    #: Whether nothing is sent meanwhile. While only the WebSocket is resumed the audio goes on.
    is_silent: bool


class Continued(msgspec.Struct, frozen=True):
    """The call is whole again after `Interrupted`; it goes on with the frame that was next."""


class QueueEnded(msgspec.Struct, frozen=True):
    """Nothing is left to play, and the silence after it is out."""


class CallbackFailed(msgspec.Struct, frozen=True):
    """A callback of yours (``after``) raised."""

    error: Exception


PlayerEvent = (
    TrackStarted
    | TrackEnded
    | SourceFailed
    | Stalled
    | Paused
    | Resumed
    | Interrupted
    | Continued
    | QueueEnded
    | CallbackFailed
)
