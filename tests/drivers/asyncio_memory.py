"""The voice server and its clients in one process on asyncio: a network in memory, virtual time."""

import asyncio
import errno
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from voicekit.aio import Network
from voicekit.aio.loop import Parking
from voicekit.aio.pump import Engine
from voicekit.net import DatagramBatch
from voicekit.server import ServerConfig, VoiceServer
from voicekit.server.outputs import (
    CloseWebSocket,
    DropWebSocket,
    SendBinary,
    SendDatagram,
    SendText,
)

Address = tuple[str, int]
HOST = "127.0.0.1"


class MemoryNetwork(Network):
    """TCP and UDP to a `Listening`; nothing is lost unless ``udp_works`` is False."""

    def __init__(self) -> None:
        self.open: set[object] = set()
        self.udp_works = True
        self._listeners: dict[int, Callable[[], asyncio.Protocol]] = {}
        self.receivers: dict[Address, Callable[[bytes, Address], None]] = {}
        self.ports = iter(range(20_001, 60_000))

    async def connect_stream(
        self,
        protocol: Callable[[], asyncio.Protocol],
        host: str,
        port: int,
        context: ssl.SSLContext | None,
    ) -> "MemoryTransport":
        await asyncio.sleep(0)
        if port not in self._listeners:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        near = MemoryTransport(self, protocol())
        far = MemoryTransport(self, self._listeners[port]())
        near.peer, far.peer = far, near
        far.protocol.connection_made(far)
        near.protocol.connection_made(near)
        return near

    async def connect_datagrams(self, host: str, port: int) -> "MemoryDatagrams":
        await asyncio.sleep(0)
        return MemoryDatagrams(self, (HOST, next(self.ports)), (host, port))

    def deliver(self, data: bytes, sender: Address, to: Address) -> None:
        receive = self.receivers.get(to)
        if receive is not None and self.udp_works:
            receive(bytes(data), sender)


class MemoryTransport(asyncio.Transport):
    """One end of a TCP connection whose buffers have no end, unless it is told to stall."""

    def __init__(self, network: MemoryNetwork, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.peer: MemoryTransport
        self.protocol = protocol
        self.stalls_sending = False
        self.stalls_receiving = False
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._closing = False
        self._paused = False
        network.open.add(self)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: Any) -> None:
        if self._closing:
            return
        if not self.stalls_sending:
            self._loop.call_soon(self.peer._receive, bytes(data))
        elif not self._paused:
            self._paused = True
            self.protocol.pause_writing()

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._end)

    abort = close

    def _end(self) -> None:
        self._network.open.discard(self)
        self.protocol.connection_lost(None)
        self._loop.call_soon(self.peer._receive_eof)

    def _receive(self, data: bytes) -> None:
        if not self._closing and not self.stalls_receiving:
            self.protocol.data_received(data)

    def _receive_eof(self) -> None:
        if not self._closing and not self.stalls_receiving:
            self.protocol.eof_received()
            self.close()


class MemoryDatagrams:
    def __init__(self, network: MemoryNetwork, address: Address, peer: Address) -> None:
        self._network = network
        self._address = address
        self._peer = peer
        self._received: deque[bytes] = deque()
        self._waiting = Parking()
        network.receivers[address] = self._receive
        network.open.add(self)

    def send(self, data: bytes) -> bool:
        self._network.deliver(data, self._address, self._peer)
        return True

    def receive_batch(self, batch: DatagramBatch) -> int:
        batch.clear()
        while self._received and len(batch) < 64:
            batch.append(self._received.popleft())
        return len(batch)

    async def wait_batch(self, batch: DatagramBatch) -> None:
        while not self._received:
            await self._waiting.park()
        batch.clear()
        batch.append(self._received.popleft())  # it may have room for one only

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self._network.receivers.pop(self._address, None)
        self._network.open.discard(self)

    def _receive(self, data: bytes, sender: Address) -> None:
        if sender == self._peer:
            self._received.append(data)
            self._waiting.unpark()


class Listening(Engine):
    """A running server; the attributes of `voicekit.trio.Listening` that tests use."""

    outputs: ClassVar[dict[type, str]] = {
        SendText: "_send_text",
        SendBinary: "_send_binary",
        CloseWebSocket: "_close_websocket",
        DropWebSocket: "_drop_websocket",
        SendDatagram: "_send_datagram",
    }

    def __init__(
        self,
        network: MemoryNetwork,
        config: ServerConfig | None,
        handle_event: Callable[[Any], object],
    ) -> None:
        self.server = VoiceServer(config or ServerConfig())
        super().__init__(self.server, handle_event)
        self.host = HOST
        self.ws_port = next(network.ports)
        self.url = f"ws://{HOST}:{self.ws_port}"
        self._udp = (HOST, next(network.ports))
        self._network = network
        self._links: dict[int, _ServerWebSocket] = {}
        self._last = 0
        self.server.set_udp_address(*self._udp)
        self.server.host.endpoint = self.url
        network._listeners[self.ws_port] = self._accept
        network.receivers[self._udp] = self._receive_datagram

    def _start(self, now: float) -> None:
        self.server.start(now, time.time())

    def _stop(self) -> None:
        del self._network._listeners[self.ws_port], self._network.receivers[self._udp]

    def _accept(self) -> asyncio.Protocol:
        self._last += 1
        self._links[self._last] = _ServerWebSocket(self, self._last)
        return self._links[self._last]

    def _send_text(self, output: SendText) -> None:
        self._tell(output.link, "send", output.text)

    def _send_binary(self, output: SendBinary) -> None:
        self._tell(output.link, "send", output.data)

    def _close_websocket(self, output: CloseWebSocket) -> None:
        self._tell(output.link, "close", output.code, output.reason)

    def _drop_websocket(self, output: DropWebSocket) -> None:
        self._tell(output.link, "drop")

    def _send_datagram(self, output: SendDatagram) -> None:
        self._network.deliver(output.data, self._udp, output.address)

    def _tell(self, link: int, what: str, *arguments: Any) -> None:
        if link in self._links:
            getattr(self._links[link], what)(*arguments)

    def _receive_datagram(self, data: bytes, sender: Address) -> None:
        self.server.receive_datagram(data, sender, self.loop.now())
        self.drain()

    def lost(self, link: int, code: int | None, given_up: bool) -> None:
        del self._links[link]
        if not given_up:
            self.server.websocket_closed(link, code, self.loop.now())
            self.drain()


class _ServerWebSocket(asyncio.Protocol):
    def __init__(self, shell: Listening, link: int) -> None:
        self._shell = shell
        self._link = link
        self._protocol = ServerProtocol()
        self._given_up = False

    def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self._flush()

    def close(self, code: int, reason: str) -> None:
        self._given_up = True
        self._protocol.send_close(code, reason)
        self._flush()

    def drop(self) -> None:
        self._given_up = True
        self._transport.abort()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        shell, now = self._shell, self._shell.loop.now()
        for event in self._protocol.events_received():
            match event:
                case Request():
                    self._protocol.send_response(self._protocol.accept(event))
                    self._flush()
                    shell.server.websocket_opened(self._link, event.path, now)
                case Frame(Opcode.TEXT, text):
                    shell.server.receive_text(self._link, bytes(text).decode(), now)
                case Frame(Opcode.BINARY, binary):
                    shell.server.receive_binary(self._link, bytes(binary), now)
        self._flush()
        shell.drain()

    def eof_received(self) -> None:
        self._protocol.receive_eof()

    def connection_lost(self, error: Exception | None) -> None:
        received = self._protocol.close_rcvd
        self._shell.lost(self._link, None if received is None else received.code, self._given_up)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()


@asynccontextmanager
async def running_server(
    config: ServerConfig | None = None,
    *,
    network: MemoryNetwork,
    handle_event: Callable[[Any], object] = lambda event: None,
) -> AsyncIterator[Listening]:
    listening = Listening(network, config, handle_event)
    listening.begin()
    try:
        yield listening
    finally:
        listening.end()
        await listening.close()
