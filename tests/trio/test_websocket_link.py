"""One WebSocket: a bounded queue, and an end within bounded time."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock
from websockets.frames import Opcode
from websockets.trio.client import connect
from websockets.trio.connection import Connection
from websockets.trio.server import ServerConnection, serve

from voicekit.config import Config
from voicekit.driver.web_messages import LOGGER
from voicekit.trio import connect as voice_connect
from voicekit.trio.websocket import Ending, WebSocketLink

from .calls import info
from .memory_network import MemoryNetwork


async def with_pair(
    use: Callable[[Connection, ServerConnection], Awaitable[None]],
) -> None:
    """Call ``use`` with both ends of one WebSocket in memory."""
    network = MemoryNetwork()
    accepted: list[ServerConnection] = []
    done = trio.Event()

    async def handle(websocket: ServerConnection) -> None:
        accepted.append(websocket)
        await done.wait()

    async with trio.open_nursery() as nursery:
        listeners = await network.listen("127.0.0.1", 4000)
        start = partial(serve, handle, listeners=listeners, compression=None, ping_interval=None)
        await nursery.start(start)
        stream = await network.connect_stream("127.0.0.1", 4000)
        near = await connect(
            "ws://127.0.0.1:4000/", stream=stream, compression=None, ping_interval=None
        ).connect(nursery)
        while not accepted:
            await trio.lowlevel.checkpoint()
        await use(near, accepted[0])
        done.set()
        nursery.cancel_scope.cancel()


async def carried(
    link: WebSocketLink, websocket: Connection, receive: Callable[[str | bytes], None]
) -> Ending:
    async with trio.open_nursery() as nursery:  # ends when what writes has ended
        return await link.carry(websocket, receive, nursery)
    raise AssertionError("a nursery swallows nothing")


def run(use: Callable[[Connection, ServerConnection], Awaitable[None]]) -> None:
    trio.run(with_pair, use, clock=MockClock(autojump_threshold=0))


def test_messages_go_both_ways_in_order_and_keep_their_kind() -> None:
    async def use(near: Connection, far: ServerConnection) -> None:
        link = WebSocketLink()
        received: list[str | bytes] = []
        link.send("one")
        link.send(b"two")
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def answer() -> None:
                assert await far.recv() == "one"
                assert await far.recv() == b"two"
                await far.send("three")
                await far.send(b"four")
                await far.aclose(4015, "gone")

            with link.scope:
                ending = await carried(link, near, received.append)
        assert received == ["three", b"four"]
        assert ending == Ending(4015, "gone")
        assert not link.given_up

    run(use)


def test_a_socket_that_is_cut_ends_without_a_code() -> None:
    async def use(near: Connection, far: ServerConnection) -> None:
        link = WebSocketLink()
        await trio.aclose_forcefully(far.stream)
        with link.scope:
            assert await carried(link, near, lambda message: None) == Ending(None, "")

    run(use)


def test_closing_sends_what_is_queued_and_then_the_code() -> None:
    async def use(near: Connection, far: ServerConnection) -> None:
        link = WebSocketLink()
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def carry() -> None:
                with link.scope:
                    await carried(link, near, lambda message: None)

            link.send("last")
            link.close(1000, "bye")
            link.send("too late")
            assert await far.recv() == "last"
            with pytest.raises(Exception, match="1000"):
                await far.recv()
        assert (far.close_code, far.close_reason) == (1000, "bye")
        assert link.given_up

    run(use)


def test_a_peer_that_does_not_answer_the_close_is_not_waited_for() -> None:
    async def use(near: Connection, far: ServerConnection) -> None:
        link = WebSocketLink()
        far.stream.stalls_receiving = True  # type: ignore[attr-defined]
        began = trio.current_time()
        link.close(1000)
        with link.scope:
            await carried(link, near, lambda message: None)
        assert trio.current_time() - began <= 1.0

    run(use)


def test_a_peer_that_does_not_read_is_lost_after_the_send_timeout() -> None:
    async def use(near: Connection, far: ServerConnection) -> None:
        link = WebSocketLink(send_timeout=3)
        near.stream.stalls_sending = True  # type: ignore[attr-defined]
        began = trio.current_time()
        link.send("stuck")
        with link.scope:
            await carried(link, near, lambda message: None)
        assert link.scope.cancelled_caught
        assert not link.given_up
        assert trio.current_time() - began == pytest.approx(3)

    run(use)


def test_a_backlog_beyond_its_bound_loses_the_socket() -> None:
    async def use(near: Connection, far: ServerConnection) -> None:
        link = WebSocketLink(max_backlog=10)
        for _ in range(10):
            link.send("waits")
        assert not link.scope.cancel_called
        link.send("one too many")
        with link.scope:
            await carried(link, near, lambda message: None)
        assert link.scope.cancelled_caught
        assert not link.given_up

    run(use)


def test_messages_that_come_after_giving_up_are_not_delivered() -> None:
    async def use(near: Connection, far: ServerConnection) -> None:
        link = WebSocketLink()
        received: list[str | bytes] = []
        await far.send("unheard")
        link.close(1000)
        with link.scope:
            await carried(link, near, received.append)
        assert received == []

    run(use)


def test_debug_logging_of_a_program_does_not_print_messages() -> None:
    # users.md item 43: voice tokens ended up in logs, and from there in bug reports.
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    try:
        assert not LOGGER.isEnabledFor(logging.DEBUG)
    finally:
        root.setLevel(before)


def test_a_client_dials_without_compression_and_sends_no_pings() -> None:
    # The library's keepalive closes with 1011, and nobody else compresses voice signalling.
    seen: list[ServerConnection] = []
    pings: list[object] = []

    class Watched(ServerConnection):
        def process_event(self, event: object) -> None:
            if getattr(event, "opcode", None) is Opcode.PING:
                pings.append(event)
            super().process_event(event)  # type: ignore[arg-type]

    async def handle(websocket: ServerConnection) -> None:
        seen.append(websocket)
        async for _ in websocket:
            pass

    async def main() -> None:
        network = MemoryNetwork()
        async with trio.open_nursery() as nursery:
            listeners = await network.listen("127.0.0.1", 4000)
            start = partial(
                serve, handle, listeners=listeners, ping_interval=None, create_connection=Watched
            )
            await nursery.start(start)
            config = Config(connect_timeout=100)
            with trio.move_on_after(90):
                async with voice_connect(info("ws://h:4000"), config=config, network=network):
                    pytest.fail("that server never says Hello")
            nursery.cancel_scope.cancel()
        assert seen
        for websocket in seen:
            assert websocket.request is not None
            assert "Sec-WebSocket-Extensions" not in websocket.request.headers
        assert not pings

    trio.run(main, clock=MockClock(autojump_threshold=0))
