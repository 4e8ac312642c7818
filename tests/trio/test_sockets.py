"""The same over real sockets on loopback, WebSockets with and without TLS."""

import socket
import ssl
import time
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import trio
from websockets.exceptions import ConnectionClosed
from websockets.trio.client import ClientConnection
from websockets.trio.client import connect as open_websocket

from voicekit.config import Config
from voicekit.errors import ConnectFailed, MediaError
from voicekit.server import ServerConfig
from voicekit.trio import Listening, Voice, connect

from ..independent.certificates import Certificates
from .calls import (
    EARS,
    MOUTH,
    SILENCE,
    Packets,
    account,
    collect,
    info,
    numbered,
    running_server,
    until,
)

LISTENER = Config(receive_only=True)
#: Nothing here should take longer; seconds.
PATIENCE = 20


@asynccontextmanager
async def two_clients(
    listening: Listening, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Voice, Voice]]:
    async with (
        connect(info(listening.url, EARS), config=LISTENER, ssl_context=context) as ears,
        connect(info(listening.url, MOUTH), ssl_context=context) as mouth,
    ):
        yield mouth, ears


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("fault", [None, "drop", 4015])
def test_every_packet_arrives_whatever_becomes_of_the_websocket(
    certificates: Certificates, tls: bool, fault: str | int | None
) -> None:
    async def main() -> None:
        server_tls = certificates.server_context() if tls else None
        client_tls = certificates.client_context() if tls else None
        packets = numbered(60)
        heard: list[bytes] = []
        with trio.fail_after(PATIENCE):
            async with (
                running_server(ssl_context=server_tls) as listening,
                two_clients(listening, client_tls) as (mouth, ears),
                trio.open_nursery() as nursery,
            ):
                assert listening.url.startswith("wss://" if tls else "ws://")
                nursery.start_soon(collect, ears.frames(), heard)
                async with trio.open_nursery() as playing:
                    playing.start_soon(partial(mouth.play, Packets(packets), ring=1.0))
                    await until(lambda: mouth.frames_played > 10)
                    now = trio.current_time()
                    if fault == "drop":
                        listening.server.faults.drop(now, user_id=MOUTH)
                    elif fault is not None:
                        listening.server.faults.close(int(fault), now, user_id=MOUTH)
                    listening.drain()
                await until(lambda: len(heard) == 65)
                if fault is not None:
                    await until(lambda: mouth.stats().resumes == 1)
                nursery.cancel_scope.cancel()
        assert heard == packets + SILENCE
        said = account(listening, MOUTH)
        assert (said.packets_valid, said.packets_missing, said.packets_bad) == (65, 0, {})
        assert said.close_code == 1000
        assert mouth.datagrams_unsent == 0

    trio.run(main)


def test_audio_begins_when_the_ring_is_full() -> None:
    class Slow(Packets):
        def read(self) -> bytes | None:
            time.sleep(0.03)  # a frame has 20 ms; this one does not block, but computes
            return super().read()

    async def main() -> None:
        packets = numbered(10)
        heard: list[bytes] = []
        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                two_clients(listening) as (mouth, ears),
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(collect, ears.frames(), heard)
                await mouth.play(Slow(packets), ring=1.0)
                await until(lambda: len(heard) >= 15)
                nursery.cancel_scope.cancel()
        assert heard == packets + SILENCE

    trio.run(main)


def test_a_certificate_that_is_not_trusted_says_so(certificates: Certificates) -> None:
    async def main() -> None:
        quick = Config(max_attempts=1)
        async with running_server(ssl_context=certificates.server_context()) as listening:
            context = ssl.create_default_context()
            with pytest.raises(ConnectFailed, match=r"certificate.*not trusted") as caught:
                async with connect(info(listening.url), config=quick, ssl_context=context):
                    pytest.fail("nobody signed that")
            assert caught.value.stage == "websocket"
            # An endpoint without a scheme means TLS, to which ws:// servers have no answer.
            async with running_server() as plain:
                with pytest.raises(ConnectFailed):
                    async with connect(info(plain.endpoint), config=quick):
                        pytest.fail("there is no TLS")

    trio.run(main)


def test_a_bare_endpoint_is_dialled_with_tls(certificates: Certificates) -> None:
    async def main() -> None:
        async with (
            running_server(ssl_context=certificates.server_context()) as listening,
            connect(info(listening.endpoint), ssl_context=certificates.client_context()) as voice,
        ):
            assert voice.connection.is_ready

    trio.run(main)


def test_an_unreachable_server_is_refused_in_one_line() -> None:
    async def main() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with pytest.raises(ConnectFailed, match="refused") as caught:
            async with connect(info(f"ws://127.0.0.1:{port}"), config=Config(max_attempts=2)):
                pytest.fail("nobody is there")
        assert caught.value.stage == "websocket"
        assert caught.value.attempts == 2
        assert "\n" not in str(caught.value)

    trio.run(main)


def test_udp_that_nobody_answers_is_udp_discovery() -> None:
    async def main() -> None:
        config = Config(discovery_attempts=2, discovery_interval=0.05)
        with socket.socket(type=socket.SOCK_DGRAM) as deaf:
            deaf.bind(("127.0.0.1", 0))
            async with running_server() as listening:
                listening.server.set_udp_address("127.0.0.1", deaf.getsockname()[1])
                with pytest.raises(ConnectFailed) as caught:
                    async with connect(info(listening.url), config=config):
                        pytest.fail("there is no UDP")
        assert (caught.value.stage, caught.value.attempts) == ("udp_discovery", 2)

    trio.run(main)


def test_hostile_datagrams_and_connections_do_not_disturb_a_call() -> None:
    async def main() -> None:
        packets = numbered(30)
        heard: list[bytes] = []
        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                two_clients(listening) as (mouth, ears),
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(collect, ears.frames(), heard)
                # All of it is ready before the noise begins, which shares this thread.
                nursery.start_soon(partial(mouth.play, Packets(packets), ring=1.0))
                with socket.socket(type=socket.SOCK_DGRAM) as stranger:
                    for size in (0, 1, 11, 12, 13, 74, 500, 65_507):
                        for _ in range(20):
                            datagram = bytes([0x80, 0x78]) + bytes(size)
                            stranger.sendto(datagram[:size], ("127.0.0.1", listening.udp_port))
                        await trio.sleep(0.01)
                for garbage in (b"", b"\0" * 5000, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"):
                    stream = await trio.open_tcp_stream("127.0.0.1", listening.ws_port)
                    await stream.send_all(garbage)
                    await stream.aclose()
                await until(lambda: len(heard) == 35)
                nursery.cancel_scope.cancel()
        assert heard == packets + SILENCE

    trio.run(main)


def test_a_client_that_does_not_read_is_dropped_and_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voicekit.trio.websocket_server.SEND_TIMEOUT", 0.1)

    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with (
                running_server() as listening,
                trio.open_nursery() as nursery,
                connect(info(listening.url, MOUTH)) as voice,
            ):
                dial = open_websocket(f"{listening.url}/?v=8", compression=None, max_queue=1)
                lazy = await dial.connect(nursery)
                await lazy.send(_identify(EARS))
                await until(lambda: len(listening.server.stats()) == 2)
                while account(listening, EARS).state == "ready":
                    now = trio.current_time()
                    listening.server.faults.raw("x" * 100_000, now, user_id=EARS)
                    listening.drain()
                    await trio.sleep(0.001)
                await voice.play(Packets(numbered(3)))
                assert account(listening, MOUTH).packets_valid == 8
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_file_is_played_and_a_missing_one_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "fifth.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", "not compressed"))
        file.writeframes(bytes(2 * 9_600))

    async def main() -> None:
        async with running_server() as listening, connect(info(listening.url)) as voice:
            with pytest.raises(MediaError, match=r"nowhere\.ogg"):
                await voice.play(tmp_path / "nowhere.ogg")
            await voice.play(path)
            assert voice.frames_played == 10
            await voice.play(str(path))
            assert account(listening).packets_valid == 30

    trio.run(main)


def test_messages_of_a_stranger_close_its_socket_and_not_the_server() -> None:
    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with running_server(ServerConfig(max_message_size=1000)) as listening:
                hostile = (
                    (b"\x1a", (4003,)),
                    ("x" * 2_000, (1009,)),
                    ("x" * (8 << 20), (1009, 1006)),
                )
                for message, codes in hostile:
                    async with open_websocket(f"{listening.url}/?v=8") as client:
                        with suppress(ConnectionClosed):
                            await client.send(message)
                            async for _ in client:
                                pass
                        assert client.close_code in codes
                async with connect(info(listening.url)) as voice:
                    assert voice.connection.is_ready

    trio.run(main)


def test_the_server_listens_on_loopback_unless_told_otherwise() -> None:
    async def main() -> None:
        async with running_server() as listening:
            assert listening.host == "127.0.0.1"
            assert listening.endpoint == f"127.0.0.1:{listening.ws_port}"
            assert listening.url == f"ws://127.0.0.1:{listening.ws_port}"

    trio.run(main)


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost"])
def test_a_server_told_otherwise_is_reached_from_this_machine_too(host: str) -> None:
    async def main() -> None:
        async with (
            running_server(host=host) as listening,
            connect(info(listening.url)) as voice,
        ):
            assert listening.host in ("127.0.0.1", "::1")
            assert voice.connection.is_ready

    trio.run(main)


def test_ipv6_works_where_there_is_ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")

    async def main() -> None:
        async with running_server(host="::1") as listening:
            assert listening.url == f"ws://[::1]:{listening.ws_port}"
            async with connect(info(listening.url)) as voice:
                await voice.play(Packets(numbered(3)))
                assert account(listening).packets_valid == 8

    trio.run(main)


def test_a_port_in_use_is_an_os_error() -> None:
    async def main() -> None:
        async with running_server() as listening:
            with pytest.raises(BaseExceptionGroup) as caught:
                async with running_server(ws_port=listening.ws_port):
                    pytest.fail("it is taken")
            assert caught.group_contains(OSError, match="in use")
            with pytest.raises(BaseExceptionGroup) as caught:
                async with running_server(udp_port=listening.udp_port):
                    pytest.fail("it is taken")
            assert caught.group_contains(OSError, match="in use")

    trio.run(main)


def test_a_bug_in_the_core_stops_the_server_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise LookupError("a bug")

    async def main() -> None:
        async with running_server() as listening:
            monkeypatch.setattr(listening.server, "receive_text", fail, raising=False)
            async with open_websocket(f"{listening.url}/?v=8") as client:
                await client.send("{}")
                await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:
        trio.run(main)
    assert caught.group_contains(LookupError, match="a bug")


def test_a_cancelled_server_says_1001() -> None:
    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery, running_server() as listening:
                client = await open_websocket(f"{listening.url}/?v=8").connect(nursery)
                await client.recv()  # Hello
                nursery.start_soon(_expect_close, client, 1001)

    trio.run(main)


async def _expect_close(client: ClientConnection, code: int) -> None:
    async for _ in client:
        pass
    assert client.close_code == code


def _identify(user_id: int) -> str:
    return (
        f'{{"op":0,"d":{{"server_id":"100","user_id":"{user_id}","session_id":"s","token":"t"}}}}'
    )
