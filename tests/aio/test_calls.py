"""Whole calls on asyncio over real sockets, against the voice server in a thread of its own.

What does not depend on sockets is tested in tests/drivers, on both event loops.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from voicekit.aio import Voice, connect
from voicekit.config import Config
from voicekit.errors import ConnectFailed
from voicekit.events import Closed
from voicekit.net import Poller
from voicekit.server import ServerConfig, SessionStats
from voicekit.server_info import VoiceServerInfo
from voicekit.testing.loopback import LoopbackServer

from ..independent.certificates import Certificates
from ..trio.calls import EARS, MOUTH, SILENCE, Packets, info, numbered

#: Nothing here should take longer; seconds.
PATIENCE = 20
DAVE = ServerConfig(default_channel_id=2000, dave="required")


class NoReaders(asyncio.SelectorEventLoop):
    """An event loop that does not watch sockets for others."""

    add_reader = asyncio.AbstractEventLoop.add_reader


#: Windows has the real one.
NO_READERS = getattr(asyncio, "ProactorEventLoop", NoReaders)


@pytest.fixture(
    params=["one poller", "each socket", "no readers", "uvloop"],
)
def new_loop(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], asyncio.AbstractEventLoop]:
    """Each way on which datagrams come to a call."""
    if request.param == "uvloop":
        new_event_loop = pytest.importorskip("uvloop").new_event_loop
        assert callable(new_event_loop)
        return new_event_loop
    if request.param == "one poller" and not Poller.is_available:
        pytest.skip("Linux's epoll")
    if request.param == "each socket":
        monkeypatch.setattr(Poller, "is_available", False)
    return NO_READERS if request.param == "no readers" else asyncio.SelectorEventLoop


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(DAVE) as running:
        yield running


def run(
    main: Coroutine[Any, Any, None],
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.SelectorEventLoop,
) -> None:
    """Run ``main``; afterwards only its own task may be there, and nothing may have gone wrong."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await main
        assert asyncio.all_tasks() == {asyncio.current_task()}

    problems: list[object] = []
    with asyncio.Runner(debug=True, loop_factory=new_loop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: problems.append(context))
        runner.run(bounded())
    assert not problems


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


def ended(server: LoopbackServer) -> list[SessionStats]:
    """Return what the server says of all sessions, when they have ended for it, too."""
    deadline = time.monotonic() + PATIENCE
    while any(stats.state != "ended" for stats in server.stats()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return server.stats()


async def speak(voice: Voice, packets: list[bytes]) -> None:
    for packet in packets:
        assert voice.send_audio(packet)
        await asyncio.sleep(0.002)
    voice.stop_audio()


def test_audio_goes_both_ways_end_to_end_encrypted(
    server: LoopbackServer, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def main() -> None:
        async with connect(server.info(MOUTH)) as mouth, connect(server.info(EARS)) as ears:
            await asyncio.gather(mouth.wait_encrypted(), ears.wait_encrypted())
            there, back = ears.frames(), mouth.frames()
            await asyncio.gather(speak(mouth, numbered(10)), speak(ears, numbered(20)[10:]))
            assert [(await there.receive()).opus for _ in range(15)] == numbered(10) + SILENCE
            assert [(await back.receive()).opus for _ in range(15)] == numbered(20)[10:] + SILENCE
            await mouth.play(Packets(numbered(5)))
            assert [(await there.receive()).opus for _ in range(10)] == numbered(5) + SILENCE
            assert mouth.stats().frames_sent_clear == ears.stats().frames_sent_clear == 0
        assert isinstance(ears.closed, Closed)
        assert [frame async for frame in there] == []

    run(main(), new_loop)
    assert [stats.close_code for stats in ended(server)] == [1000, 1000]
    assert [stats.packets_bad for stats in ended(server)] == [{}, {}]


@pytest.mark.parametrize("fault", ["drop", 4015])
def test_every_packet_arrives_whatever_becomes_of_the_websocket(
    certificates: Certificates, fault: str | int
) -> None:
    packets, heard = numbered(40), []

    def disturb(running: Any, now: float) -> None:
        if fault == "drop":
            running.faults.drop(now, user_id=MOUTH)
        else:
            running.faults.close(fault, now, user_id=MOUTH)

    async def collect(ears: Voice) -> None:
        async for frame in ears.frames():
            heard.append(frame.opus)

    async def main() -> None:
        tls = certificates.client_context()
        async with (
            connect(where(server, MOUTH), ssl_context=tls) as mouth,
            connect(where(server, EARS), ssl_context=tls) as ears,
        ):
            reader = asyncio.create_task(collect(ears))
            playing = asyncio.create_task(mouth.play(Packets(packets), ring=1.0))
            await until(lambda: mouth.frames_played > 5)
            await asyncio.to_thread(server.call, disturb)
            await playing
            await until(lambda: len(heard) == 45 and mouth.stats().resumes == 1)
        await reader

    with LoopbackServer(ssl_context=certificates.server_context()) as server:
        run(main())
    assert heard == packets + SILENCE
    assert [stats.close_code for stats in ended(server)][-1] == 1000


def where(server: LoopbackServer, user_id: int) -> VoiceServerInfo:
    return info(server.endpoint, user_id)


def test_a_certificate_that_is_not_trusted_says_so(certificates: Certificates) -> None:
    async def main() -> None:
        with pytest.raises(ConnectFailed, match=r"certificate.*not trusted"):
            await refused(info(server.endpoint), ssl.create_default_context())
        with LoopbackServer() as plain, pytest.raises(ConnectFailed, match="TLS"):
            await refused(info(plain.endpoint), ssl.create_default_context())

    with LoopbackServer(ssl_context=certificates.server_context()) as server:
        run(main())


def test_an_unreachable_server_is_refused_in_one_line(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def main() -> None:
        with pytest.raises(ConnectFailed, match=r"[Cc]onnection refused") as caught:
            await refused(info(f"ws://127.0.0.1:{port}"), None)
        assert "\n" not in str(caught.value)

    run(main(), new_loop)


async def refused(there: VoiceServerInfo, context: ssl.SSLContext | None) -> None:
    async with connect(there, config=Config(max_attempts=1), ssl_context=context):
        pytest.fail("nobody is to be reached there")


def test_a_server_that_speaks_no_websocket_is_named_as_such() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def main() -> None:
        listening = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        async with listening:
            with pytest.raises(ConnectFailed, match="404"):
                await refused(info(f"ws://127.0.0.1:{port}"), None)

    run(main())
