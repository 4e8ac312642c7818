"""The sockets of the operating system, behind two methods that tests can replace."""

import asyncio
import errno
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any, Protocol

from .. import net
from ..driver.web_messages import CLOSE_TIMEOUT
from ..net import DatagramBatch
from ..net.udp_socket import ICMP_ERRORS, MAX_DATAGRAM

__all__ = ["Datagrams", "Network", "UdpSocket"]

#: Between one address of a host and the next (seconds): RFC 8305.
HAPPY_EYEBALLS_DELAY = 0.25


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
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {}
        if context is not None:
            options = {"server_hostname": host, "ssl_shutdown_timeout": CLOSE_TIMEOUT}
        # uvloop's does not know it; and asyncio's own race may lose a socket when it is cancelled,
        # which is for hosts with several addresses only.
        if isinstance(loop, asyncio.BaseEventLoop) and not _is_address(host):
            options["happy_eyeballs_delay"] = HAPPY_EYEBALLS_DELAY
        try:
            await loop.create_connection(protocol, host, port, ssl=context, **options)
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
        return UdpSocket.connected(*await _resolve(host, port))


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


async def _resolve(host: str, port: int) -> tuple[int, tuple[str, int]]:
    kind = socket.SOCK_DGRAM
    try:
        # Addresses need no thread, and voice servers name themselves by theirs.
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=kind)
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
