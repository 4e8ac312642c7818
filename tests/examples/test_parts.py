"""The examples of the machines that are public on their own."""

import asyncio
import runpy
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.independent.process import OURS, PLAIN, ServerProcess
from voicekit.codes import SILENCE_FRAME
from voicekit.discovery import build_reply, parse_request

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


def test_rtp_session(capsys: pytest.CaptureFixture[str]) -> None:
    load("rtp_session")
    printed = capsys.readouterr().out
    assert printed.count("user 7: 81 bytes, 960 samples") == 3
    assert "{'duplicate': 1}" in printed


def test_pacer_alone(capsys: pytest.CaptureFixture[str]) -> None:
    heard = asyncio.run(load("pacer_alone")["main"](12))
    assert [int.from_bytes(frame.opus[1:5], "big") for frame in heard[:12]] == [*range(12)]
    assert [frame.opus for frame in heard[12:]] == [SILENCE_FRAME] * 5
    assert "sent 12 frames" in capsys.readouterr().out


def test_ip_discovery() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)

        def answer() -> None:
            request, address = server.recvfrom(2048)
            ssrc = parse_request(request)
            assert ssrc == 99
            server.sendto(build_reply(ssrc, *address), address)

        thread = threading.Thread(target=answer)
        thread.start()
        found = load("ip_discovery")["discover"]("127.0.0.1", server.getsockname()[1], 99)
        thread.join()
    assert found is not None
    assert found[0] == "127.0.0.1"


@pytest.mark.parametrize("command", [OURS, PLAIN], ids=["voicekit serve", "plain server"])
def test_gateway_only(command: tuple[str, ...]) -> None:
    with ServerProcess(command=command) as server:
        assert load("gateway_only")["watch"](server.url, 0.5) == ["Closed: we left"]
