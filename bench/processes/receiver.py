"""Receives what others send and notes down when the kernel had it.

Commands: ``sources`` with ``addresses``; ``arrivals`` with ``streams``: SSRC to first sequence
number and deadline. The end of stdin ends it.
"""

import json
import socket
import sys
import threading
from typing import Any

from voicekit.net._relay import Relay

from .arrivals import ClockOffset, lateness, quantiles
from .process import pin, say

#: Of the kernel: half a second of 5 000 streams, should this process be held up.
RECEIVE_BUFFER = 1 << 24


def main(arguments: dict[str, Any]) -> None:
    """Receive until stdin ends."""
    pin(arguments["core"])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    sock.bind(("127.0.0.1", 0))
    relay = Relay(sock.fileno(), arguments["log"])
    thread = threading.Thread(target=relay.run, args=(lambda strangers: None,))
    thread.start()
    clock = ClockOffset()
    routes = []
    say({"port": sock.getsockname()[1]})
    for line in sys.stdin:
        command = json.loads(line)
        if command["command"] == "sources":
            routes = [relay.add((host, port)) for host, port in command["addresses"]]
            say({"sources": len(routes)})
        elif command["command"] == "arrivals":
            streams = {int(ssrc): first for ssrc, first in command["streams"].items()}
            received = sum(route.received for route in routes)
            say(quantiles(lateness(relay.arrivals(), streams, clock)) | {"received": received})
    relay.stop()
    thread.join()
    sock.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
