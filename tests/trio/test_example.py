"""examples/trio_play.py and examples/many_cores.py, run as a user would."""

import os
import signal
import subprocess
import sys
import wave
from functools import partial
from pathlib import Path

import pytest
import trio

from .calls import account, running_server, until

ROOT = Path(__file__).parents[2]
USER = 3


def sound(path: Path, seconds: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(
            b"".join((n * 37 % 8000).to_bytes(2, "little") for n in range(48_000)) * seconds
        )
    return path


@pytest.fixture
def second_of_sound(tmp_path: Path) -> Path:
    return sound(tmp_path / "second.wav", 1)


def command(path: Path, url: str) -> list[str]:
    return [sys.executable, str(ROOT / "examples" / "trio_play.py"), str(path), url]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_it_plays_a_file_to_its_end(second_of_sound: Path) -> None:
    async def main() -> None:
        with trio.fail_after(60):
            async with running_server() as listening:
                run = await trio.run_process(
                    command(second_of_sound, listening.url),
                    env=environment(),
                    capture_stdout=True,
                    capture_stderr=True,
                )
                assert (run.stdout, run.stderr) == (b"", b"")
                said = account(listening, USER)
                # Silence in between, too, where the machine was late.
                assert (said.frames_clear, said.packets_bad) == (50, {})
                assert said.frames_silence >= 5
                assert said.close_code == 1000

    trio.run(main)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is another thing there")
def test_ctrl_c_leaves_the_call_properly(tmp_path: Path) -> None:
    long = sound(tmp_path / "long.wav", 30)

    async def main() -> None:
        with trio.fail_after(60):
            async with running_server() as listening, trio.open_nursery() as nursery:
                run = partial(
                    trio.run_process,
                    command(long, listening.url),
                    env=environment(),
                    check=False,
                    stderr=subprocess.DEVNULL,
                    # Started in the background, a shell's children ignore Ctrl-C; not this one.
                    preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
                )
                process = await nursery.start(run)
                stats = listening.server.stats
                await until(lambda: any(session.packets_valid >= 10 for session in stats()))
                process.send_signal(signal.SIGINT)
                await process.wait()
                assert process.returncode != 0
                said = account(listening, USER)
                assert 15 <= said.packets_valid < 30 * 50
                assert said.packets_bad == {}
                assert said.close_code == 1000

    trio.run(main)


def test_many_calls_play_on_several_cores(second_of_sound: Path) -> None:
    script = str(ROOT / "examples" / "many_cores.py")

    async def main() -> None:
        with trio.fail_after(60):
            async with running_server() as listening:
                run = await trio.run_process(
                    [sys.executable, script, str(second_of_sound), listening.url, "3"],
                    env=environment(),
                    capture_stdout=True,
                )
                said = sorted(run.stdout.decode().splitlines())
                assert said == [f"user {user} played 50 frames" for user in (1, 2, 3)]
                stats = listening.server.stats
                await until(lambda: [one.close_code for one in stats()] == [1000] * 3)
                assert [one.frames_clear for one in stats()] == [50] * 3
                assert all(one.frames_silence >= 5 for one in stats())

    trio.run(main)
