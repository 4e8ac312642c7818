"""The UDP side alone: `UDPConn`, a socket with IP discovery and transport encryption."""

import asyncio
import secrets
import socket
from collections.abc import Callable

import msgspec

from ..._crypto import TransportCipher, available_modes
from ..._rtp import PAYLOAD_TYPE_OPUS, open_packet, opus_duration, seal_packet
from ...discovery import Discovered, DiscoveryFailed, IpDiscovery
from ...errors import AlreadyConnected, ConnectFailed, DecryptionFailed, InvalidPacket, NotConnected
from .tables import UDP_TIMEOUT

__all__ = ["Packet", "UDPConn"]

_MAX_DATAGRAM = 65536


class Packet(msgspec.Struct, frozen=True):
    """A packet of audio."""

    sequence: int  #: 16 bits
    timestamp: int  #: 32 bits, samples
    ssrc: int
    opus: bytes


def _connected_socket(ip: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.connect((ip, port))
    except BaseException:
        sock.close()
        raise
    return sock


class UDPConn:
    """One UDP connection to a voice server: `open`, `set_secret_key`, then read and write.

    ``dial(ip, port)`` returns a connected, non-blocking socket; by default one of this machine. It
    knows nothing of end-to-end encryption, which Discord demands of all calls but stages: for
    those there is `Conn`.
    """

    def __init__(self, *, dial: Callable[[str, int], socket.socket] = _connected_socket) -> None:
        self._dial = dial
        self._socket: socket.socket | None = None
        self._cipher: TransportCipher | None = None
        self._ssrc = 0
        self._sequence = secrets.randbits(16)
        self._timestamp = secrets.randbits(32)
        self._read_deadline: float | None = None
        self._write_deadline: float | None = None
        #: Datagrams that were no packet of audio, or could not be decrypted.
        self.dropped = 0

    async def open(self, ip: str, port: int, ssrc: int) -> tuple[str, int]:
        """Connect, and return our own address as the server sees it.

        Raises `ConnectFailed` when no answer comes, `OSError` when there is no way there.
        """
        if self._socket is not None:
            raise AlreadyConnected("open: this UDP connection is open already, close it first")
        self._socket, self._ssrc = self._dial(ip, port), ssrc
        try:
            async with asyncio.timeout(UDP_TIMEOUT):
                return await self._discover(self._socket, ssrc)
        except BaseException:
            self.close()
            raise

    def set_secret_key(self, secret_key: bytes, mode: str | None = None) -> None:
        """Encrypt with ``secret_key`` (32 bytes) from now on; ``mode``: as it was selected."""
        self._cipher = TransportCipher(mode or available_modes()[0], secret_key)

    def set_deadline(self, when: float | None) -> None:
        """Let reads and writes raise `TimeoutError` from ``when`` on, in the loop's time."""
        self.set_read_deadline(when)
        self.set_write_deadline(when)

    def set_read_deadline(self, when: float | None) -> None:
        """Let reads raise `TimeoutError` from ``when`` on; None: never."""
        self._read_deadline = when

    def set_write_deadline(self, when: float | None) -> None:
        """Let writes raise `TimeoutError` from ``when`` on; None: never."""
        self._write_deadline = when

    @property
    def local_addr(self) -> tuple[str, int] | None:
        """Where we send from, on this machine; None while it is not open."""
        return None if self._socket is None else self._socket.getsockname()[:2]

    @property
    def remote_addr(self) -> tuple[str, int] | None:
        """Where we send to; None while it is not open."""
        return None if self._socket is None else self._socket.getpeername()[:2]

    async def read_packet(self) -> Packet:
        """Wait for the next packet of audio; what is none is passed over, and counted."""
        sock, cipher = self._require("read")
        async with asyncio.timeout_at(self._read_deadline):
            while True:
                data = await _receive(sock)
                try:
                    packet = open_packet(cipher, data)
                except (InvalidPacket, DecryptionFailed):
                    self.dropped += 1
                    continue
                if packet.payload_type == PAYLOAD_TYPE_OPUS and packet.payload:
                    return Packet(packet.sequence, packet.timestamp, packet.ssrc, packet.payload)
                self.dropped += 1

    async def read(self) -> bytes:
        """Wait for the next packet of audio, and return its Opus."""
        return (await self.read_packet()).opus

    def write(self, opus: bytes) -> int:
        """Send one Opus packet, and return its length. A full buffer loses it, as a network does.

        Raises ``ValueError`` if it is not Opus.
        """
        sock, cipher = self._require("write")
        deadline = self._write_deadline
        if deadline is not None and asyncio.get_running_loop().time() >= deadline:
            raise TimeoutError("the write deadline is over")
        duration = opus_duration(opus)
        if not duration:
            raise ValueError(f"{len(opus)} bytes that are no Opus packet")
        datagram = seal_packet(
            cipher,
            sequence=self._sequence,
            timestamp=self._timestamp,
            ssrc=self._ssrc,
            payload=opus,
        )
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + duration) & 0xFFFF_FFFF
        try:
            sock.send(datagram)
        except (BlockingIOError, ConnectionError):
            pass
        return len(opus)

    def close(self) -> None:
        """Close the socket, and forget the key. Idempotent."""
        if self._socket is not None:
            self._socket.close()
        if self._cipher is not None:
            self._cipher.close()
        self._socket = self._cipher = None

    def _require(self, call: str) -> tuple[socket.socket, TransportCipher]:
        if self._socket is None:
            raise NotConnected(f"{call}: this UDP connection is not open: open it first")
        if self._cipher is None:
            raise NotConnected(f"{call}: there is no key: set_secret_key comes with op 4")
        return self._socket, self._cipher

    async def _discover(self, sock: socket.socket, ssrc: int) -> tuple[str, int]:
        loop = asyncio.get_running_loop()
        discovery = IpDiscovery(ssrc)
        discovery.start(loop.time())
        while True:
            match discovery.poll():
                case Discovered(address, port):
                    return address, port
                case DiscoveryFailed(attempts):
                    raise ConnectFailed("the server does not answer", "udp_discovery", attempts)
                case bytes() as request:
                    await loop.sock_sendall(sock, request)
                case None:
                    try:
                        async with asyncio.timeout_at(discovery.next_timeout()):
                            discovery.receive_datagram(await _receive(sock), loop.time())
                    except TimeoutError:
                        discovery.handle_timeout(loop.time())


async def _receive(sock: socket.socket) -> bytes:
    while True:
        try:
            return await asyncio.get_running_loop().sock_recv(sock, _MAX_DATAGRAM)
        except ConnectionError:
            continue  # what an earlier datagram met on its way: it says nothing of this one
