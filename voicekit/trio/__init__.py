"""The runner: sockets, clock and tasks around the sans-I/O core, in trio.

`connect` joins a call, `run_workers` spreads calls over processes, `serve` runs the loopback
voice server.
"""

from ..driver.live import LiveStream
from ..driver.recordings import record
from ..driver.streams import EventStream, FrameStream
from .network import Datagrams, Network
from .server import Listening, serve
from .voice import Voice, connect
from .workers import Workers, run_workers

__all__ = [
    "Datagrams",
    "EventStream",
    "FrameStream",
    "Listening",
    "LiveStream",
    "Network",
    "Voice",
    "Workers",
    "connect",
    "record",
    "run_workers",
    "serve",
]
