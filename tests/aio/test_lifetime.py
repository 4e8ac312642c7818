"""How calls on asyncio begin and end: without a block, with their host, with a bug; wrong calls."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from voicekit import aio
from voicekit.aio import Voice, connect
from voicekit.errors import CallClosed, ConnectFailed, LocalProtocolError
from voicekit.events import Closed, SpeakingStarted
from voicekit.testing.loopback import LoopbackServer

from ..trio.calls import EARS, MOUTH, Packets, numbered
from .test_calls import DAVE, PATIENCE, ended, run, until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(DAVE) as running:
        yield running


def test_a_call_without_a_block_lasts_until_it_is_closed(server: LoopbackServer) -> None:
    async def main() -> None:
        voice = await aio.open(server.info(MOUTH))
        assert voice.connection.is_ready
        await voice.play(Packets(numbered(3)))
        await voice.aclose()
        await voice.aclose()
        assert isinstance(voice.closed, Closed)
        with pytest.raises(CallClosed):
            await voice.wait_ready()

    run(main())
    assert [stats.close_code for stats in ended(server)] == [1000]


def test_one_that_can_not_be_opened_leaves_nothing(server: LoopbackServer) -> None:
    async def main() -> None:
        nowhere = server.info(MOUTH)
        nowhere = type(nowhere)(**{**_as_dict(nowhere), "endpoint": None})
        with pytest.raises(ConnectFailed, match="no voice server yet"):
            await aio.open(nowhere)
        voice = await aio.open(nowhere, wait_ready=False)
        voice.update_voice_server("token", server.url)
        await voice.wait_ready()
        await voice.aclose()

    run(main())


def _as_dict(value: object) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__struct_fields__}  # type: ignore[attr-defined]


def test_a_host_that_ends_without_closing_leaves_the_call_all_the_same(
    server: LoopbackServer,
) -> None:
    threads = set(threading.enumerate())

    async def main() -> None:
        voice = await aio.open(server.info(MOUTH))
        await voice.player.play(Packets(numbered(1000)))
        await until(lambda: voice.frames_played > 2)
        voice.start_recording("ogg")

    asyncio.run(main())
    gc.collect()  # what was not closed says so now: a warning, and an error here
    assert set(threading.enumerate()) - threads <= {_pacer_thread()}
    (said,) = ended(server)
    assert said.close_code == 1000
    assert said.packets_valid >= 3 + 5
    assert said.packets_bad == {}


def _pacer_thread() -> threading.Thread | None:
    return next((thread for thread in threading.enumerate() if "pacer" in thread.name), None)


BOT = """
import asyncio, sys
import voicekit.aio
from voicekit.server_info import VoiceServerInfo

class Noise:
    blocking = False
    def read(self):
        return b"\\xf8" + bytes(80)

async def main():
    where = VoiceServerInfo(
        endpoint=sys.argv[1], server_id=1000, channel_id=2000, user_id=1,
        session_id="session-1", token="token",
    )
    async with voicekit.aio.connect(where) as voice:
        print("ready", flush=True)
        await voice.play(Noise())

asyncio.run(main(), debug=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is another thing there")
def test_ctrl_c_leaves_the_call_properly(server: LoopbackServer) -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", BOT, server.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        # Started in the background, a shell's children ignore Ctrl-C; not this one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        while not any(stats.packets_valid > 5 for stats in server.stats()):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    assert errors.strip().endswith(b"KeyboardInterrupt")
    assert b"Warning" not in errors
    assert b"never" not in errors
    (said,) = ended(server)
    assert (said.close_code, said.packets_bad) == (1000, {})


def test_calls_from_another_thread_say_what_to_do(server: LoopbackServer) -> None:
    kept: list[Voice] = []

    async def main() -> None:
        async with connect(server.info(MOUTH)) as voice:
            kept.append(voice)
            frames = voice.frames()
            wrong = [
                lambda: voice.send_audio(numbered(1)[0]),
                voice.stop_audio,
                voice.drain,
                voice.frames,
                lambda: voice.start_recording("ogg"),
                lambda: voice.update_voice_state(None, "s"),
                lambda: asyncio.run(voice.play(Packets(numbered(1)))),
                lambda: asyncio.run(voice.wait_ready()),
                lambda: asyncio.run(voice.aclose()),
            ]
            for call in wrong:
                with pytest.raises(LocalProtocolError, match="call_soon_threadsafe"):
                    await asyncio.to_thread(call)
            with pytest.raises(LocalProtocolError, match="thread"):
                await asyncio.to_thread(asyncio.run, frames.receive())
            assert voice.stats() == await asyncio.to_thread(voice.stats)

    run(main())
    with pytest.raises(LocalProtocolError, match="event loop"):
        kept[0].update_voice_state(None, "s")


def test_a_bug_ends_its_call_bare_and_no_other(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_it(voice: Voice) -> None:
        handle = voice._handle_event

        def stumble(event: object) -> None:
            if isinstance(event, SpeakingStarted):
                raise ZeroDivisionError
            handle(event)  # type: ignore[arg-type]

        monkeypatch.setattr(voice._driver, "_handle_event", stumble)

    async def hold_broken() -> None:
        async with connect(server.info(EARS)) as ears:
            break_it(ears)
            await asyncio.sleep(PATIENCE)

    async def in_a_block() -> None:
        with pytest.raises(ZeroDivisionError):
            await hold_broken()
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]

    async def without() -> None:
        voice = await aio.open(server.info(EARS + 1))
        break_it(voice)
        with pytest.raises(CallClosed, match="ZeroDivisionError"):
            await voice.frames().receive()
        with pytest.raises(ZeroDivisionError):
            await voice.aclose()

    async def main() -> None:
        async with connect(server.info(MOUTH)) as mouth, asyncio.TaskGroup() as tasks:
            tasks.create_task(in_a_block())
            tasks.create_task(without())
            await until(lambda: len(server.stats()) == 3)
            await asyncio.sleep(0.1)
            await mouth.play(Packets(numbered(10)))
            assert mouth.connection.is_ready

    run(main())


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_a_bug_that_shows_as_the_block_ends_comes_out_of_it(
    server: LoopbackServer, turns: int
) -> None:
    async def end_with_a_bug() -> None:
        async with connect(server.info(MOUTH)) as voice:
            voice._driver._fail(ZeroDivisionError())
            for _ in range(turns):
                await asyncio.sleep(0)

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await end_with_a_bug()
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]
        await asyncio.sleep(0.01)  # nobody is cancelled by what is over

    run(main())


def test_a_block_that_is_cancelled_for_another_reason_stays_cancelled(
    server: LoopbackServer,
) -> None:
    async def main() -> None:
        async def call() -> None:
            async with connect(server.info(MOUTH)):
                await asyncio.sleep(PATIENCE)

        task = asyncio.create_task(call())
        await until(lambda: any(stats.state == "established" for stats in server.stats()))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert [stats.close_code for stats in ended(server)] == [1000]
