"""Low-level voice protocol toolkit for Discord-style voice.

The sans-I/O core is here; importing it loads no event loop, no media library and no Opus.

    VoiceConnection   a whole call: gateway, discovery, RTP, transport encryption
    Join              the host's two gateway events into a VoiceServerInfo
    Gateway           the voice gateway alone
    RtpSession        RTP framing and transport encryption alone
    IpDiscovery       IP discovery alone

Rooms beside it: ``voicekit.trio`` (the runner), ``voicekit.media`` (files),
``voicekit.server`` (the loopback voice server), ``voicekit.testing`` (virtual clock, bad
network, transcripts).
"""

from . import codes, errors, events, outputs
from ._crypto import available_modes
from ._frame import AudioFrame
from ._gateway import Gateway
from ._session import RtpSession
from .close_codes import ClosePolicy, close_code
from .codes import SILENCE_FRAME, DropReason, Opcode, SpeakingFlags
from .config import Config
from .connection import VoiceConnection
from .dave import DaveSession, Passthrough
from .discovery import IpDiscovery
from .errors import LocalProtocolError, VoicekitError
from .gateway_states import GatewayState
from .join import Join
from .server_info import VoiceServerInfo
from .stats import ConnectionStats, StreamStats

__all__ = [
    "SILENCE_FRAME",
    "AudioFrame",
    "ClosePolicy",
    "Config",
    "ConnectionStats",
    "DaveSession",
    "DropReason",
    "Gateway",
    "GatewayState",
    "IpDiscovery",
    "Join",
    "LocalProtocolError",
    "Opcode",
    "Passthrough",
    "RtpSession",
    "SpeakingFlags",
    "StreamStats",
    "VoiceConnection",
    "VoiceServerInfo",
    "VoicekitError",
    "available_modes",
    "close_code",
    "codes",
    "errors",
    "events",
    "outputs",
]
