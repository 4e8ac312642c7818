"""`voicekit play` and `voicekit record` in an end-to-end encrypted call with discord.py."""

import json
import signal
import time
from pathlib import Path

import pytest

from voicekit.codes import SILENCE_FRAME
from voicekit.media import read_opus_packets

from ..cli.processes import call_flags, finish, start
from ..cli.tunes import write_tune
from ..independent.certificates import Certificates
from ..independent.process import OURS, PLAIN, ServerProcess
from ..independent.raw_client import CHANNEL_ID, SERVER_ID
from .bot import BOT, Bot, tls
from .test_discordpy_dave import DAVE, FIRST, assert_encrypted, digest

pytestmark = pytest.mark.interop

SERVERS = pytest.mark.parametrize(
    "command", [pytest.param(PLAIN, id="plain server"), pytest.param(OURS, id="voicekit serve")]
)


def flags(server: ServerProcess, certificates: Certificates) -> list[object]:
    given = call_flags(server.endpoint, FIRST, ca_file=certificates.authority)
    for flag, value in {"--server-id": SERVER_ID, "--channel-id": CHANNEL_ID}.items():
        given[given.index(flag) + 1] = value
    return given


@SERVERS
def test_play_is_heard_by_discordpy(
    discordpy: Path, certificates: Certificates, command: tuple[str, ...], tmp_path: Path
) -> None:
    tune = write_tune(tmp_path / "tune.ogg", 3.0)
    sent = read_opus_packets(tune)
    # It plays alone, in clear: servers send nothing to who never sent anything.
    task = {"listen": True, "frames": 10, "linger": 0.5}
    with (
        ServerProcess(*tls(certificates), *DAVE, command=command) as server,
        Bot(discordpy, certificates.authority, server, **task) as bot,
    ):
        bot.wait_connected()
        time.sleep(0.5)
        played = finish(start("play", tune, *flags(server, certificates)))[-1]
        result = bot.result()
        sessions = {int(session["user_id"]): session for session in server.stop()}
    assert played["dave_version"] == result["dave_version"] == 1
    assert played["frames_sent"] == len(sent)
    assert result["heard"] == {str(FIRST): len(sent)}
    assert result["heard_sha256"] == {str(FIRST): digest(sent)}
    assert result["heard_clear"] == {}  # the silence of who has just left may not be opened
    assert_encrypted(sessions[FIRST], len(sent))


@SERVERS
def test_record_keeps_what_discordpy_plays(
    discordpy: Path, certificates: Certificates, command: tuple[str, ...], tmp_path: Path
) -> None:
    task = {"encrypted": True, "frames": 150}
    with ServerProcess(*tls(certificates), *DAVE, command=command) as server:
        recorder = start("record", tmp_path / "out", *flags(server, certificates), "--seconds", 300)
        try:
            assert recorder.stdout is not None
            assert json.loads(recorder.stdout.readline())["event"] == "ready"
            with Bot(discordpy, certificates.authority, server, **task) as bot:
                result = bot.result()
            time.sleep(0.5)  # the last datagram is on its way
            recorder.send_signal(signal.SIGINT)
            recorded = finish(recorder, code=130)[-1]
        finally:
            if recorder.poll() is None:
                recorder.kill()
                recorder.wait()
        sessions = {int(session["user_id"]): session for session in server.stop()}
    (track,) = recorded["tracks"]
    packets = read_opus_packets(Path(track["path"]))
    assert track["lost"] == 0
    assert digest(packets[:150]) == result["sha256"]
    assert packets[150:] == [SILENCE_FRAME] * 5
    assert_encrypted(sessions[BOT], 150)
