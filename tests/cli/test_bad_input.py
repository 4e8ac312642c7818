"""Whatever is wrong with a command line, its files or its peers: one line that says what to do."""

import socket
import subprocess
from pathlib import Path

import pytest

from .processes import call_flags, run, served, start

NOWHERE = "ws://127.0.0.1:9"


def one_line(result: "subprocess.CompletedProcess[str]", code: int, *words: str) -> None:
    assert result.returncode == code, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in lines[0], lines[0]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = run("play", tmp_path / "none.mp3", *call_flags(NOWHERE, 1))
    one_line(result, 1, "none.mp3", "No such file")


def test_a_directory_instead_of_a_file(tmp_path: Path) -> None:
    one_line(run("play", tmp_path, *call_flags(NOWHERE, 1)), 1, str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"this is no audio\n" * 100])
def test_a_file_of_no_known_format(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    one_line(run("play", path, *call_flags(NOWHERE, 1)), 1, "song.mp3")


def test_a_refused_connection(tmp_path: Path) -> None:
    result = run("record", tmp_path, *call_flags(NOWHERE, 1), "--seconds", 1)
    one_line(result, 1, "127.0.0.1")


def test_a_wrong_token(tmp_path: Path) -> None:
    with served("--token", "the-right-one") as server:
        result = run("record", tmp_path, *call_flags(server.url, 1), "--seconds", 1)
        one_line(result, 1, "token")
        assert "secret-token" not in result.stderr


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_in_use(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        flag = "--ws-port" if kind is socket.SOCK_STREAM else "--udp-port"
        port = taken.getsockname()[1]
        one_line(run("serve", flag, port), 1, str(port), "in use")


def test_libopus_that_is_not_a_library(tmp_path: Path) -> None:
    path = tmp_path / "libopus.so"
    path.write_bytes(b"no library")
    result = run("demo", cwd=tmp_path, VOICEKIT_OPUS_LIBRARY=str(path))
    one_line(result, 1, "VOICEKIT_OPUS_LIBRARY", "libopus.so")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], ["nonsense"]),
        (["play"], ["--help"]),
        (["serve", "--loss", "101"], ["--loss"]),
        (["serve", "--media", "count", "--loss", "5"], ["--loss"]),
        (["serve", "--media", "blind"], ["--media"]),
        (["serve", "--ws-port", "70000"], ["--ws-port"]),
        (["serve", "--mode", "rot13"], ["--mode"]),
        (["serve", "--dave", "maybe"], ["--dave"]),
        (["serve", "--channel-id", "0"], ["--channel-id"]),
        (["serve", "--fault", "explode"], ["--fault", "explode"]),
        (["serve", "--tls-cert", "a.pem"], ["--tls-key"]),
        (["serve", "--tls-cert", "/none.pem", "--tls-key", "/none.pem"], ["/none.pem"]),
        (["record", "out", *call_flags("ws://198.51.100.1:1", 1), "--seconds", 1], ["--insecure"]),
        (["record", "out", *call_flags("127.0.0.1", 1), "--seconds", 1], ["host:port"]),
        (["record", "out", *call_flags(NOWHERE, 1), "--seconds", 1, "--format", "midi"], ["midi"]),
        (["record", "out", *call_flags(NOWHERE, 1), "--seconds", "soon"], ["--seconds"]),
    ],
)
def test_a_wrong_command_line(arguments: list[object], words: list[str]) -> None:
    one_line(run(*arguments), 2, *words)


def test_an_empty_token_on_stdin(tmp_path: Path) -> None:
    flags = [flag if flag != "secret-token" else "-" for flag in call_flags(NOWHERE, 1)]
    one_line(run("record", tmp_path, *flags, "--seconds", 1, stdin="\n"), 2, "--token")


def test_the_help_of_every_command_names_its_flags() -> None:
    for command, flag in {
        "serve": "--ws-port",
        "play": "--bitrate",
        "record": "--seconds",
        "demo": "--out",
        "doctor": "--json",
    }.items():
        result = run(command, "--help")
        assert result.returncode == 0
        assert flag in result.stdout


def test_interrupting_the_server_prints_its_statistics() -> None:
    process = start("serve", "--json")
    try:
        assert process.stdout is not None
        assert "listening" in process.stdout.readline()
        process.send_signal(2)
        out, _ = process.communicate(timeout=10)
        assert process.returncode == 0
        assert '"stats"' in out
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
