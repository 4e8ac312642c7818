"""discord.py 2.7's own voice client in a call with the loopback voice servers.

It dials wss:// only, so the servers get a certificate and discord.py its authority. It
wants a DAVE library to be there, and accepts version 0.
"""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ..independent.certificates import Certificates, write_certificates
from ..independent.ciphers import AES, XCHACHA
from ..independent.process import OURS, PLAIN, ServerProcess
from ..independent.raw_client import CHANNEL_ID, SERVER_ID, RawClient
from .environment import python_with

pytestmark = pytest.mark.interop

CLIENT = Path(__file__).with_name("discordpy_client.py")
BOT, LISTENER = 2001, 2002
SILENCE = b"\xf8\xff\xfe"
TIMEOUT = 90
#: Python, aiohttp and discord.py on a busy machine; below it nobody misses a heartbeat.
START_TIMEOUT = 30
SERVERS = {"plain server": PLAIN, "voicekit serve": OURS}


@pytest.fixture(scope="module")
def discordpy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = getattr(request.config, "cache", None)  # absent under -p no:cacheprovider
    folder = tmp_path_factory.mktemp("venv") if cache is None else cache.mkdir("interop-discordpy")
    return python_with(folder, "discord.py[voice]==2.7.*")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=SERVERS)
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return SERVERS[request.param]


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
            "linger": 0,
            "server_first": False,
            **task,
        }
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        environment["SSL_CERT_FILE"] = str(authority)
        self._log = ""
        self._process = subprocess.Popen(
            [str(python), str(CLIENT), json.dumps(self._task)],
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

    def result(self, *, complaints: bool = False) -> dict[str, Any]:
        """Wait until it has left; return what it printed. Complaints are logged tracebacks."""
        output, self._log = self._process.communicate(timeout=TIMEOUT)
        assert self._process.returncode == 0
        assert ("Traceback" in self._log) == complaints
        result: dict[str, Any] = json.loads(output)
        assert result["error"] is None
        assert result["unsent"] == 0
        return result


def tls(files: Certificates) -> tuple[str, ...]:
    return "--tls-cert", str(files.certificate), "--tls-key", str(files.key)


@pytest.mark.parametrize("server_first", [False, True], ids=["state first", "server first"])
def test_every_packet_of_discordpy_is_valid_and_arrives(
    discordpy, certificates, command, server_first
):
    with (
        ServerProcess(*tls(certificates), command=command) as server,
        RawClient(server.url, LISTENER, ca=str(certificates.authority)) as listener,
        Bot(discordpy, certificates.authority, server, server_first=server_first) as bot,
    ):
        listener.join(XCHACHA)
        listener.udp.settimeout(START_TIMEOUT)
        heard = [listener.hear()[1] for _ in range(105)]
        result = bot.result()
        session = server.session_of(BOT)
    assert result["discord.py"].startswith("2.7.")
    assert result["mode"] == session["mode"] == XCHACHA
    assert hashlib.sha256(b"".join(heard[:100])).hexdigest() == result["sha256"]
    assert heard[100:] == [SILENCE] * 5
    assert session["packets_valid"] == 105
    assert session["packets_bad"] == {}


def test_discordpy_opens_what_the_server_forwards(discordpy, certificates, command):
    frames = [b"\xfc" + bytes((n,)) * 99 for n in range(50)]
    with (
        ServerProcess(*tls(certificates), command=command) as server,
        RawClient(server.url, LISTENER, ca=str(certificates.authority)) as speaker,
        Bot(discordpy, certificates.authority, server, frames=10, listen=True, linger=2) as bot,
    ):
        speaker.join(AES)
        speaker.udp.settimeout(START_TIMEOUT)
        for _ in range(15):
            speaker.hear()  # it is there, and done with its own
        speaker.send(5, {"speaking": 1, "delay": 0, "ssrc": speaker.ready["ssrc"]})
        speaker.play(frames)
        result = bot.result()
    assert result["undecryptable"] == 0
    assert result["heard"] == 50
    assert result["heard_sha256"] == hashlib.sha256(b"".join(frames)).hexdigest()


def test_a_pause_of_discordpy_keeps_every_packet_valid(discordpy, certificates, command):
    with (
        ServerProcess(*tls(certificates), command=command) as server,
        Bot(discordpy, certificates.authority, server, frames=50, pause=1) as bot,
    ):
        bot.result()
        session = server.session_of(BOT)
    assert session["packets_valid"] == 60  # five frames of silence for the pause, five at the end
    assert session["packets_bad"] == {}


def test_discordpy_joins_again_after_a_dropped_socket(discordpy, certificates):
    drop = ("--fault", "drop@1")
    with (
        ServerProcess(*tls(certificates), *drop) as server,
        RawClient(server.url, LISTENER, ca=str(certificates.authority)) as speaker,
        Bot(discordpy, certificates.authority, server, frames=250) as bot,
    ):
        speaker.join(XCHACHA)
        speaker.wait_for(5)
        speaker.send(5, {"speaking": 1, "delay": 0, "ssrc": speaker.ready["ssrc"]})
        # Without a datagram from anybody its reader thread hangs in select() on the old
        # socket, and never sees the discovery reply on the new one.
        speaker.play([SILENCE] * 2)
        result = bot.result(complaints=True)
        sessions = [s for s in server.stop() if int(s["user_id"]) == BOT]
    assert result["joins"] == 2
    # discord.py sends on while it is backing off; the gap is its leaving and joining.
    assert sum(s["packets_valid"] for s in sessions) >= 200
    assert all(s["packets_bad"] == {} for s in sessions)
