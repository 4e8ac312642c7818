"""Run the plain server, or any voice server that prints the same lines, in a process."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PLAIN = (sys.executable, str(Path(__file__).with_name("server.py")), "--json")
OURS = (sys.executable, "-m", "voicekit", "serve", "--json")

#: Generous: the machine may be busy. A server that is well needs a fraction of a second.
TIMEOUT = 30.0


class ServerProcess:
    """A voice server on loopback, from ``with`` to the end of its block.

    ``endpoint``, ``url``, ``udp_port`` (and ``ca_file`` with ``--tls``) are its first line.
    `stop` ends it and returns its sessions' counts; what it wrote on stderr is an error.
    """

    def __init__(self, *flags: str, command: Sequence[str] = PLAIN) -> None:
        self._command = [*command, *flags]
        self._last: dict[str, Any] | None = None

    def __enter__(self) -> Self:
        # Without PYTHONPATH: what the plain server imports must not depend on it.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        if self._command[1] == "-m":
            root = Path(__file__).parents[2]
            environment["PYTHONPATH"] = str(root)
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._watchdog = threading.Timer(TIMEOUT, self._process.kill)
        self._watchdog.start()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self._watchdog.cancel()
        if not line:
            _, errors = self._process.communicate(timeout=TIMEOUT)
            raise AssertionError(f"the server did not start: {errors}")
        first = json.loads(line)
        self.endpoint: str = first["endpoint"]
        self.url: str = first["url"]
        self.udp_port: int = first["udp_port"]
        self.ca_file: str | None = first.get("ca_file")
        return self

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def stop(self) -> list[dict[str, Any]]:
        """End the server; return the sessions of its stats line."""
        sessions: list[dict[str, Any]] = self.last_line()["sessions"]
        return sessions

    def last_line(self) -> dict[str, Any]:
        """End the server; return its stats line."""
        if self._last is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                output, errors = self._process.communicate(timeout=TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.communicate()
                raise
            assert not errors, errors
            self._last = json.loads(output.splitlines()[-1])
            assert self._last is not None
            assert self._last["event"] == "stats"
        return self._last

    def session_of(self, user_id: int) -> dict[str, Any]:
        """Stop, and return the last session of ``user_id``."""
        return [s for s in self.stop() if int(s["user_id"]) == user_id][-1]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.stop()
        elif self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
