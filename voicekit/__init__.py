"""Low-level voice protocol toolkit for Discord-style voice.

The sans-I/O core is here; importing it loads no event loop, no media library and no Opus.

    VoiceConnection   a whole call: gateway, discovery, RTP, transport encryption
    Join              the host's two gateway events into a VoiceServerInfo
    Registry          the connections of all guilds and channels, for hosts without a framework
    Gateway           the voice gateway alone
    RtpSession        RTP framing and transport encryption alone
    IpDiscovery       IP discovery alone
    JitterBuffer      received frames in order and in time

Rooms beside it: ``voicekit.trio`` (the runner), ``voicekit.media`` (files),
``voicekit.server`` (the loopback voice server), ``voicekit.testing`` (virtual clock, bad
network, transcripts).

Names are loaded when they are first used, since pytest imports this package in every run of
everybody who has its plugin installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import codes, errors, events, outputs
    from ._crypto import available_modes
    from ._frame import AudioFrame
    from ._gateway import Gateway
    from ._jitter import JitterBuffer, Lost
    from ._session import RtpSession
    from .close_codes import ClosePolicy, close_code
    from .codes import SILENCE_FRAME, DropReason, Opcode, SpeakingFlags
    from .config import Config, JitterConfig
    from .connection import VoiceConnection
    from .dave import DaveSession, Passthrough
    from .discovery import IpDiscovery
    from .errors import LocalProtocolError, VoicekitError
    from .gateway_states import GatewayState
    from .join import Join
    from .registry import Registry
    from .server_info import VoiceServerInfo
    from .stats import ConnectionStats, JitterStats, StreamStats

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
    "JitterBuffer",
    "JitterConfig",
    "JitterStats",
    "Join",
    "LocalProtocolError",
    "Lost",
    "Opcode",
    "Passthrough",
    "Registry",
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

_MODULES = frozenset({"codes", "errors", "events", "outputs"})
_HOMES = {
    "AudioFrame": "_frame",
    "ClosePolicy": "close_codes",
    "Config": "config",
    "ConnectionStats": "stats",
    "DaveSession": "dave",
    "DropReason": "codes",
    "Gateway": "_gateway",
    "GatewayState": "gateway_states",
    "IpDiscovery": "discovery",
    "JitterBuffer": "_jitter",
    "JitterConfig": "config",
    "JitterStats": "stats",
    "Join": "join",
    "LocalProtocolError": "errors",
    "Lost": "_jitter",
    "Opcode": "codes",
    "Passthrough": "dave",
    "Registry": "registry",
    "RtpSession": "_session",
    "SILENCE_FRAME": "codes",
    "SpeakingFlags": "codes",
    "StreamStats": "stats",
    "VoiceConnection": "connection",
    "VoiceServerInfo": "server_info",
    "VoicekitError": "errors",
    "available_modes": "_crypto",
    "close_code": "close_codes",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
    return value


def __dir__() -> list[str]:
    return __all__
