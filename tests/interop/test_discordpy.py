"""discord.py 2.7's own voice client in a call with the loopback voice servers.

It dials wss:// only, so the servers get a certificate and discord.py its authority. The
other end is a client without end-to-end encryption, so all calls here are of version 0.
"""

import hashlib

import pytest

from ..independent.ciphers import AES, XCHACHA
from ..independent.process import OURS, PLAIN, ServerProcess
from ..independent.raw_client import RawClient
from .bot import BOT, Bot, tls

pytestmark = pytest.mark.interop

LISTENER = 2002
SILENCE = b"\xf8\xff\xfe"
#: Python, aiohttp and discord.py on a busy machine; below it nobody misses a heartbeat.
START_TIMEOUT = 30
SERVERS = {"plain server": PLAIN, "voicekit serve": OURS}


@pytest.fixture(params=SERVERS)
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return SERVERS[request.param]


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
    assert result["undecryptable"] == {}
    assert result["heard"] == result["heard_clear"] == {str(LISTENER): 50}
    assert result["heard_sha256"] == {str(LISTENER): hashlib.sha256(b"".join(frames)).hexdigest()}


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
    drop = ("--fault", f"drop,user={BOT}@1")
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
