"""The selectors loop of examples/ against the loopback server: encrypted, and resumed."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from voicekit import VoiceServerInfo
from voicekit.errors import AuthenticationFailed
from voicekit.events import AudioFrame
from voicekit.media import OggOpusWriter
from voicekit.server import ServerConfig
from voicekit.testing import LoopbackServer

from .loading import EXAMPLES, load

selectors_loop = load("selectors_loop")

SILENCE = b"\xf8\xff\xfe"
PACKETS = [b"\xfc" + n.to_bytes(4, "big") + bytes(75) for n in range(30)]
PATIENCE = 20.0


def join(info: VoiceServerInfo, *on_event: Any) -> Any:
    call = selectors_loop.Call(info, *on_event)
    call.call(call.connection.start)
    return call


def leave(call: Any) -> None:
    call.call(call.connection.close)
    end = time.monotonic() + PATIENCE
    while call.websockets and time.monotonic() < end:
        call.run(time.monotonic() + 0.02)
    assert not call.websockets
    assert not call.udp
    call.selector.close()


class Listener(threading.Thread):
    """Somebody in the call, in the same loop in another thread."""

    def __init__(self, server: LoopbackServer, count: int) -> None:
        super().__init__()
        self.frames: list[AudioFrame] = []
        self.here = threading.Event()
        self._server, self._count = server, count

    def note(self, event: object) -> None:
        if isinstance(event, AudioFrame):
            self.frames.append(event)

    def run(self) -> None:
        call = join(self._server.info(2), self.note)
        end = time.monotonic() + PATIENCE
        while len(self.frames) < self._count and time.monotonic() < end:
            call.run(time.monotonic() + 0.02)
            if call.connection.is_ready:
                self.here.set()
        leave(call)


def test_it_has_less_than_a_hundred_lines() -> None:
    assert len((EXAMPLES / "selectors_loop.py").read_text().splitlines()) < 100


@pytest.mark.parametrize("fault", [None, "close", "drop"])
def test_audio_gets_through_end_to_end_encrypted(fault: str | None) -> None:
    with LoopbackServer(ServerConfig(dave="required", default_channel_id=2000)) as server:
        bob = Listener(server, len(PACKETS) + 5)
        bob.start()
        assert bob.here.wait(PATIENCE)
        alice = join(server.info(1))

        def packets() -> Iterator[bytes]:
            for n, packet in enumerate(PACKETS):
                if n == 10 and fault == "drop":
                    server.call(lambda core, now: core.faults.drop(now, user_id=1))
                elif n == 10 and fault == "close":
                    server.call(lambda core, now: core.faults.close(4015, now, user_id=1))
                yield packet

        alice.play(packets())
        bob.join(PATIENCE)
        leave(alice)
        session = next(s for s in server.stats() if s.user_id == 1)
    assert [frame.opus for frame in bob.frames] == [*PACKETS, *[SILENCE] * 5]
    assert all(frame.e2ee for frame in bob.frames if frame.opus != SILENCE)
    assert session.packets_bad == {}
    assert session.resumes == (0 if fault is None else 1)


def test_what_ended_the_call_is_raised() -> None:
    with LoopbackServer(ServerConfig(token="another")) as server:
        call = selectors_loop.Call(replace(server.info(1), token="wrong"))

        def start_and_play() -> None:  # an answer that comes at once is raised by `start` already
            call.call(call.connection.start)
            call.play([])

        with pytest.raises(AuthenticationFailed, match="4004"):
            start_and_play()
        leave(call)


def test_it_plays_a_file_as_a_program(tmp_path: Path) -> None:
    file = tmp_path / "tune.ogg"
    with closing(OggOpusWriter(file)) as writer:
        for packet in PACKETS:
            writer.write(packet)
    with LoopbackServer() as server:
        program = [sys.executable, str(EXAMPLES / "selectors_loop.py"), str(file), server.url]
        done = subprocess.run(program, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        (session,) = server.stats()
    assert session.packets_valid == len(PACKETS) + 5
    assert session.packets_bad == {}
