"""A bot of one library in a process of its own, told what to do line by line."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from voicekit.testing import Guild

from .libraries import Library

ROOT = Path(__file__).parents[3]
#: Longer than any command takes that works.
PATIENCE = 30.0


class BotFailed(Exception):
    """A command raised in the bot: its type, the names of its bases, its text."""

    def __init__(self, kind: str, bases: list[str], text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.bases = bases


class Bot:
    """A running script of `bots`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, command: str, **arguments: Any) -> Any:
        """Have it do something and return the answer. Raises `BotFailed`, `TimeoutError`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": command, **arguments}).encode() + b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE)
        assert line, f"the bot died of {command}"
        answer = json.loads(line)
        if "error" in answer:
            raise BotFailed(answer["error"], answer["bases"], answer["text"])
        return answer["ok"]


def task_of(guild: Guild, **more: Any) -> dict[str, Any]:
    """Return what a script of `bots` is told."""
    return {
        "rest_url": guild.rest_url,
        "gateway_url": guild.gateway_url,
        "token": guild.token,
        "guild_id": guild.id,
        **more,
    }


def environment() -> dict[str, str]:
    """Return the environment variables of a script of `bots`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONPATH": str(ROOT)}


@asynccontextmanager
async def run_bot(
    python: Path, library: Library, guild: Guild, log: Path, **variables: str
) -> AsyncIterator[Bot]:
    """Run a library's bot on a guild's gateway for the length of the block; not logged in.

    ``variables`` are added to its environment.
    """
    with log.open("w") as stderr:
        process = await asyncio.create_subprocess_exec(
            str(python),
            str(library.script),
            json.dumps(task_of(guild)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env={**environment(), **variables},
        )
        try:
            yield Bot(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()  # closes the pipes, too
