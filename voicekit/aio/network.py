"""The sockets of the operating system, behind two methods that tests can replace."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any, Protocol

from .. import net
from ..driver.web_messages import CLOSE_TIMEOUT
from ..net import DatagramBatch
from ..net.udp_socket import ICMP_ERRORS, MAX_DATAGRAM
from .threads import in_thread

__all__ = ["Datagrams", "Network", "UdpSocket"]

#: For one of several addresses (seconds), before the next is tried.
ADDRESS_TIMEOUT = 2.0


class Datagrams(Protocol):
    """A datagram socket that sends without waiting and is read in batches."""

    def send(self, data: bytes) -> bool:
        """Send to the connected peer; False: lost already here, as datagrams may be."""

    def receive_batch(self, batch: DatagramBatch) -> int:
        """Replace what is in ``batch`` by what waits here, and return how many.

        `OSError`: the socket broke.
        """

    async def wait_batch(self, batch: DatagramBatch) -> None:
        """Wait for a datagram, and replace what is in ``batch`` by it, and others maybe.

        `OSError`: the socket broke.
        """

    def fileno(self) -> int:
        """Return the operating system's number of it; below 0: it has none."""

    def close(self) -> None:
        """Close it; nobody may be waiting."""


class Network:
    """TCP and UDP of this machine. Raises `OSError` for what cannot be reached."""

    async def connect_stream(
        self,
        protocol: Callable[[], asyncio.Protocol],
        host: str,
        port: int,
        context: ssl.SSLContext | None,
    ) -> None:
        """Connect a TCP stream, with TLS where there is a ``context``, to a new ``protocol``."""
        options: dict[str, Any] = {}
        if context is not None:
            options = {"server_hostname": host, "ssl_shutdown_timeout": CLOSE_TIMEOUT}
        loop = asyncio.get_running_loop()
        try:
            sock = await _connect(host, port)
            await loop.create_connection(protocol, sock=sock, ssl=context, **options)
        except ConnectionResetError as error:
            if context is None or error.errno is not None:
                raise
            why = "it was cut off during the TLS handshake; is it a server without TLS (ws://)?"
            raise ConnectionResetError(errno.ECONNRESET, why) from None
        except OSError as error:
            number = error.errno or 0
            if number in errno.errorcode and not isinstance(error, ssl.SSLError):
                # asyncio says where it failed instead of why.
                raise OSError(number, os.strerror(number)) from None
            raise

    async def connect_datagrams(self, host: str, port: int) -> Datagrams:
        """Open a UDP socket that talks to ``host:port`` only."""
        family, _, _, _, address = (await _resolve(host, port, socket.SOCK_DGRAM))[0]
        return UdpSocket.connected(family, address)


class UdpSocket(net.UdpSocket):
    """A UDP socket of the operating system."""

    async def wait_batch(self, batch: DatagramBatch) -> None:
        """Wait for a datagram, where the loop has no `add_reader` (Windows' Proactor)."""
        while True:
            try:
                data = await asyncio.get_running_loop().sock_recv(self.socket, MAX_DATAGRAM)
                break
            except OSError as error:
                if error.errno not in ICMP_ERRORS:
                    raise
        batch.clear()
        batch.append(data)


async def _connect(host: str, port: int) -> socket.socket:
    """Connect to the first address that answers. Cancelling loses no socket."""
    loop = asyncio.get_running_loop()
    *others, last = await _resolve(host, port, socket.SOCK_STREAM)
    for found in (*others, last):
        family, kind, protocol, _, address = found
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(None if found is last else ADDRESS_TIMEOUT):
                await loop.sock_connect(sock, address)
        except OSError:
            sock.close()
            if found is last:
                raise
        except BaseException:
            sock.close()
            raise
        else:
            break
    return sock


async def _resolve(host: str, port: int, kind: int) -> list[tuple[Any, ...]]:
    try:
        # Addresses need no thread, and voice servers name themselves by theirs.
        return socket.getaddrinfo(host, port, 0, kind, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return await in_thread(socket.getaddrinfo, host, port, 0, kind)
