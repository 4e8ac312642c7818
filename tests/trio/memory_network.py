"""A network inside the process: deterministic under a mock clock, and it knows what is open."""

import errno
import socket
from collections import deque

import trio

from voicekit.net import DatagramBatch
from voicekit.trio import Network

Address = tuple[str, int]


class MemoryNetwork(Network):
    """TCP and UDP between `connect` and `serve`; nothing is lost unless ``udp_works`` is False."""

    def __init__(self) -> None:
        self.open: set[object] = set()
        self.udp_works = True
        self._listeners: dict[int, MemoryListener] = {}
        self._datagrams: dict[Address, MemoryDatagrams] = {}
        self._next_port = 20_000

    async def connect_stream(self, host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        listener = self._listeners.get(port)
        if listener is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        near, far = MemoryStream(self), MemoryStream(self)
        near.peer, far.peer = far, near
        listener.streams.append(far)
        listener.waiting.unpark()
        return near

    async def connect_datagrams(self, host: str, port: int) -> "MemoryDatagrams":
        await trio.lowlevel.checkpoint()
        return MemoryDatagrams(self, (host, self._port()), (host, port))

    async def listen(self, host: str, port: int) -> list["MemoryListener"]:  # type: ignore[override]
        await trio.lowlevel.checkpoint()
        return [MemoryListener(self, host, port or self._port())]

    async def bind_datagrams(self, host: str, port: int) -> "MemoryDatagrams":
        await trio.lowlevel.checkpoint()
        return MemoryDatagrams(self, (host, port or self._port()), None)

    def deliver(self, data: bytes, sender: Address, to: Address) -> bool:
        receiver = self._datagrams.get(to)
        if receiver is not None and self.udp_works:
            receiver.put(bytes(data), sender)
        return True

    def _port(self) -> int:
        self._next_port += 1
        return self._next_port


class MemoryStream(trio.abc.HalfCloseableStream):
    """One end of a TCP connection whose buffers have no end, unless it is told to stall."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.peer: MemoryStream
        self.stalls_sending = False
        self.stalls_receiving = False
        self._network = network
        self._buffer = bytearray()
        self._ended = False
        self._closed = False
        self._waiting = trio.lowlevel.ParkingLot()
        network.open.add(self)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        if self.stalls_sending:
            await trio.sleep_forever()
        self._check_open()
        if self.peer._closed:
            raise trio.BrokenResourceError("the peer closed it")
        self.peer._buffer += data
        self.peer._waiting.unpark_all()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        self._check_open()
        self.peer._end()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        self._check_open()
        while self.stalls_receiving or not (self._buffer or self._ended):
            await self._waiting.park()
            self._check_open()
        size = len(self._buffer) if max_bytes is None else max_bytes
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._network.open.discard(self)
            self._waiting.unpark_all()
            self.peer._end()
        await trio.lowlevel.checkpoint()

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError

    def _end(self) -> None:
        self._ended = True
        self._waiting.unpark_all()


class MemoryListener(trio.abc.Listener[MemoryStream]):
    """Also the ``socket`` of itself, as far as anybody asks."""

    family = socket.AF_INET

    def __init__(self, network: MemoryNetwork, host: str, port: int) -> None:
        self.socket = self
        self.streams: deque[MemoryStream] = deque()
        self.waiting = trio.lowlevel.ParkingLot()
        self._network = network
        self._address = (host, port)
        network._listeners[port] = self
        network.open.add(self)

    async def accept(self) -> MemoryStream:
        await trio.lowlevel.checkpoint()
        while not self.streams:
            await self.waiting.park()
        return self.streams.popleft()

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        self._network._listeners.pop(self._address[1], None)
        self._network.open.discard(self)

    def getsockname(self) -> Address:
        return self._address


class MemoryDatagrams:
    def __init__(self, network: MemoryNetwork, address: Address, peer: Address | None) -> None:
        self._network = network
        self._address = address
        self._peer = peer
        self._received: deque[tuple[bytes, Address]] = deque()
        self._waiting = trio.lowlevel.ParkingLot()
        network._datagrams[address] = self
        network.open.add(self)

    @property
    def port(self) -> int:
        return self._address[1]

    def send(self, data: bytes) -> bool:
        assert self._peer is not None
        return self._network.deliver(data, self._address, self._peer)

    def send_to(self, data: bytes, address: Address) -> bool:
        return self._network.deliver(data, self._address, address)

    def put(self, data: bytes, sender: Address) -> None:
        if self._peer is None or self._peer == sender:
            self._received.append((data, sender))
            self._waiting.unpark()

    async def wait_readable(self) -> None:
        await trio.lowlevel.checkpoint()
        while not self._received:
            await self._waiting.park()

    def receive(self) -> tuple[bytes, Address] | None:
        return self._received.popleft() if self._received else None

    def receive_batch(self, batch: DatagramBatch) -> int:
        batch.clear()
        while self._received and len(batch) < 64:
            batch.append(self._received.popleft()[0])
        return len(batch)

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self._network._datagrams.pop(self._address, None)
        self._network.open.discard(self)
