"""The test kit: voice without Discord, without sockets, without waiting.

`Pair`            clients and the voice server on a virtual clock
`Link`            a seeded bad network, one direction
`make_trace`      when which packet of a stream arrives, for jitter buffers
`record`, `replay`   a session as JSON lines, without its secrets, and back
`LoopbackServer`  the real server in a thread; as a pytest fixture it is ``voice_server``
`guild`           a guild that bots of real libraries log in to; as a fixture ``voice_guild``
`MainGateway`     what is behind it: main gateway, REST interface and voice servers

Names are loaded when they are first used: pytest imports the plugin, and with it this
module, in every run of everybody who has voicekit installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voicekit.link import Burst, Link, LinkStats
    from voicekit.testing.client import Client, opus_frame
    from voicekit.testing.guilds import Guild, guild
    from voicekit.testing.loopback import LoopbackServer
    from voicekit.testing.main_gateway import MainGateway
    from voicekit.testing.pair import Pair
    from voicekit.testing.speaker import Speaker
    from voicekit.testing.story import DriveFailed
    from voicekit.testing.traces import TRACES, Trace, TracePacket, make_trace
    from voicekit.testing.transcript import Difference, record, replay

__all__ = [
    "TRACES",
    "Burst",
    "Client",
    "Difference",
    "DriveFailed",
    "Guild",
    "Link",
    "LinkStats",
    "LoopbackServer",
    "MainGateway",
    "Pair",
    "Speaker",
    "Trace",
    "TracePacket",
    "guild",
    "make_trace",
    "opus_frame",
    "record",
    "replay",
]

_HOMES = {
    "TRACES": "voicekit.testing.traces",
    "Trace": "voicekit.testing.traces",
    "TracePacket": "voicekit.testing.traces",
    "make_trace": "voicekit.testing.traces",
    "Burst": "voicekit.link",
    "Client": "voicekit.testing.client",
    "Difference": "voicekit.testing.transcript",
    "DriveFailed": "voicekit.testing.story",
    "Guild": "voicekit.testing.guilds",
    "Link": "voicekit.link",
    "LinkStats": "voicekit.link",
    "LoopbackServer": "voicekit.testing.loopback",
    "MainGateway": "voicekit.testing.main_gateway",
    "Pair": "voicekit.testing.pair",
    "Speaker": "voicekit.testing.speaker",
    "guild": "voicekit.testing.guilds",
    "opus_frame": "voicekit.testing.client",
    "record": "voicekit.testing.transcript",
    "replay": "voicekit.testing.transcript",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return __all__
