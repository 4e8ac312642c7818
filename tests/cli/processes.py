"""Run voicekit's command line, and the independent server, as processes of their own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0


class Served:
    """A running server: what its first line said, and after `stop` what its last did."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else "no output"
        self.listening: dict[str, Any] = json.loads(line)
        self.sessions: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return str(self.listening["url"])

    @property
    def endpoint(self) -> str:
        return str(self.listening["endpoint"])

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=DEADLINE)
        assert self.process.returncode == 0, err
        last = json.loads(out.splitlines()[-1])
        assert last["event"] == "stats"
        self.sessions = last["sessions"]

    def session(self, user_id: int) -> dict[str, Any]:
        """The session of a user; where it had several, the last."""
        return [s for s in self.sessions if int(s["user_id"]) == user_id][-1]


def environment(**extra: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **extra}


def voicekit(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "voicekit", *map(str, arguments)]


def start(*arguments: object, **extra: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        voicekit(*arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**extra),
    )


def run(
    *arguments: object, stdin: str = "", cwd: Path | None = None, **extra: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        voicekit(*arguments),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        cwd=cwd,
        env=environment(**extra),
    )


def finish(process: "subprocess.Popen[str]", timeout: float = DEADLINE) -> list[dict[str, Any]]:
    """Wait for a command with --json that must succeed; return its events."""
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, err + out
    return events(out)


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@contextmanager
def served(*arguments: object) -> Iterator[Served]:
    """``voicekit serve --json``, ended with SIGTERM."""
    yield from _served(voicekit("serve", "--json", *arguments))


@contextmanager
def independently_served(*arguments: object) -> Iterator[Served]:
    """The independent server, which shares no code with voicekit."""
    script = ROOT / "tests" / "independent" / "server.py"
    yield from _served([sys.executable, str(script), "--json", *map(str, arguments)])


def _served(command: list[str]) -> Iterator[Served]:
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        server = Served(process)
        yield server
        if process.poll() is None:
            server.stop()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def call_flags(endpoint: str, user_id: int, **more: object) -> list[object]:
    """The flags that name a call."""
    flags: list[object] = [
        *("--endpoint", endpoint, "--server-id", 100, "--channel-id", 200),
        *("--user-id", user_id, "--session-id", f"session-{user_id}", "--token", "secret-token"),
        "--json",
    ]
    for name, value in more.items():
        flags += [f"--{name.replace('_', '-')}", value]
    return flags
