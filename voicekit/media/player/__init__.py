"""The player: sources in, Opus frames out, without an event loop, a thread or a clock."""

from .engine import Engine, Ring
from .events import (
    CallbackFailed,
    Continued,
    EndReason,
    Interrupted,
    Paused,
    PlayerEvent,
    QueueEnded,
    Resumed,
    SourceFailed,
    Stalled,
    TrackEnded,
    TrackStarted,
)
from .queue import Queue
from .track import After, Track

__all__ = [
    "After",
    "CallbackFailed",
    "Continued",
    "EndReason",
    "Engine",
    "Interrupted",
    "Paused",
    "PlayerEvent",
    "Queue",
    "QueueEnded",
    "Resumed",
    "Ring",
    "SourceFailed",
    "Stalled",
    "Track",
    "TrackEnded",
    "TrackStarted",
]
