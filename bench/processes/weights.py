"""What one of something weighs: makes many, keeps them, and sees how the process has grown.

Arguments: ``what`` (a key of `KINDS`) and ``count``. Prints ``bytes``, of one.
"""

import gc
import json
import socket
import sys
from collections.abc import Callable
from typing import Any

from voicekit._crypto import available_modes
from voicekit._session import RtpSession
from voicekit.pacer import Pacer
from voicekit.testing import Pair

from .memory import resident
from .process import pin, say
from .senders import PAYLOAD

#: Of each kind, before it is weighed: caches, and what the first one loads.
WARM_UP = 4


def session() -> RtpSession:
    """Return a session with a key, which has sent a packet."""
    made = RtpSession(1)
    made.set_key(available_modes()[0], bytes(32))
    made.seal(PAYLOAD)
    return made


def connections(*, dave: bool) -> list[Any]:
    """Return the two ends of a call, and let go of the server and all else."""
    pair = Pair(clients=2, dave=dave)
    pair.connect()
    for client in pair.clients:
        pair.play(client, 3)
    pair.drive(5.0)
    made = [client.connection for client in pair.clients]
    assert all(connection.is_encrypted == dave for connection in made)
    return made


def stream(pacer: Pacer, sock: socket.socket, depth: float) -> Any:
    """Return a stream with a full ring; its session weighs, too, and is taken off later."""
    made = pacer.add(session(), sock, depth=depth)
    made.pause()
    made.fill(lambda: PAYLOAD)
    return made


def kinds() -> dict[str, Callable[[], Any]]:
    """Return how to make each kind; some return several, as a list."""
    pacer = Pacer()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(("127.0.0.1", 9))
    return {
        "RtpSession": session,
        "VoiceConnection": lambda: connections(dave=False),
        "VoiceConnection in a group": lambda: connections(dave=True),
        "stream": lambda: stream(pacer, sock, 0.1),
        "stream of a second": lambda: stream(pacer, sock, 1.0),
    }


def weigh(make: Callable[[], Any], count: int) -> float:
    """Return by how many bytes the process grows with each."""
    kept = [make() for _ in range(WARM_UP)]
    gc.collect()
    before = resident()
    number = 0
    while number < count:
        made = make()
        kept.append(made)
        number += len(made) if isinstance(made, list) else 1
    gc.collect()
    return (resident() - before) / number


def main(arguments: dict[str, Any]) -> None:
    """Weigh one kind."""
    pin(arguments["core"])
    say({"bytes": weigh(kinds()[arguments["what"]], arguments["count"])})


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
