"""Whole programs on the libraries: the example bots, and one that dies in a call."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.media.files import wav
from tests.signals.calls import RATE, sine
from voicekit.media import open_source
from voicekit.testing import Guild, guild, opus_frame

from ..environment import python_with
from .libraries import BOTS, LIBRARIES
from .process import environment, task_of

pytestmark = pytest.mark.interop

PATIENCE = 30.0
#: Their modules, and those of their adapters.
MODULES = {
    "discord.py": ("discord", "discordpy"),
    "py-cord": ("discord", "pycord"),
    "disnake": ("disnake", "disnake"),
    "nextcord": ("nextcord", "nextcord"),
    "hikari": ("hikari", "hikari"),
    "interactions.py": ("interactions", "interactions"),
}


def python_of(environments: Path, name: str) -> Path:
    (library,) = [one for one in LIBRARIES if one.name == name]
    return python_with(environments / library.folder, *library.requirements)


@asynccontextmanager
async def running(
    python: Path, script: str, made: Guild, *arguments: object, **task: Any
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        str(python),
        str(BOTS / script),
        json.dumps(task_of(made, **task)),
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("name", MODULES)
def test_a_host_that_dies_leaves_no_thread_and_no_socket(environments: Path, name: str) -> None:
    python = python_of(environments, name)
    library, adapter = MODULES[name]

    async def main() -> None:
        async with guild() as made:
            task = {"library": library, "adapter": adapter}
            task["channel_id"] = made.channel_id("General")
            async with running(python, "dying_host.py", made, **task) as process:
                output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        report = json.loads(output.splitlines()[-1])
        assert report["alive"][1] >= 2  # the WebSocket and the UDP socket: the count does count
        assert report["dead"] == [[], 0]
        assert report["after"] == "None"
        assert report["cleaned up"]
        assert report["recorded"]
        assert process.returncode == 0

    asyncio.run(main())


GREETERS = {"discord.py": "greeter_discordpy.py", "interactions.py": "greeter_interactions.py"}


@pytest.mark.parametrize("name", GREETERS)
def test_the_greeter(environments: Path, tmp_path: Path, name: str) -> None:
    python, library = python_of(environments, name), MODULES[name][0]
    greeting, folder = tmp_path / "greeting.wav", tmp_path / "recorded"
    greeting.write_bytes(wav(sine(500, 0, RATE // 2)))
    folder.mkdir()

    async def main() -> str:
        async with guild() as made:
            task = {"library": library, "example": GREETERS[name]}
            async with running(python, "run_example.py", made, greeting, folder, **task) as process:
                await made.logged_in(within=PATIENCE)
                async with made.speaker("alice", "General") as alice:
                    await made.joined("General")
                    heard = await alice.listen(20)
                    assert all(frame.e2ee for frame in heard)
                    await alice.encrypted()
                    await alice.talk(0.5)
                    await asyncio.sleep(0.3)
                await made.left()
                assert process.stdout is not None
                line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
                assert line.startswith(f"user {alice.user_id}".encode())
                if name == "discord.py":  # the other one hangs when it is stopped, without us too
                    process.send_signal(signal.SIGINT)
                    await asyncio.wait_for(process.wait(), PATIENCE)
        return line.decode().strip().rpartition(" in ")[2]

    recorded = open_source(Path(asyncio.run(main())))
    assert recorded.duration == pytest.approx(0.5, abs=0.15)
    recorded.close()


@pytest.mark.parametrize("name", ["py-cord"])
def test_the_recorder(environments: Path, name: str) -> None:
    python = python_of(environments, name)

    async def main() -> None:
        async with guild() as made:
            task = {"library": "discord", "example": "recorder_pycord.py"}
            where = made.channel_id("General")
            async with made.speaker("alice", "General") as alice:
                talks = asyncio.ensure_future(alice.talk(20.0))
                async with running(python, "run_example.py", made, where, 0.5, **task) as process:
                    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
                talks.cancel()
            assert output.decode().split(":")[0] == f"user {alice.user_id} in General"
            await made.left()

    asyncio.run(main())


def test_the_parrot(environments: Path) -> None:
    python = python_of(environments, "hikari")

    async def main() -> None:
        async with guild() as made:
            task = {"library": "hikari", "example": "parrot_hikari.py"}
            where = made.id, made.channel_id("General")
            async with (
                made.speaker("alice", "General") as alice,
                running(python, "run_example.py", made, *where, **task) as process,
            ):
                await made.joined("General", within=PATIENCE)
                await alice.encrypted()
                said = [opus_frame(n) for n in range(25)]
                await alice.play(Packets(said))
                heard = await alice.listen(25)
                assert [frame.opus for frame in heard] == said
                assert all(frame.e2ee for frame in heard)
                process.send_signal(signal.SIGINT)
                await asyncio.wait_for(process.wait(), PATIENCE)
            await made.left()

    asyncio.run(main())


class Packets:
    """What somebody says."""

    blocking = False

    def __init__(self, packets: list[bytes]) -> None:
        self._left = iter(packets)

    def read(self) -> bytes | None:
        return next(self._left, None)
