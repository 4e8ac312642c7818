"""`voicekit play` with several files: in order, in one call, and the bad ones named at the end."""

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from voicekit.cli.output import Report
from voicekit.media import read_opus_packets

from .processes import call_flags, environment, events, finish, run, served, start, voicekit
from .tunes import write_tune

PLAYER = 11


def test_a_bad_file_does_not_lose_the_others(tmp_path: Path) -> None:
    one = write_tune(tmp_path / "one.ogg", 0.6)
    two = write_tune(tmp_path / "two.wav", 0.4)
    bad = tmp_path / "bad.mp3"
    bad.write_bytes(b"no audio" * 100)
    with served() as server:
        player = start("play", one, bad, two, *call_flags(server.url, PLAYER))
        out, err = player.communicate(timeout=60)
        session = server.session_of(PLAYER)
    assert player.returncode == 1
    assert err.count("\n") == 1
    assert "bad.mp3" in err
    told = [(event["event"], event.get("path")) for event in events(out)]
    assert told == [
        ("failed", str(bad)),
        ("ready", None),
        ("playing", str(one)),
        ("playing", str(two)),
        ("done", None),
    ]
    frames = len(read_opus_packets(one)) + 20
    assert events(out)[-1]["frames_sent"] == frames
    assert session["packets_bad"] == {}
    assert session["packets_valid"] == frames + 5, "no silence between them"


def test_from_the_middle_and_again(tmp_path: Path) -> None:
    tune = write_tune(tmp_path / "tune.wav", 0.5)
    with served() as server:
        flags = call_flags(server.url, PLAYER, seek=0.3, times=3, volume=0.5)
        done = finish(start("play", tune, *flags, "--normalize"))[-1]
    assert done["frames_sent"] == 10 + 25 + 25


def test_nothing_but_bad_files_joins_no_call(tmp_path: Path) -> None:
    result = run("play", tmp_path / "a.ogg", tmp_path / "b.ogg", *call_flags("ws://127.0.0.1:9", 1))
    assert result.returncode == 1
    assert [json.loads(line)["event"] for line in result.stdout.splitlines()] == ["failed"] * 2
    assert result.stderr.count("\n") == 2


def test_a_terminal_gets_a_bar_and_scripts_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    monkeypatch.setenv("COLUMNS", "100")
    for json_lines in (False, True):
        with Report(json_lines).progress("playing", None) as bar:
            bar.begin("music/[bold] song.mp3", 4.0)
            bar.update(3.0)
        out, err = capsys.readouterr()
        assert out == ""
        if json_lines:
            assert err == ""
        else:
            assert "[bold] song.mp3" in err
            assert "3 s" in err


def test_a_call_that_ends_is_one_line(tmp_path: Path) -> None:
    tune = write_tune(tmp_path / "tune.wav", 4.0)
    with served("--fault", f"close:4021,user={PLAYER}@1") as server:
        result = run("play", tune, tune, *call_flags(server.url, PLAYER))
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo terminals")
@pytest.mark.parametrize("command", ["play", "record"])
def test_on_a_terminal_the_commands_show_a_bar(command: str, tmp_path: Path) -> None:
    tune = write_tune(tmp_path / "tune.ogg", 0.6)
    what = [tune] if command == "play" else [tmp_path / "out", "--seconds", 0.6]
    near, far = os.openpty()
    with served() as server:
        flags = [flag for flag in call_flags(server.url, PLAYER) if flag != "--json"]
        child = subprocess.Popen(
            voicekit(command, *what, *flags),
            stdout=subprocess.DEVNULL,
            stderr=far,
            env=environment(TERM="xterm", COLUMNS="100"),
        )
        os.close(far)
        shown = b""
        with os.fdopen(near, "rb", 0) as terminal, contextlib.suppress(OSError):  # EIO: the end
            while piece := terminal.read(4096):
                shown += piece
        assert child.wait(30) == 0, shown
    assert (b"tune.ogg" if command == "play" else b"recording") in shown
    assert "━".encode() in shown
