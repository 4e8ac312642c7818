"""`voicekit play` and `voicekit record` over real sockets, with both servers."""

import json
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.independent.certificates import write_certificates
from tests.independent.process import ServerProcess
from voicekit.codes import SILENCE_FRAME
from voicekit.media import read_opus_packets

from .processes import (
    DEADLINE,
    call_flags,
    finish,
    independently_served,
    served,
    start,
    wait_recorded,
)
from .tunes import write_tune

Server = Callable[..., ServerProcess]
SERVERS = pytest.mark.parametrize("serve", [served, independently_served], ids=["ours", "other"])
PLAYER, LISTENER = 11, 12
SECONDS = 4.0


def play_and_record(
    endpoint: str, tmp_path: Path, *more: object, patience: float = DEADLINE
) -> tuple[dict[str, Any], dict[str, Any], Path]:
    """Record while a tune is played; return both last events and the tune."""
    tune = write_tune(tmp_path / "tune.ogg", SECONDS)
    flags = call_flags(endpoint, LISTENER)
    recorder = start("record", tmp_path / "out", *flags, *more, "--seconds", 300)
    try:
        assert recorder.stdout is not None
        assert json.loads(recorder.stdout.readline())["event"] == "ready"
        played = finish(start("play", tune, *call_flags(endpoint, PLAYER), *more))[-1]
        wait_recorded(tmp_path / "out", PLAYER, played["frames_sent"] + 5, patience)
        recorder.send_signal(signal.SIGINT)
        recorded = finish(recorder, code=130)[-1]
    finally:
        if recorder.poll() is None:
            recorder.kill()
            recorder.wait()
    assert played["event"] == recorded["event"] == "done"
    return played, recorded, tune


def assert_every_frame_arrived(
    played: dict[str, Any], recorded: dict[str, Any], tune: Path
) -> None:
    sent = read_opus_packets(tune)
    (track,) = [track for track in recorded["tracks"] if track["user_id"] == PLAYER]
    assert played["frames_sent"] == len(sent)
    assert track["lost"] == 0
    assert read_opus_packets(Path(track["path"])) == sent + [SILENCE_FRAME] * 5


@SERVERS
@pytest.mark.parametrize("mode", ["aes", "xchacha"])
def test_every_frame_arrives_untouched(serve: Server, mode: str, tmp_path: Path) -> None:
    with serve() as server:
        played, recorded, tune = play_and_record(server.url, tmp_path, "--mode", mode)
        session = server.session_of(PLAYER)
    assert_every_frame_arrived(played, recorded, tune)
    assert mode in played["mode"]
    assert played["dave_version"] == 0
    assert session["packets_bad"] == {}
    assert session["packets_valid"] == played["frames_sent"] + 5


@SERVERS
def test_over_tls_with_a_ca_file(serve: Server, tmp_path: Path) -> None:
    certificates = write_certificates(tmp_path)
    tls = ("--tls-cert", certificates.certificate, "--tls-key", certificates.key)
    with serve(*tls) as server:
        endpoint = server.endpoint.replace("127.0.0.1", "localhost")
        played, recorded, tune = play_and_record(
            endpoint, tmp_path, "--ca-file", certificates.authority
        )
    assert_every_frame_arrived(played, recorded, tune)


@pytest.mark.parametrize(
    ("serve", "fault"),
    [
        (served, f"close:4015,user={PLAYER}@2"),
        (served, f"drop,user={PLAYER}@2"),
        (independently_served, f"close:4015,user={PLAYER}@2"),
        (independently_served, f"drop,user={PLAYER}@2"),
    ],
)
def test_through_a_lost_websocket_in_mid_play(serve: Server, fault: str, tmp_path: Path) -> None:
    with serve("--fault", fault) as server:
        played, recorded, tune = play_and_record(server.url, tmp_path)
        session = server.session_of(PLAYER)
    assert_every_frame_arrived(played, recorded, tune)
    assert played["resumes"] == 1
    assert session["resumes"] == 1
    assert session["packets_bad"] == {}


def test_what_is_lost_is_reported_as_lost(tmp_path: Path) -> None:
    with served("--loss", 5, "--seed", 7) as server:
        # Whether there is more to come, nobody knows.
        played, recorded, _ = play_and_record(server.url, tmp_path, patience=3.0)
        dropped = server.session_of(LISTENER)["dropped_to"]
    (track,) = [track for track in recorded["tracks"] if track["user_id"] == PLAYER]
    sent = played["frames_sent"] + 5
    assert dropped > 0
    # Before the first packet and behind the last one nothing tells a receiver of a loss.
    unseen = sent - track["frames"] - track["lost"]
    assert track["lost"] + unseen == dropped
    assert 0 <= unseen <= 3


def test_ctrl_c_leaves_the_call_properly(tmp_path: Path) -> None:
    tune = write_tune(tmp_path / "long.ogg", 30.0)
    with served() as server:
        player = start("play", tune, *call_flags(server.url, PLAYER))
        try:
            assert player.stdout is not None
            while json.loads(player.stdout.readline())["event"] != "playing":
                pass
            time.sleep(0.5)
            player.send_signal(signal.SIGINT)
            out, err = player.communicate(timeout=DEADLINE)
        finally:
            if player.poll() is None:
                player.kill()
                player.wait()
        session = server.session_of(PLAYER)
    assert player.returncode == 130, err
    last = json.loads(out.splitlines()[-1])
    assert last["event"] == "done"
    assert session["packets_bad"] == {}
    assert session["packets_valid"] == last["frames_sent"] + 5  # five frames of silence
    assert session["close_code"] == 1000


@pytest.mark.parametrize("command", ["play", "record"])
def test_ctrl_c_while_nobody_answers(command: str, tmp_path: Path) -> None:
    what: list[object] = [write_tune(tmp_path / "tune.ogg", 0.2)]
    if command == "record":
        what = [tmp_path / "out", "--seconds", 5]
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute.settimeout(30)
        caller = start(
            command, *what, *call_flags(f"ws://127.0.0.1:{mute.getsockname()[1]}", PLAYER)
        )
        try:
            connection, _ = mute.accept()
            with connection:
                caller.send_signal(signal.SIGINT)
                _, err = caller.communicate(timeout=DEADLINE)
        finally:
            if caller.poll() is None:
                caller.kill()
                caller.wait()
    assert caller.returncode == 130, err
    assert "Traceback" not in err


def test_the_token_may_come_from_the_environment_or_stdin(tmp_path: Path) -> None:
    tune = write_tune(tmp_path / "tune.ogg", 0.2)
    with served("--token", "secret-token") as server:
        flags = call_flags(server.url, PLAYER)
        at = flags.index("--token")
        without = flags[:at] + flags[at + 2 :]
        finish(start("play", tune, *without, VOICEKIT_TOKEN="secret-token"))
        player = start("play", tune, *without, "--token", "-")
        out, err = player.communicate("secret-token\n", timeout=DEADLINE)
        assert player.returncode == 0, err + out
