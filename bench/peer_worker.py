"""The worker's side of `bench.peer_process`, for peers in Python. Standard library only."""

import json
import sys
import traceback
from collections.abc import Callable, Mapping

__all__ = ["serve"]


def serve(
    peer: str,
    version: str,
    work: Mapping[str, Callable[[int], float]],
    lacks: Mapping[str, str] | None = None,
) -> None:
    """Do what is asked on stdin until it ends.

    ``work`` has for each name of `peer_process.WORK` a function that does it n times and
    returns the seconds; ``lacks`` says why others are missing.
    """
    # What a library prints must not get between the lines.
    out, sys.stdout = sys.stdout, sys.stderr

    def say(**members: object) -> None:
        print(json.dumps(members), file=out, flush=True)

    say(peer=peer, version=version, work=list(work), lacks=dict(lacks or {}))
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            say(seconds=work[asked["run"]](asked["n"]))
        except Exception as error:
            traceback.print_exc()
            say(error=f"{type(error).__name__}: {error}")
