"""Run voicekit's command line as processes of their own."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.independent.process import OURS, ServerProcess
from voicekit.errors import MediaError
from voicekit.media import read_manifest

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0


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


def finish(
    process: "subprocess.Popen[str]", timeout: float = DEADLINE, code: int = 0
) -> list[dict[str, Any]]:
    """Wait for a command with --json that must end with ``code``; return its events."""
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == code, err + out
    return events(out)


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def wait_recorded(directory: Path, user_id: int, frames: int, patience: float = DEADLINE) -> None:
    """Wait until ``voicekit record`` knows of so many frames of a user; it says so every second."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        tracks = []
        with suppress(MediaError):  # it has not begun
            tracks = read_manifest(directory).tracks
        if any(one.user_id == user_id and one.frames + one.lost >= frames for one in tracks):
            return
        time.sleep(0.05)


def served(*flags: object) -> ServerProcess:
    """``voicekit serve --json``, for a ``with`` block."""
    return ServerProcess(*map(str, flags), command=OURS)


def independently_served(*flags: object) -> ServerProcess:
    """The independent server, which shares no code with voicekit."""
    return ServerProcess(*map(str, flags))


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
