"""The loopback voice server, without sockets: a whole voice server for tests.

`VoiceServer` is the core; ``voicekit.trio.serve`` and ``voicekit serve`` give it sockets,
`voicekit.testing.Pair` a virtual clock.
"""

from .config import EXTENSIONS, ServerConfig
from .fault_specs import KINDS, MALFORMED, Fault, FaultKind, Impairment, parse_fault
from .judge import BadReason
from .outputs import (
    CloseWebSocket,
    DropWebSocket,
    HostVoiceServer,
    HostVoiceState,
    SendBinary,
    SendDatagram,
    SendText,
    ServerEvent,
    ServerOutput,
    SessionEnded,
    SessionResumed,
    SessionStarted,
)
from .server import VoiceServer
from .stats import CallStats, ServerStats, SessionStats

__all__ = [
    "EXTENSIONS",
    "KINDS",
    "MALFORMED",
    "BadReason",
    "CallStats",
    "CloseWebSocket",
    "DropWebSocket",
    "Fault",
    "FaultKind",
    "HostVoiceServer",
    "HostVoiceState",
    "Impairment",
    "SendBinary",
    "SendDatagram",
    "SendText",
    "ServerConfig",
    "ServerEvent",
    "ServerOutput",
    "ServerStats",
    "SessionEnded",
    "SessionResumed",
    "SessionStarted",
    "SessionStats",
    "VoiceServer",
    "parse_fault",
]
