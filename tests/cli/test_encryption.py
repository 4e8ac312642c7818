"""End-to-end encryption of `voicekit play` and `voicekit record`: the default, and without."""

from pathlib import Path

import pytest

from .processes import call_flags, run, served
from .test_bad_input import one_line
from .test_play_record import (
    LISTENER,
    PLAYER,
    SERVERS,
    Server,
    assert_every_frame_arrived,
    play_and_record,
)
from .tunes import write_tune

CHANNEL = ("--channel-id", 200)


@SERVERS
def test_it_is_the_default(serve: Server, tmp_path: Path) -> None:
    with serve(*CHANNEL, "--dave", "required") as server:
        played, recorded, tune = play_and_record(server.url, tmp_path)
        session = server.session_of(PLAYER)
    assert_every_frame_arrived(played, recorded, tune)
    assert played["dave_version"] == recorded["dave_version"] == session["dave_version"] == 1
    assert session["packets_bad"] == {}
    assert session["frames_clear"] == 0
    assert session["frames_e2ee"] + session["frames_silence"] == played["frames_sent"] + 5


@pytest.mark.parametrize("fault", ["close:4015,user=11@2", "drop,user=11@2"])
def test_a_lost_websocket_in_mid_play(fault: str, tmp_path: Path) -> None:
    with served(*CHANNEL, "--fault", fault) as server:
        played, recorded, tune = play_and_record(server.url, tmp_path)
        sessions = [s for s in server.stop() if s["user_id"] == PLAYER]
    assert_every_frame_arrived(played, recorded, tune)
    assert played["dave_version"] == recorded["dave_version"] == 1
    assert all(s["packets_bad"] == {} and s["frames_clear"] == 0 for s in sessions)


@pytest.mark.parametrize("server_flags", [CHANNEL, (*CHANNEL, "--dave", "off"), ()])
def test_without_it(server_flags: tuple[object, ...], tmp_path: Path) -> None:
    flags = ["--no-dave"] if "--dave" not in server_flags and server_flags else []
    with served(*server_flags) as server:
        played, recorded, tune = play_and_record(server.url, tmp_path, *flags)
        session = server.session_of(PLAYER)
    assert_every_frame_arrived(played, recorded, tune)
    assert played["dave_version"] == recorded["dave_version"] == session["dave_version"] == 0
    assert session["packets_bad"] == {}
    assert session["frames_e2ee"] == 0
    assert session["frames_clear"] == played["frames_sent"]


@pytest.mark.parametrize("command", ["play", "record"])
def test_a_server_that_requires_it_refuses_the_call_without(command: str, tmp_path: Path) -> None:
    song = write_tune(tmp_path / "song.ogg", 0.1)
    what = [song] if command == "play" else [tmp_path / "out", "--seconds", 1]
    with served(*CHANNEL, "--dave", "required") as server:
        result = run(command, *what, *call_flags(server.url, LISTENER), "--no-dave")
    one_line(result, 1, "4017", "end-to-end encryption")
