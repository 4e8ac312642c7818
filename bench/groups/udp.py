"""From the socket to an `AudioFrame`: bursts that wait in a real socket, on each road there is.

What counts is processor time of the thread, from the moment that the burst waits: an event loop
may sleep before it looks, and that costs nobody anything.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from importlib.util import find_spec
from typing import Any

import trio

from voicekit import VoiceServerInfo
from voicekit._crypto import available_modes
from voicekit._datagrams import DatagramBatch
from voicekit.config import Config
from voicekit.connection import VoiceConnection
from voicekit.server import ServerConfig
from voicekit.trio import Voice, connect, serve
from voicekit.trio.server import Listening

from .. import libraries
from .._limit import receive_datagrams
from ..in_session import PAYLOAD, Call, Speaker, server_cipher
from ..options import Options
from ..results import Row
from ..rounds import Timing, Work
from .seal import LABELS

__all__ = ["run"]

#: Datagrams that wait in the socket when it is looked at. 64 is a batch of recvmmsg.
BURST = 64
#: One datagram has to pay for the whole turn of the event loop; 192 still fit into the
#: buffer that systems give by default.
BURSTS = (1, 8, BURST, 192)
#: Calls with one datagram each: what a tick of a millisecond brings to a thousand of them.
CALLS = 50
#: What a row would leave one to wonder about.
NOTES = {
    "asyncio, DatagramProtocol": "256 KiB are allocated for each: 3 or 17 µs, as malloc finds them",
}
C_NAME = "C: recvmmsg, 64 at a time, and libsodium"


def run(options: Options) -> Iterator[Row]:
    """The trio runner, then asyncio and plain loops."""
    cipher = "aes" if libraries.CIPHERS["aes"] in available_modes() else "xchacha"
    yield from trio.run(_in_the_runner, options, cipher)
    yield from _elsewhere(options, cipher)


class Wire:
    """A socket that is read, and the speaker whose datagrams wait in it."""

    def __init__(self, cipher: str) -> None:
        self.call = Call(cipher)
        self._far, self.sock = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
        for sock in (self._far, self.sock):
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
        self._far.connect(self.sock.getsockname())
        self.sock.connect(self._far.getsockname())
        self.exits = ExitStack()  #: what `close` calls, the last first
        self.exits.callback(self._far.close)
        self.exits.callback(self.sock.close)

    def send(self, n: int) -> None:
        """Let ``n`` more datagrams wait."""
        for packet in self.call.packets(n):
            self._far.send(packet)

    def close(self) -> None:
        self.exits.close()


def _limit(wire: Wire, cipher: str) -> Work:
    """Receive and open in C what waits."""
    aead = libraries.sodium(cipher, wire.call.receiver_key)

    def work(n: int) -> float:
        wire.send(n)
        return receive_datagrams(wire.sock.fileno(), n, aead)

    return work


# -- the trio runner -------------------------------------------------------------------


class Listener:
    """A call in the runner that hears one speaker, by the server's own socket."""

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.frames = voice.frames()

    async def begin(self, listening: Listening) -> None:
        """Take over from the real speaker, who has spoken."""
        last = await self.frames.receive()
        info, server = self.voice.connection.info, listening.server
        self._speaker = Speaker(server_cipher(server, info), last)
        address = server._board.sessions[info.server_id, info.user_id].address
        assert address is not None
        self._address = address
        self._server_socket = listening._shell.udp

    def send(self, n: int) -> None:
        """Let ``n`` datagrams wait in its socket."""
        for packet in self._speaker.datagrams([PAYLOAD] * n):
            self._server_socket.send_to(packet, self._address)

    async def hear(self, n: int) -> None:
        """Take ``n`` frames."""
        items = self.frames._items
        while True:
            n -= len(items)
            items.clear()
            if n <= 0:
                return
            await self.frames.receive()
            n -= 1

    def check(self) -> None:
        """Raise `AssertionError` if anything was lost or dropped."""
        stats = self.voice.connection.stats()
        assert not stats.drops, stats.drops
        assert not any(stream.lost for stream in stats.streams.values())


async def _in_the_runner(options: Options, cipher: str) -> list[Row]:
    """Calls over a server on this machine, one speaker in all of them."""
    mode = libraries.CIPHERS[cipher]
    config = Config(modes=(mode,), dave=False)
    #: What waits in how many sockets: figures of ours, and of the limit.
    cases = [(1, burst) for burst in BURSTS] + [(CALLS, 1)]
    ours: dict[tuple[int, int], list[float]] = {case: [] for case in cases}
    limits: dict[tuple[int, int], list[float]] = {case: [] for case in cases}
    wire = Wire(cipher)
    limit = _limit(wire, cipher)
    async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
        server_config = ServerConfig(modes=(mode,), dave="off", receive_after_send=False)
        listening: Listening = await nursery.start(serve, server_config)

        async def join(user_id: int) -> Voice:
            info = _info(listening.url, user_id)
            return await stack.enter_async_context(connect(info, config=config))

        listeners = [Listener(await join(11 + n)) for n in range(CALLS)]
        speaker = await join(10)
        speaker.send_audio(PAYLOAD)
        for listener in listeners:
            await listener.begin(listening)

        async def measured(calls: int, burst: int) -> float:
            for listener in listeners[:calls]:
                listener.send(burst)
            start = time.thread_time()
            for listener in listeners[:calls]:
                await listener.hear(burst)
            return (time.thread_time() - start) / (calls * burst)

        with trio.fail_after(60 + options.rounds):
            for turn in range(options.rounds + 1):
                for calls, burst in cases:
                    figure, lowest = await measured(calls, burst), limit(calls * burst)
                    if turn:  # the first warms up
                        ours[calls, burst].append(figure)
                        limits[calls, burst].append(lowest / (calls * burst))
        for listener in listeners:
            listener.check()
        await stack.aclose()
        nursery.cancel_scope.cancel()
    wire.close()
    label = f"{LABELS[cipher]}: the trio runner"
    return [
        Row.timed(
            "udp",
            f"{label}, bursts of {burst}" if calls == 1 else f"{label}, {calls} calls, one each",
            Timing(tuple(ours[calls, burst])),
            limit=Timing(tuple(limits[calls, burst])),
            limit_name=C_NAME,
            budget="datagram" if burst == BURST and cipher == "aes" else "",
            note="processor time",
        )
        for calls, burst in cases
    ]


def _info(url: str, user_id: int) -> VoiceServerInfo:
    return VoiceServerInfo(
        endpoint=url,
        server_id=1,
        channel_id=2,
        user_id=user_id,
        session_id=f"session {user_id}",
        token="token",
    )


# -- asyncio, and no event loop -----------------------------------------------------------


def _elsewhere(options: Options, cipher: str) -> Iterator[Row]:
    roads: dict[str, Callable[[Wire], Work]] = {
        "a loop over recv and open_datagram": _one_by_one,
        "asyncio, DatagramProtocol": _datagram_protocol,
    }
    if find_spec("voicekit.net._udp") and hasattr(VoiceConnection, "receive_batch"):
        roads |= {
            "voicekit.net.drain, without an event loop": _drained,
            "asyncio, add_reader and voicekit.net.drain": _add_reader,
        }
    wires = {name: Wire(cipher) for name in ("limit", *roads)}
    work = {name: make(wires[name]) for name, make in roads.items()}
    found = options.measure({"limit": _limit(wires["limit"], cipher), **work}, most=BURST)
    for name, wire in wires.items():
        if name != "limit":
            wire.call.check()
        wire.close()
    for name in roads:
        yield Row.timed(
            "udp",
            f"{LABELS[cipher]}: {name}, bursts of {BURST}",
            found[name],
            limit=found["limit"],
            limit_name=C_NAME,
            note="; ".join(filter(None, ("processor time", NOTES.get(name, "")))),
        )


def _timed(wire: Wire, read: Callable[[int], None]) -> Work:
    """Return the work of reading what waits; ``read`` is told how many there are."""

    def work(n: int) -> float:
        wire.send(n)
        start = time.thread_time()
        read(n)
        return time.thread_time() - start

    return work


def _one_by_one(wire: Wire) -> Work:
    connection, receive, now = wire.call.receiver, wire.sock.recv, wire.call.now

    def read(n: int) -> None:
        for _ in range(n):
            connection.open_datagram(receive(65536), now)

    return _timed(wire, read)


def _drained(wire: Wire) -> Work:
    take = _taking(wire)

    def read(n: int) -> None:
        while n > 0:
            n -= take()

    return _timed(wire, read)


def _taking(wire: Wire) -> Callable[[], int]:
    """Return what takes a batch from the socket to frames, and says how many."""
    from voicekit.net import drain

    batch = DatagramBatch()
    connection: Any = wire.call.receiver
    fd, now = wire.sock.fileno(), wire.call.now
    link = connection._path.link

    def take() -> int:
        drain(fd, batch)
        return len(connection.receive_batch(link, batch, now))

    return take


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, wire: Wire) -> None:
        self._open, self._now = wire.call.receiver.open_datagram, wire.call.now
        self.left = 0
        self.done: asyncio.Future[None] | None = None

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._open(data, self._now)
        self.left -= 1
        if self.left == 0 and self.done is not None:
            self.done.set_result(None)


def _datagram_protocol(wire: Wire) -> Work:
    loop = _new_loop(wire)
    making = loop.create_datagram_endpoint(lambda: _Protocol(wire), sock=wire.sock.dup())
    transport, protocol = loop.run_until_complete(making)

    def close() -> None:
        transport.close()
        loop.run_until_complete(asyncio.sleep(0))  # it closes its socket then

    wire.exits.callback(close)

    def read(n: int) -> None:
        protocol.left, protocol.done = n, loop.create_future()
        loop.run_until_complete(protocol.done)

    return _timed(wire, read)


def _add_reader(wire: Wire) -> Work:
    loop = _new_loop(wire)
    take = _taking(wire)
    left = 0
    done: asyncio.Future[None] = loop.create_future()

    def readable() -> None:
        nonlocal left
        left -= take()
        if left <= 0 and not done.done():
            done.set_result(None)

    loop.add_reader(wire.sock.fileno(), readable)
    wire.exits.callback(loop.remove_reader, wire.sock.fileno())

    def read(n: int) -> None:
        nonlocal left, done
        left, done = n, loop.create_future()
        loop.run_until_complete(done)

    return _timed(wire, read)


def _new_loop(wire: Wire) -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    wire.exits.callback(loop.close)
    return loop
