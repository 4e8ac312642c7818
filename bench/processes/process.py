"""A process beside the one that measures: started on one core, asked by JSON lines."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..options import CHECKOUT

__all__ = ["Process", "core_pair", "pin", "say", "started"]

#: Anything asked is answered within this long, in seconds: the longest run and its start.
PATIENCE = 600.0


class Process:
    """``python -m module`` with arguments. Each line it prints is an answer."""

    def __init__(self, module: str, core: int | None, arguments: dict[str, Any]) -> None:
        command = [sys.executable, "-m", module, json.dumps({"core": core} | arguments)]
        self._popen = subprocess.Popen(
            command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def answer(self) -> dict[str, Any]:
        """Wait for the next line. Raises `RuntimeError` when the process has ended."""
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        if not line:
            code = self._popen.wait()
            raise RuntimeError(f"{self._popen.args!r} ended with code {code}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, command: str, **members: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(json.dumps({"command": command} | members) + "\n")
        self._popen.stdin.flush()
        return self.answer()

    def end(self) -> None:
        """Close its stdin, which ends it, and wait."""
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.close()
        try:
            self._popen.wait(10)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._popen.stdout.close()


@contextmanager
def started(module: str, core: int | None, **arguments: Any) -> Iterator[Process]:
    """Run a process for the length of the block."""
    process = Process(module, core, arguments)
    try:
        yield process
    finally:
        process.end()


def pin(core: int | None) -> None:
    """Keep this process, all threads to come, on one core; None: where it likes."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def say(answer: dict[str, Any]) -> None:
    """Answer, in a process that was started."""
    print(json.dumps(answer), flush=True)


def core_pair() -> tuple[int | None, int | None]:
    """Return the core to be measured and another one for everybody else; None: any."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    cores = sorted(os.sched_getaffinity(0))
    return cores[-1], cores[0]
