"""Addresses, sockets that break, and threads that outlast their event loop."""

import asyncio
import socket
import threading
from collections.abc import Callable

import pytest

from voicekit.aio import Network, connect
from voicekit.aio.network import UdpSocket
from voicekit.aio.reception import Reception
from voicekit.aio.threads import in_thread
from voicekit.net import DatagramBatch, Poller
from voicekit.testing.loopback import LoopbackServer

from ..trio.calls import info
from .test_calls import PATIENCE, NoReaders, run, until


def test_a_name_with_several_addresses_is_dialled_until_one_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve = socket.getaddrinfo

    def two_addresses(host: str, *arguments: object, **options: object) -> object:
        if host != "voice.example":
            return resolve(host, *arguments, **options)  # type: ignore[arg-type]
        if options:
            raise socket.gaierror(socket.EAI_NONAME, "a name, not an address")
        # Nobody listens on the first one.
        first = resolve("127.0.0.2", *arguments)  # type: ignore[arg-type]
        return first + resolve("127.0.0.1", *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)

    async def main() -> None:
        port = server.url.rpartition(":")[2]
        async with connect(info(f"ws://voice.example:{port}")) as voice:
            assert voice.connection.is_ready

    with LoopbackServer() as server:
        run(main())


@pytest.mark.parametrize("together", [True, False])
def test_a_socket_that_breaks_is_reported_once_and_the_others_go_on(
    together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if together and not Poller.is_available:
        pytest.skip("Linux's epoll")
    monkeypatch.setattr(Poller, "is_available", together)
    failures: list[Exception] = []
    heard: list[bytes] = []

    def stumble(batch: DatagramBatch) -> None:
        raise OSError("broken")

    async def main() -> None:
        network, reception = Network(), Reception()
        server = socket.socket(type=socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        pair = [await network.connect_datagrams(*server.getsockname()) for _ in range(2)]
        reception.watch(pair[0].fileno(), stumble, failures.append)
        reception.watch(pair[1].fileno(), lambda batch: heard.append(batch[0]), failures.append)
        for _ in range(2):
            for sock in pair:
                assert isinstance(sock, UdpSocket)
                server.sendto(b"data", ("127.0.0.1", sock.port))
            await asyncio.sleep(0.01)
        await until(lambda: len(heard) == 2)
        assert [str(error) for error in failures] == ["broken"]
        reception.forget(pair[1].fileno())
        for sock in (server, *pair):
            sock.close()

    run(main())


def test_what_the_loop_has_read_for_a_task_is_not_overtaken() -> None:
    read, go_on = asyncio.Event(), asyncio.Event()
    heard: list[bytes] = []

    class Slow(NoReaders):
        """From the socket to the task that waits for it takes any time."""

        async def sock_recv(self, sock: socket.socket, size: int) -> bytes:
            data = await super().sock_recv(sock, size)
            read.set()
            await go_on.wait()
            return data

    def hear(batch: DatagramBatch) -> None:
        heard.extend(batch[index] for index in range(len(batch)))

    async def main() -> None:
        reception = Reception()
        with socket.socket(type=socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            sock = await Network().connect_datagrams(*server.getsockname())
            assert isinstance(sock, UdpSocket)
            task = asyncio.create_task(reception.receive_from(sock, hear))
            server.sendto(b"first", ("127.0.0.1", sock.port))
            await read.wait()
            server.sendto(b"second", ("127.0.0.1", sock.port))
            reception.receive_waiting(sock, hear)
            go_on.set()
            await until(lambda: len(heard) == 2)
            task.cancel()
            await asyncio.wait([task])
            sock.close()

    run(main(), Slow)
    assert heard == [b"first", b"second"]


def test_a_thread_that_outlasts_its_event_loop_disturbs_nobody() -> None:
    release = threading.Event()
    ended = threading.Event()

    def stand_still() -> None:
        release.wait(PATIENCE)
        ended.set()

    async def main(fail: Callable[[], None]) -> None:
        waiting = in_thread(stand_still)
        waiting.cancel()
        with pytest.raises(ZeroDivisionError):
            await in_thread(fail)

    def fail() -> None:
        raise ZeroDivisionError

    run(main(fail))
    release.set()
    assert ended.wait(PATIENCE)
