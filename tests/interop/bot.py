"""discord.py in a process of its own, in a call that a test names."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from ..independent.certificates import Certificates
from ..independent.process import ServerProcess
from ..independent.raw_client import CHANNEL_ID, SERVER_ID

CLIENT = Path(__file__).with_name("discordpy_client.py")
BOT = 2001
TIMEOUT = 90


class Bot:
    """One run of discordpy_client.py."""

    def __init__(self, python: Path, authority: Path, server: ServerProcess, **task: Any) -> None:
        self._task = {
            "endpoint": server.endpoint,
            "server_id": SERVER_ID,
            "channel_id": CHANNEL_ID,
            "user_id": BOT,
            "session_id": "discord.py session",
            "token": "token",
            "frames": 100,
            "size": 160,
            "pause": 0,
            "listen": False,
            "encrypted": False,
            "linger": 0,
            "server_first": False,
            **task,
        }
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        environment["SSL_CERT_FILE"] = str(authority)
        self._log = ""
        self._process = subprocess.Popen(
            [str(python), str(CLIENT), json.dumps(self._task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self) -> "Bot":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._log:
            self._process.kill()
            self._log = self._process.communicate()[1]
        print(self._log)  # for what pytest shows of a failed test

    def wait_connected(self) -> None:
        """Wait until it is in the call."""
        assert self._process.stdout is not None
        assert json.loads(self._process.stdout.readline()) == {"event": "connected"}

    def result(self, *, complaints: bool = False) -> dict[str, Any]:
        """Have it leave when done; return what it printed. Complaints are logged tracebacks."""
        output, self._log = self._process.communicate(timeout=TIMEOUT)
        assert self._process.returncode == 0
        assert ("Traceback" in self._log) == complaints
        result: dict[str, Any] = json.loads(output.splitlines()[-1])
        assert result["error"] is None
        assert result["unsent"] == 0
        return result


def tls(files: Certificates) -> tuple[str, ...]:
    return "--tls-cert", str(files.certificate), "--tls-key", str(files.key)
