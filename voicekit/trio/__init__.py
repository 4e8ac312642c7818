"""The runner: sockets, clock and tasks around the sans-I/O core, in trio.

`connect` joins a call, `serve` runs the loopback voice server.
"""

from .network import Datagrams, Network
from .server import Listening, serve
from .streams import EventStream, FrameStream
from .voice import Voice, connect

__all__ = [
    "Datagrams",
    "EventStream",
    "FrameStream",
    "Listening",
    "Network",
    "Voice",
    "connect",
    "serve",
]
