"""The loopback voice server in a process of its own, which does not open media.

Commands: ``stats``; ``arrivals`` with ``streams``: SSRC to first sequence number and deadline.
The end of stdin ends it.
"""

import gc
import json
import sys
import time
from functools import partial
from typing import Any

import trio

from voicekit.net._relay import Relay
from voicekit.server import ServerConfig
from voicekit.trio import Listening, Network, serve
from voicekit.trio.network import Datagrams

from .arrivals import ClockOffset, lateness, quantiles
from .process import pin, say

CHANNEL_ID = 2000


class LoggingNetwork(Network):
    """Sockets whose relay notes down when each packet came."""

    def __init__(self, log: int) -> None:
        self._log = log
        self.logging: Relay

    def relay(self, sock: Datagrams) -> Relay:
        """Return a relay with a log."""
        self.logging = Relay(sock.fileno(), self._log)
        return self.logging


async def main(arguments: dict[str, Any]) -> None:
    """Serve until stdin ends."""
    clock = ClockOffset()
    network = LoggingNetwork(arguments.get("log", 0))
    config = ServerConfig(
        media=arguments["media"],
        dave=arguments.get("dave", "on"),
        default_channel_id=CHANNEL_ID,
        max_sessions=1 << 20,
        max_strangers=1 << 16,
    )
    async with trio.open_nursery() as nursery:
        listening: Listening = await nursery.start(partial(serve, network=network), config)
        say({"url": listening.url})
        async for line in trio.wrap_file(sys.stdin):
            command = json.loads(line)
            if command["command"] == "stats":
                say(_stats(listening))
            elif command["command"] == "arrivals":
                streams = {int(ssrc): first for ssrc, first in command["streams"].items()}
                say(
                    quantiles(
                        lateness(network.logging.arrivals(), streams, clock, command["window"])
                    )
                )
        nursery.cancel_scope.cancel()


def _stats(listening: Listening) -> dict[str, Any]:
    sessions = listening.server.stats()
    return {
        "sessions": sum(session.state != "ended" for session in sessions),
        "encrypted": sum(session.dave_version > 0 for session in sessions),
        "received": sum(session.media_received for session in sessions),
        "passed": sum(session.media_passed for session in sessions),
        "cpu": time.process_time(),
    }


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    pin(given["core"])
    gc.freeze()
    trio.run(main, given)
