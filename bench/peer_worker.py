"""The worker's side of `bench.peer_process`, for peers in Python. Standard library only."""

import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from timeit import Timer
from typing import Any, Protocol

__all__ = ["HEADER", "KEY", "Member", "Task", "serve"]

#: What all workers seal with, so that voicekit can open it, and the other way round.
KEY = bytes(range(32))
#: RTP, and nothing special: version 2, payload type 120, sequence 1, timestamp 960, SSRC 1.
HEADER = bytes.fromhex("80780001000003c000000001")


class Task:
    """One kind of work: a statement over ``data``, as a user of the library would write it.

    ``finish`` makes the bytes that are checked out of what the statement is worth; what it
    costs is not measured.
    """

    def __init__(
        self, code: str, finish: Callable[[Any], bytes] = bytes, /, **names: object
    ) -> None:
        self._code = code
        self._names = names
        self._finish = finish

    def check(self, data: bytes) -> bytes:
        """Do the work once on ``data``, which all runs from here on work on, too."""
        self._names["data"] = data
        return self._finish(eval(self._code, dict(self._names)))

    def run(self, n: int) -> float:
        """Do it ``n`` times; return the seconds."""
        return Timer(self._code, globals=self._names, timer=time.perf_counter).timeit(n)


class Member(Protocol):
    """An MLS group, of the peer's own library."""

    def receive(self, op: int, payload: bytes) -> list[tuple[int, bytes]]:
        """Take a message of the voice gateway; return the answers to it.

        Op 4 begins: group id and user id, eight bytes each.
        """


def serve(
    peer: str,
    version: str,
    work: Mapping[str, Task],
    lacks: Mapping[str, str] | None = None,
    member: Member | None = None,
) -> None:
    """Do what is asked on stdin until it ends.

    ``work`` has a task for each name of `peer_process.WORK` that the peer can do; ``lacks``
    says why others are missing.
    """
    # What a library prints must not get between the lines.
    out, sys.stdout = sys.stdout, sys.stderr

    def say(**members: object) -> None:
        print(json.dumps(members), file=out, flush=True)

    def answer(asked: dict[str, Any]) -> None:
        if "run" in asked:
            say(seconds=work[asked["run"]].run(asked["n"]))
        elif "check" in asked:
            say(result=work[asked["check"]].check(bytes.fromhex(asked["data"])).hex())
        else:
            assert member is not None
            answers = member.receive(asked["op"], bytes.fromhex(asked["data"]))
            say(answers=[(op, payload.hex()) for op, payload in answers])

    say(peer=peer, version=version, work=list(work), lacks=dict(lacks or {}))
    for line in sys.stdin:
        try:
            answer(json.loads(line))
        except Exception as error:
            traceback.print_exc()
            say(error=f"{type(error).__name__}: {error}")
