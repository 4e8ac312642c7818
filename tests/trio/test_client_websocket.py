"""The client's end of a WebSocket, frame by frame, against a server that is bytes in a test."""

import base64
import hashlib
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.uri import parse_uri

from tests.independent import rfc6455
from voicekit.trio.client_websocket import ClientWebSocket

WHERE = parse_uri("ws://server.example:80/?v=8")
MAX_SIZE = 1000
TEXT, BINARY, CLOSE = rfc6455.TEXT, rfc6455.BINARY, rfc6455.CLOSE
PING, PONG, CONTINUATION = rfc6455.PING, rfc6455.PONG, rfc6455.CONTINUATION

Stream = trio.abc.Stream
Peer = Callable[[Stream], Awaitable[None]]


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A frame as servers send it, without a mask."""
    assert len(payload) < 126
    return bytes([fin << 7 | opcode, len(payload)]) + payload


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


async def read_frame(stream: Stream) -> tuple[int, bytes]:
    """Return opcode and payload of the next frame, which must be masked and short."""
    head = await stream.receive_some(2)
    assert head[1] & 0x80
    size = head[1] & 0x7F
    assert size < 126
    mask = await stream.receive_some(4)
    payload = await stream.receive_some(size) if size else b""
    return head[0] & 0x0F, bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))


async def accept(stream: Stream, status: bytes = b"101 Switching Protocols") -> bytes:
    """Answer the opening handshake, and return the request."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += await stream.receive_some()
    key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    await stream.send_all(
        b"HTTP/1.1 " + status + b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    return request


def run(use: Callable[[ClientWebSocket], Awaitable[None]], serve: Peer) -> None:
    """Run both ends; the server's begins behind the handshake."""

    async def main() -> None:
        near, far = memory_stream_pair()

        async def peer() -> None:
            await accept(far)
            await serve(far)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer)
            await use(await opened(near))

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def opened(stream: Stream) -> ClientWebSocket:
    return await ClientWebSocket.open(stream, ClientProtocol(WHERE, max_size=MAX_SIZE), WHERE, None)


def sends(*data: bytes) -> Peer:
    async def serve(stream: Stream) -> None:
        for each in data:
            await stream.send_all(each)

    return serve


def test_messages_arrive_in_order_and_keep_their_kind() -> None:
    async def use(websocket: ClientWebSocket) -> None:
        assert [await websocket.recv() for _ in range(3)] == ["one", b"\0two", "thr€€"]

    data = frame(TEXT, b"one") + frame(BINARY, b"\0two") + frame(TEXT, "thr€€".encode())
    run(use, sends(data))
    run(use, sends(*(bytes([byte]) for byte in data)))


def test_fragments_become_one_message_with_a_ping_in_between() -> None:
    async def serve(stream: Stream) -> None:
        await stream.send_all(frame(TEXT, b"caf\xc3", fin=False))
        await stream.send_all(frame(PING, b"there?"))
        assert await read_frame(stream) == (PONG, b"there?")
        await stream.send_all(frame(CONTINUATION, b"", fin=False) + frame(CONTINUATION, b"\xa9"))

    async def use(websocket: ClientWebSocket) -> None:
        assert await websocket.recv() == "café"

    run(use, serve)


def test_what_is_sent_keeps_its_kind_and_is_masked() -> None:
    received: list[tuple[int, bytes]] = []

    async def serve(stream: Stream) -> None:
        received.extend([await read_frame(stream), await read_frame(stream)])

    async def use(websocket: ClientWebSocket) -> None:
        await websocket.send("é")
        await websocket.send(b"\x00")

    run(use, serve)
    assert received == [(TEXT, "é".encode()), (BINARY, b"\x00")]


def test_a_close_of_the_server_is_answered_and_ends_it_after_what_came_before() -> None:
    async def serve(stream: Stream) -> None:
        await stream.send_all(frame(TEXT, b"last") + close(4006, b"gone"))
        assert await read_frame(stream) == (CLOSE, (4006).to_bytes(2, "big") + b"gone")

    async def use(websocket: ClientWebSocket) -> None:
        assert await websocket.recv() == "last"
        with pytest.raises(ConnectionClosed) as caught:
            await websocket.recv()
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4006, "gone")
        await websocket.send("too late")

    run(use, serve)


@pytest.mark.parametrize("last_word", ["send", "close"])
def test_a_lost_stream_is_told_by_reading_and_not_by_writing(last_word: str) -> None:
    lost = trio.Event()

    async def serve(stream: Stream) -> None:
        await stream.aclose()
        lost.set()

    async def use(websocket: ClientWebSocket) -> None:
        await lost.wait()
        await (websocket.send("anybody?") if last_word == "send" else websocket.aclose())
        with pytest.raises(ConnectionClosed) as caught:
            await websocket.recv()
        assert caught.value.rcvd is None

    run(use, serve)


def test_the_end_of_the_stream_without_a_close_has_no_code() -> None:
    async def use(websocket: ClientWebSocket) -> None:
        with pytest.raises(ConnectionClosed) as caught:
            await websocket.recv()
        assert caught.value.rcvd is None

    async def serve(stream: Stream) -> None:
        await stream.aclose()

    run(use, serve)


def test_our_own_close_ends_when_the_server_has_closed_the_stream() -> None:
    ended = False

    async def serve(stream: Stream) -> None:
        nonlocal ended
        assert await read_frame(stream) == (CLOSE, (1000).to_bytes(2, "big") + b"bye")
        await stream.send_all(frame(TEXT, b"crossed it") + close(1000))
        await trio.sleep(1)
        ended = True
        await stream.aclose()

    async def use(websocket: ClientWebSocket) -> None:
        await websocket.aclose(1000, "bye")
        await websocket.aclose(1000, "bye")
        assert await websocket.recv() == "crossed it"
        with pytest.raises(ConnectionClosed):
            await websocket.recv()
        assert ended

    run(use, serve)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"\xff"), 1007),
        (frame(BINARY, bytes(125)), None),
        (b"\x82\x7e\x04\x00", 1009),
        (b"\xf2\x00", 1002),
        (frame(CONTINUATION, b"of what?"), 1002),
    ],
    ids=["not UTF-8", "fine", "too big", "reserved bits", "no beginning"],
)
def test_a_server_that_breaks_the_protocol_is_told_and_left(data: bytes, code: int | None) -> None:
    told: list[int] = []

    async def serve(stream: Stream) -> None:
        await stream.send_all(data)
        if code is not None:
            opcode, payload = await read_frame(stream)
            assert opcode == CLOSE
            told.append(int.from_bytes(payload[:2], "big"))

    async def use(websocket: ClientWebSocket) -> None:
        if code is None:
            assert await websocket.recv() == bytes(125)
        else:
            with pytest.raises(ConnectionClosed):
                await websocket.recv()

    run(use, serve)
    assert told == ([] if code is None else [code])


def test_a_refused_upgrade_and_an_answer_that_is_none_close_the_stream() -> None:
    async def refuse(stream: Stream) -> None:
        await accept(stream, b"403 Forbidden")
        await stream.aclose()

    async def babble(stream: Stream) -> None:
        await stream.receive_some()
        await stream.send_all(b"220 mail.example ESMTP\r\n\r\n")

    async def vanish(stream: Stream) -> None:
        await stream.receive_some()
        await stream.aclose()

    async def main(peer: Peer, error: type[Exception]) -> None:
        near, far = memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer, far)
            with pytest.raises(error):
                await opened(near)
        with pytest.raises(trio.ClosedResourceError):
            await near.send_all(b"?")

    for peer, error in (
        (refuse, InvalidStatus),
        (babble, InvalidMessage),
        (vanish, InvalidMessage),
    ):
        trio.run(main, peer, error)


def test_a_handshake_that_is_cancelled_closes_the_stream() -> None:
    async def main() -> None:
        near, _ = memory_stream_pair()
        with trio.move_on_after(1):
            await opened(near)
        with pytest.raises(trio.ClosedResourceError):
            await near.send_all(b"?")

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_message_and_the_answer_to_a_ping_do_not_meet_in_the_stream() -> None:
    """The stream takes one sender at a time: who comes second leaves it to the first."""
    got: list[tuple[int, bytes]] = []

    async def serve(stream: Stream) -> None:
        await stream.send_all(frame(PING, b"1") * 5 + frame(TEXT, b"done"))
        got.extend([await read_frame(stream) for _ in range(55)])

    async def use(websocket: ClientWebSocket) -> None:
        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(websocket.send, b"%d" % number)
            assert await websocket.recv() == "done"

    run(use, serve)
    assert sorted(payload for opcode, payload in got if opcode == PONG) == [b"1"] * 5
    assert sorted(int(payload) for opcode, payload in got if opcode == BINARY) == list(range(50))
