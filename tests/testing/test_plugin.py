"""The pytest plugin and the server in a thread behind it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from voicekit.events import SessionResumed
from voicekit.server import ServerConfig
from voicekit.testing import LoopbackServer, opus_frame
from voicekit.trio import connect

ROOT = Path(__file__).resolve().parent.parent.parent

SUITE = """
import asyncio
import socket

import pytest
import trio

from voicekit.trio import connect


def test_sync(voice_server):
    host, _, port = voice_server.endpoint.rpartition(":")
    socket.create_connection((host, int(port)), timeout=5).close()
    assert voice_server.url == f"ws://{voice_server.endpoint}"
    assert voice_server.udp_port > 0


def test_asyncio(voice_server):
    async def main():
        host, _, port = voice_server.endpoint.rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        await writer.wait_closed()
    asyncio.run(main())


@pytest.mark.voice_server(token="the only one")
def test_trio(voice_server):
    async def main():
        async with connect(voice_server.info(7)):
            assert [session.user_id for session in voice_server.stats()] == [7]
    trio.run(main)
    assert voice_server.server.config.token == "the only one"


@pytest.mark.voice_server(dave="off")
def test_guild(voice_guild):
    async def main():
        async with voice_guild.speaker() as speaker:
            session = await voice_guild.joined("General", speaker.user_id)
            assert session.dave_version == 0
    asyncio.run(main())
"""


def run_python(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # Autoload would find the plugin twice where voicekit is installed.
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_fixture_serves_tests_of_any_style(tmp_path: Path) -> None:
    (tmp_path / "test_users.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers -W error\n")
    plugin = ("-p", "voicekit.testing.plugin", "-p", "no:cacheprovider")
    run = run_python("-m", "pytest", "-q", *plugin, cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "4 passed" in run.stdout


def test_the_plugin_imports_nothing_but_pytest() -> None:
    script = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import voicekit.testing.plugin\n"
        "new = {name for name in set(sys.modules) - before\n"
        "       if name.partition('.')[0] not in sys.stdlib_module_names}\n"
        "print(*sorted(new))"
    )
    run = run_python("-c", script)
    assert run.stdout.split() == ["voicekit", "voicekit.testing", "voicekit.testing.plugin"]


def test_a_call_over_the_server_in_a_thread_with_a_fault_in_it() -> None:
    async def main(server: LoopbackServer) -> None:
        async with connect(server.info(1)) as alice, connect(server.info(2)) as bob:
            frames = bob.frames()
            events = alice.events()
            assert alice.send_audio(opus_frame(1))
            assert (await frames.receive()).opus == opus_frame(1)
            server.call(lambda core, now: core.faults.close(4015, now, user_id=1))
            with trio.fail_after(10):
                async for event in events:
                    if isinstance(event, SessionResumed):
                        break
            assert [session.resumes for session in server.stats()] == [1, 0]

    with LoopbackServer() as server:
        trio.run(main, server)
        assert "ws://127.0.0.1:" in repr(server)


def test_what_a_call_raises_comes_back() -> None:
    with LoopbackServer() as server, pytest.raises(ZeroDivisionError):
        server.call(lambda core, now: 1 / 0)


def test_an_address_that_cannot_be_bound_is_an_error_of_start() -> None:
    server = LoopbackServer(ServerConfig(), host="192.0.2.1")
    with pytest.raises(OSError, match=r".+"):
        server.start()
    server.stop()


def test_stop_may_come_twice_and_before_the_start() -> None:
    server = LoopbackServer()
    server.stop()
    server.start()
    server.stop()
    server.stop()
    with pytest.raises(RuntimeError, match="not running"):
        _ = LoopbackServer().url
