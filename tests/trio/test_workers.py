"""Calls in processes of their own, on real sockets."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from voicekit.config import Config
from voicekit.errors import MediaError, WorkerDied
from voicekit.server_info import VoiceServerInfo
from voicekit.trio import connect, run_workers

from .calls import Packets, account, info, numbered, running_server, until

#: Starting a process and importing voicekit there takes a second on a busy machine.
PATIENCE = 60

BOTH = ["established"] * 2
ROOT = Path(__file__).parents[2]


async def play_some(info: VoiceServerInfo, count: int) -> tuple[int, int]:
    async with connect(info, config=Config(dave=False)) as voice:
        await voice.play(Packets(numbered(count)))
        return os.getpid(), voice.frames_played


async def stay(info: VoiceServerInfo) -> None:
    async with connect(info, config=Config(dave=False)):
        await trio.sleep_forever()


async def say(what: object) -> object:
    await trio.lowlevel.checkpoint()
    return what


async def fail(error: Exception) -> None:
    await trio.lowlevel.checkpoint()
    raise error


async def die(how: int) -> None:
    await trio.lowlevel.checkpoint()
    os._exit(how)


async def die_or_say(what: str) -> str:
    if what == "die":
        os._exit(7)
    await trio.sleep(0 if what != "stay" else 1e6)
    return what


class Unpicklable(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


async def fail_unpicklable() -> None:
    await trio.lowlevel.checkpoint()
    raise Unpicklable("two", "arguments")


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_calls_are_spread_over_processes_and_their_results_come_back() -> None:
    async def main() -> None:
        results: list[tuple[int, int]] = []

        async def call(user: int) -> None:
            results.append(await workers.submit(info(listening.url, user), 5))

        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                run_workers(play_some, processes=2) as workers,
            ):
                pids = set(workers.loads)
                async with trio.open_nursery() as nursery:
                    for user in range(1, 5):
                        nursery.start_soon(call, user)
                assert set(workers.loads.values()) == {0}
                stats = listening.server.stats
                await until(lambda: [one.close_code for one in stats()] == [1000] * 4)
                assert [one.packets_valid for one in stats()] == [10] * 4
        assert [played for _, played in results] == [5] * 4
        assert {pid for pid, _ in results} == pids
        assert len(pids) == 2
        assert os.getpid() not in pids
        assert all(map(gone, pids))

    trio.run(main)


def test_what_a_call_raises_is_raised_where_it_was_submitted_with_its_traceback() -> None:
    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with run_workers(fail, processes=1) as workers:
                with pytest.raises(MediaError, match="cut off") as caught:
                    await workers.submit(MediaError("the file is cut off"))
                assert "in fail" in caught.value.__notes__[0]
                with pytest.raises(TypeError, match="argument"):
                    await workers.submit()  # type: ignore[call-arg]
            async with run_workers(fail_unpicklable, processes=1) as workers:
                with pytest.raises(Exception, match="Unpicklable: two arguments"):
                    await workers.submit()

    trio.run(main)


def test_what_cannot_be_pickled_is_refused_and_the_worker_goes_on() -> None:
    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with run_workers(say, processes=1) as workers:
                pids = set(workers.loads)
                with pytest.raises((AttributeError, TypeError)):
                    await workers.submit(lambda: None)
                assert await workers.submit("there") == "there"
                assert set(workers.loads) == pids

    trio.run(main)


def test_cancelling_a_call_leaves_it_properly_and_spares_the_others() -> None:
    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                run_workers(stay, processes=1) as workers,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(workers.submit, info(listening.url, 1))
                with trio.CancelScope() as scope:
                    async with trio.open_nursery() as second:
                        second.start_soon(workers.submit, info(listening.url, 2))
                        stats = listening.server.stats
                        await until(lambda: [one.state for one in stats()] == BOTH)
                        assert list(workers.loads.values()) == [2]
                        scope.cancel()
                await until(lambda: account(listening, 2).close_code == 1000)
                assert account(listening, 1).state == "established"
                assert list(workers.loads.values()) == [1]
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_the_end_of_the_block_leaves_every_call_and_no_process() -> None:
    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with running_server() as listening:
                stats = listening.server.stats

                async def submit(user: int) -> None:
                    with pytest.raises(WorkerDied):
                        await workers.submit(info(listening.url, user))

                async with trio.open_nursery() as nursery:
                    with pytest.raises(ZeroDivisionError):  # noqa: PT012
                        async with run_workers(stay, processes=2) as workers:
                            pids = set(workers.loads)
                            for user in (1, 2):
                                nursery.start_soon(submit, user)
                            await until(lambda: [one.state for one in stats()] == BOTH)
                            raise ZeroDivisionError
                assert all(map(gone, pids))
                await until(lambda: [one.close_code for one in stats()] == [1000] * 2)

    trio.run(main)


def test_a_worker_that_dies_takes_its_own_calls_only_and_is_replaced() -> None:
    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with (
                run_workers(die_or_say, processes=2) as workers,
                trio.open_nursery() as nursery,
            ):
                pids = set(workers.loads)
                nursery.start_soon(workers.submit, "stay")
                with pytest.raises(WorkerDied, match="exit code 7"):
                    await workers.submit("die")
                assert sorted(workers.loads.values()) == [1], "the other's call goes on"
                await until(lambda: len(workers.loads) == 2)
                assert len(pids & set(workers.loads)) == 1
                assert await workers.submit("here") == "here"
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_workers_that_cannot_start_are_an_error_at_once() -> None:
    async def main() -> None:
        with trio.fail_after(PATIENCE):
            with pytest.raises((AttributeError, TypeError)):  # a lambda is in no module
                async with run_workers(lambda: say(1), processes=1):
                    pytest.fail("the block was entered")
            with pytest.raises(ValueError, match="at least one"):
                run_workers(say, processes=0)

    trio.run(main)


SCRIPT = """
import sys
import trio
from tests.trio.test_workers import stay
from tests.trio.calls import info
from voicekit.trio import run_workers


async def main():
    async with run_workers(stay, processes=2) as workers, trio.open_nursery() as nursery:
        print(*workers.loads, flush=True)
        for user in (1, 2):
            nursery.start_soon(workers.submit, info(sys.argv[1], user))


if __name__ == "__main__":
    trio.run(main)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "killed"])
def test_no_process_outlives_the_one_that_started_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with running_server() as listening:
                process = await trio.lowlevel.open_process(
                    [sys.executable, str(script), listening.url],
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                )
                assert process.stdout is not None
                line = b""
                while not line.endswith(b"\n"):
                    line += await process.stdout.receive_some()
                pids = list(map(int, line.split()))
                stats = listening.server.stats
                await until(lambda: [one.state for one in stats()] == BOTH)
                if number is signal.SIGINT:
                    os.killpg(process.pid, number)  # as a terminal does
                else:
                    process.send_signal(number)
                await process.wait()
                assert process.returncode != 0
                await until(lambda: all(map(gone, pids)))
                await until(lambda: [one.close_code for one in stats()] == [1000] * 2)
                await process.stdout.aclose()

    trio.run(main)
