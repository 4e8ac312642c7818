"""The asyncio driver of examples/, in calls on both servers over real sockets."""

import asyncio
import importlib.util
import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from voicekit.media import OggOpusWriter
from voicekit.server_info import VoiceServerInfo

from ..independent.process import OURS, PLAIN, ServerProcess
from ..independent.raw_client import CHANNEL_ID, SERVER_ID

EXAMPLE = Path(__file__).parents[2] / "examples" / "asyncio_driver.py"
ALICE, BOB = 4001, 4002
SILENCE = b"\xf8\xff\xfe"
TIMEOUT = 30


@pytest.fixture(scope="module")
def driver():
    spec = importlib.util.spec_from_file_location("asyncio_driver", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=[PLAIN, OURS], ids=["plain server", "voicekit serve"])
def command(request):
    return request.param


def info(server: ServerProcess, user_id: int) -> VoiceServerInfo:
    return VoiceServerInfo(
        endpoint=server.url,
        server_id=SERVER_ID,
        channel_id=CHANNEL_ID,
        user_id=user_id,
        session_id=f"session {user_id}",
        token="token",
    )


def run(main):
    async def bounded():
        async with asyncio.timeout(TIMEOUT):
            return await main

    return asyncio.run(bounded())


async def call_of_two(driver, server, packets):
    async def listen(bob):
        heard = []
        async for frame in bob.frames():
            heard.append(frame.opus)
            if len(heard) == len(packets) + 5:
                return heard

    async with (
        driver.Voice(info(server, BOB)) as bob,
        driver.Voice(info(server, ALICE)) as alice,
        asyncio.TaskGroup() as tasks,
    ):
        listening = tasks.create_task(listen(bob))
        await alice.play(packets)
    return listening.result()


@pytest.mark.parametrize("flags", [(), ("--fault", "drop@0.6"), ("--fault", "close:4015@0.6")])
def test_every_packet_is_valid_and_heard(driver, command, flags):
    packets = [b"\xfc" + n.to_bytes(4, "big") + bytes(75) for n in range(75)]
    with ServerProcess(*flags, command=command) as server:
        heard = run(call_of_two(driver, server, packets))
        alice = server.session_of(ALICE)
    assert heard == [*packets, *[SILENCE] * 5]
    assert alice["packets_valid"] == 80
    assert alice["packets_bad"] == {}
    assert alice["resumes"] == (1 if flags else 0)


def test_leaving_in_mid_play_ends_the_audio_with_silence(driver, command):
    async def leave_early(server):
        async with driver.Voice(info(server, ALICE)) as alice:
            playing = asyncio.create_task(alice.play([b"\xfc" + bytes(79)] * 1000))
            await asyncio.sleep(0.3)
            playing.cancel()
            await asyncio.wait([playing])
        return alice.connection.stats().packets_sent

    with ServerProcess(command=command) as server:
        sent = run(leave_early(server))
        alice = server.session_of(ALICE)
    assert 5 < sent < 100
    assert alice["packets_valid"] == sent
    assert alice["packets_bad"] == {}


def test_what_ended_the_call_is_raised(driver, command):
    async def join(server):
        async with driver.Voice(info(server, ALICE)):
            pass

    with ServerProcess("--token", "another", command=command) as server:
        with pytest.raises(Exception, match="4004") as refused:
            run(join(server))
        assert type(refused.value).__name__ == "AuthenticationFailed"


def test_the_example_plays_a_file_as_a_program(command, tmp_path):
    file = tmp_path / "tune.ogg"
    with closing(OggOpusWriter(file)) as writer:
        for n in range(25):
            writer.write(b"\xfc" + n.to_bytes(4, "big") + bytes(75))
    with ServerProcess(command=command) as server:
        arguments = {
            "endpoint": server.url,
            "server-id": SERVER_ID,
            "channel-id": CHANNEL_ID,
            "user-id": ALICE,
            "session-id": "s",
            "token": "t",
            "seconds": 0.2,
        }
        flags = [text for name, value in arguments.items() for text in (f"--{name}", str(value))]
        done = subprocess.run(
            [sys.executable, str(EXAMPLE), str(file), *flags],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        assert json.loads(done.stdout) == {"sent": 30, "heard": {}, "resumes": 0}, done.stderr
