"""The pacer: sends frames when they are due, in a thread that user code can not starve."""

from ._lateness import Histogram
from ._notifier import Notifier
from ._stream import MAX_DEPTH, Stream
from .events import Finished, KeyExhausted, SocketFailed, StreamEvent, Underrun
from .pacer import Pacer, process_pacer
from .policy import LatePolicy, StreamState
from .stats import Lateness, PacerStats, SendStats

__all__ = [
    "MAX_DEPTH",
    "Finished",
    "Histogram",
    "KeyExhausted",
    "LatePolicy",
    "Lateness",
    "Notifier",
    "Pacer",
    "PacerStats",
    "SendStats",
    "SocketFailed",
    "Stream",
    "StreamEvent",
    "StreamState",
    "Underrun",
    "process_pacer",
]
