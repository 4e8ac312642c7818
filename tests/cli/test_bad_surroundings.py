"""The command line is right, the machine or the server is not: one line that says what to do."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.independent.certificates import Certificates, write_certificates

from .processes import (
    ROOT,
    call_flags,
    environment,
    finish,
    run,
    served,
    start,
    wait_recorded,
)
from .test_bad_input import NOWHERE, one_line
from .tunes import write_tune

# -- libraries ---------------------------------------------------------------------------


def run_without(
    missing: str, folder: Path, *arguments: object
) -> "subprocess.CompletedProcess[str]":
    """Run a command where one package is not installed, nor known to `importlib.metadata`."""
    folder.mkdir()
    for installed in Path(sysconfig.get_path("purelib")).iterdir():
        package = installed.name.partition("-")[0].partition(".")[0]
        if package.lower() != missing and installed.suffix != ".pth":
            (folder / installed.name).symlink_to(installed)
    return subprocess.run(
        [sys.executable, "-S", "-m", "voicekit", *map(str, arguments)],  # -S: no site-packages
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder.parent,
        env=environment(PYTHONPATH=f"{folder}{os.pathsep}{ROOT}"),
    )


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("typer", ["serve"]),
        ("rich", ["demo"]),
        ("trio", ["serve", "--loss", "5"]),
        ("websockets", ["play", "song.ogg", "--token", "x"]),
        ("msgspec", ["doctor"]),
    ],
)
def test_without_a_library_of_the_command_line(
    missing: str, command: list[str], tmp_path: Path
) -> None:
    result = run_without(missing, tmp_path / "installed", *command)
    one_line(result, 2, missing, "pip install 'voicekit[cli]'")


@pytest.mark.parametrize(
    ("missing", "words"),
    [("av", ["PyAV", "pip install"]), ("opuslib", ["opuslib", "pip install"])],
)
def test_without_a_library_for_media(missing: str, words: list[str], tmp_path: Path) -> None:
    song = write_tune(tmp_path / "song.wav", 0.1)
    result = run_without(missing, tmp_path / "installed", "demo", song)
    one_line(result, 1, "voicekit[media]", *words)


@pytest.mark.parametrize("command", ["play", "record"])
def test_without_the_library_for_encryption(command: str, tmp_path: Path) -> None:
    song = write_tune(tmp_path / "song.ogg", 0.1)
    out = tmp_path / "out"
    what = [song] if command == "play" else [out, "--seconds", 1]
    flags = call_flags(NOWHERE, 1)
    result = run_without("dave", tmp_path / "installed", command, *what, *flags)
    one_line(result, 1, "end-to-end encryption", "pip install dave.py")
    assert result.stdout == ""  # it has not come as far as the server that is not there
    result = run_without("dave", tmp_path / "again", command, *what, *flags, "--no-dave")
    one_line(result, 1, "no connection", "127.0.0.1")


def test_a_server_without_the_library_for_encryption(tmp_path: Path) -> None:
    result = run_without("cryptography", tmp_path / "installed", "serve")
    one_line(result, 2, "--dave", "pip install", "cryptography")


@pytest.mark.parametrize("missing", ["trio", "websockets", "av", "opuslib", "dave"])
def test_doctor_says_what_is_missing_and_how_to_mend_it(missing: str, tmp_path: Path) -> None:
    result = run_without(missing, tmp_path / "installed", "doctor", "--json")
    assert result.returncode == 1
    assert result.stderr == ""
    *findings, done = [json.loads(line) for line in result.stdout.splitlines()]
    name = {"av": "PyAV"}.get(missing, missing)
    (finding,) = [finding for finding in findings if finding["name"] == name]
    assert not finding["ok"]
    assert finding["mend"].startswith("pip install ")
    assert name in done["missing"]


# -- files -------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["", "deeper"])
def test_a_directory_that_can_not_be_made(inside: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    out = tmp_path / "taken" / inside
    one_line(run("record", out, *call_flags(NOWHERE, 1), "--seconds", 1), 1, str(out))
    song = write_tune(tmp_path / "song.ogg", 0.1)
    one_line(run("demo", song, "--out", out), 1, str(out))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_directory_that_can_not_be_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o500)
    song = write_tune(tmp_path / "song.ogg", 0.1)
    one_line(run("demo", song, "--out", out), 1, str(out), "Permission denied")


# -- TLS ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return write_certificates(tmp_path_factory.mktemp("certificates"))


def test_a_server_whose_certificate_nobody_vouches_for(
    certificates: Certificates, tmp_path: Path
) -> None:
    with served("--tls-cert", certificates.certificate, "--tls-key", certificates.key) as server:
        endpoint = server.endpoint.replace("127.0.0.1", "localhost")
        result = run("record", tmp_path, *call_flags(endpoint, 1), "--seconds", 1)
    one_line(result, 1, "certificate is not trusted", "--ca-file")


def test_no_tls_where_the_server_wants_it(certificates: Certificates, tmp_path: Path) -> None:
    with served("--tls-cert", certificates.certificate, "--tls-key", certificates.key) as server:
        url = f"ws://{server.endpoint}"
        result = run("record", tmp_path, *call_flags(url, 1), "--seconds", 1)
    one_line(result, 1, "wss://")


def test_tls_where_the_server_has_none(tmp_path: Path) -> None:
    with served() as server:
        result = run("record", tmp_path, *call_flags(server.endpoint, 1), "--seconds", 1)
    one_line(result, 1, "TLS handshake", "ws://")


# -- the other side ------------------------------------------------------------------------


def test_a_server_that_goes_away_in_mid_play(tmp_path: Path) -> None:
    song = write_tune(tmp_path / "song.ogg", 60.0)
    out = tmp_path / "out"
    with served() as server:
        player = start("play", song, *call_flags(server.url, 1))
        recorder = start("record", out, *call_flags(server.url, 2), "--seconds", 60)
        try:
            for process in (player, recorder):
                assert process.stdout is not None
                assert json.loads(process.stdout.readline())["event"] == "ready"
            wait_recorded(out, 1, 5)
            server.stop()
            for process in (player, recorder):
                output, errors = process.communicate(timeout=50)
                code = process.returncode
                result = subprocess.CompletedProcess(process.args, code, output, errors)
                one_line(result, 1, "no connection", "127.0.0.1")
        finally:
            for process in (player, recorder):
                if process.poll() is None:
                    process.kill()
                    process.communicate()
    assert (out / "1.ogg").stat().st_size > 0  # what came before is kept


def test_recording_while_nobody_speaks(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with served() as server:
        flags = [*call_flags(server.url, 1), "--seconds", 0.5]
        done = finish(start("record", out, *flags))[-1]
        flags.remove("--json")
        result = run("record", out, *flags)
    assert done == {"event": "done", "dave_version": 0, "overflowed": 0, "tracks": []}
    assert sorted(path.name for path in out.iterdir()) == ["recording-2.json", "recording.json"]
    assert result.returncode == 0
    assert "nobody spoke" in result.stdout


def test_recording_ends_with_ctrl_c(tmp_path: Path) -> None:
    with served() as server:
        recorder = start("record", tmp_path, *call_flags(server.url, 1), "--seconds", 60)
        assert recorder.stdout is not None
        recorder.stdout.readline()
        recorder.send_signal(signal.SIGINT)
        out, err = recorder.communicate(timeout=10)
        assert recorder.returncode == 130, err
        assert json.loads(out)["event"] == "done"
        assert server.session_of(1)["close_code"] == 1000
