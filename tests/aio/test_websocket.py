"""One WebSocket over a transport of asyncio: peers that do not read, answer or make sense."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from voicekit.aio.websocket import WebSocketLink
from voicekit.driver.web_messages import CLOSE_TIMEOUT, MAX_BACKLOG

from ..drivers.asyncio_memory import MemoryNetwork
from ..drivers.virtual_loop import VirtualLoop

PORT = 4000
WHERE = parse_uri(f"ws://server:{PORT}/?v=8")


class Far(asyncio.Protocol):
    """The server's end: upgrades, notes what comes, and says what a test wants."""

    def __init__(self) -> None:
        self.protocol = ServerProtocol()
        self.frames: list[Frame] = []
        self.upgrades = True

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if not isinstance(event, Request):
                self.frames.append(event)
            elif self.upgrades:
                self.protocol.send_response(self.protocol.accept(event))
            else:
                self.protocol.send_response(self.protocol.reject(403, "no"))
        self.flush()

    def flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self.transport.write(data)
            else:
                self.transport.close()


class Near:
    """Our end, and what it reports."""

    def __init__(self, send_timeout: float = 10.0) -> None:
        self.opened = 0
        self.received: list[str | bytes] = []
        self.endings: list[tuple[int | None, str]] = []
        self.failures: list[Exception] = []
        self.link = WebSocketLink(
            opened=self._open,
            receive=self.received.append,
            ended=lambda *ending: self.endings.append(ending),
            failed=self.failures.append,
            send_timeout=send_timeout,
        )

    def _open(self) -> None:
        self.opened += 1


def run(use: Callable[[Near, Far], Awaitable[None]], near: Callable[[], Near] = Near) -> None:
    """Run ``use`` with an open WebSocket; nothing may stay open."""

    async def main() -> None:
        network, far = MemoryNetwork(), Far()
        network._listeners[PORT] = lambda: far
        ours = near()
        await ours.link.dial(network, WHERE, None)
        assert ours.opened == 1
        await use(ours, far)
        ours.link.drop()
        await asyncio.sleep(1)
        assert not network.open

    _run(main())


def _run(main: Any) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main)


def test_messages_go_both_ways_in_order_and_keep_their_kind() -> None:
    async def use(near: Near, far: Far) -> None:
        near.link.send("one")
        near.link.send(b"two")
        await asyncio.sleep(0.1)
        assert [(frame.opcode.name, bytes(frame.data)) for frame in far.frames] == [
            ("TEXT", b"one"),
            ("BINARY", b"two"),
        ]
        far.protocol.send_text(b"thr", fin=False)
        far.protocol.send_continuation(b"ee", fin=True)
        far.protocol.send_binary(b"four")
        far.protocol.send_close(4015, "gone")
        far.flush()
        await asyncio.sleep(0.1)
        assert near.received == ["three", b"four"]
        assert near.endings == [(4015, "gone")]

    run(use)


def test_one_that_is_cut_ends_without_a_code() -> None:
    async def use(near: Near, far: Far) -> None:
        far.transport.abort()
        await asyncio.sleep(0.1)
        assert near.endings == [(None, "")]
        near.link.send("nobody is there")
        near.link.close(1000)

    run(use)


@pytest.mark.parametrize("answers", [True, False])
def test_closing_takes_a_second_at_most_and_reports_nothing(answers: bool) -> None:
    async def use(near: Near, far: Far) -> None:
        near.link.send("last")
        far.transport.stalls_receiving = not answers
        near.link.close(1000, "bye")
        near.link.send("too late")
        far.protocol.send_text(b"unheard")
        far.flush()
        began = asyncio.get_running_loop().time()
        while near.link._transport is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() - began <= CLOSE_TIMEOUT + 0.02
        if answers:
            assert [frame.opcode.name for frame in far.frames] == ["TEXT", "CLOSE"]
        assert near.received == []
        far.transport.abort()

    run(use)


def test_a_peer_that_does_not_read_is_lost_after_the_send_timeout() -> None:
    async def use(near: Near, far: Far) -> None:
        loop = asyncio.get_running_loop()
        near.link._transport.stalls_sending = True  # type: ignore[union-attr]
        near.link.send("stuck")
        began = loop.time()
        await near.link.flush(began + 1)
        assert loop.time() == pytest.approx(began + 1)
        assert near.endings == []
        await near.link.flush(began + 100)
        assert loop.time() == pytest.approx(began + 3)
        assert near.endings == [(None, "")]
        assert not near.link.given_up

    run(use, lambda: Near(send_timeout=3))


def test_a_backlog_beyond_its_bound_loses_the_socket() -> None:
    async def use(near: Near, far: Far) -> None:
        near.link._transport.stalls_sending = True  # type: ignore[union-attr]
        for _ in range(MAX_BACKLOG + 1):
            near.link.send("waits")
        await asyncio.sleep(0.1)
        assert near.endings == []
        near.link.send("one too many")
        await asyncio.sleep(0.1)
        assert near.endings == [(None, "")]

    run(use)


def test_a_peer_that_breaks_the_protocol_is_told_and_left() -> None:
    async def use(near: Near, far: Far) -> None:
        far.transport.write(b"\x81\x02\xff\xfe")  # a text that is not UTF-8
        await asyncio.sleep(0.1)
        (close,) = far.frames
        assert close.opcode.name == "CLOSE"
        assert close.data[:2] == (1007).to_bytes(2, "big")
        assert len(near.endings) == 1

    run(use)


def test_what_a_handler_raises_is_reported_as_what_it_is() -> None:
    async def use(near: Near, far: Far) -> None:
        error = ZeroDivisionError()

        def stumble(message: str | bytes) -> None:
            raise error

        near.link._receive = stumble
        far.protocol.send_text(b"x")
        far.flush()
        await asyncio.sleep(0.1)
        assert near.failures == [error]

    run(use)


def test_a_server_that_refuses_is_an_error_of_dialling() -> None:
    async def main() -> None:
        network, far = MemoryNetwork(), Far()
        far.upgrades = False
        network._listeners[PORT] = lambda: far
        near = Near()
        with pytest.raises(InvalidStatus, match="403"):
            await near.link.dial(network, WHERE, None)
        await asyncio.sleep(0.1)
        assert not network.open
        assert (near.opened, near.endings) == (0, [])

    _run(main())


@pytest.mark.parametrize("moment", [0.0, 0.5])
def test_closing_while_it_is_being_dialled_ends_that(moment: float) -> None:
    class Slow(MemoryNetwork):
        async def connect_stream(self, *where: Any) -> Any:
            transport = await super().connect_stream(*where)
            transport.stalls_receiving = True
            return transport

    async def main() -> None:
        network = Slow()
        network._listeners[PORT] = Far
        near = Near()
        task = asyncio.create_task(near.link.dial(network, WHERE, None))
        near.link.dialling = task
        await asyncio.sleep(moment)
        near.link.close(1000)
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.1)
        assert not network.open

    _run(main())
