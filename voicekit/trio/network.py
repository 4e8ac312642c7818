"""The sockets of the operating system, behind four methods that tests can replace."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import trio

from .. import net
from ..net import DatagramBatch

if TYPE_CHECKING:
    from ..net._relay import Relay

__all__ = ["Datagrams", "Network", "UdpSocket"]


class Datagrams(Protocol):
    """A datagram socket that sends without waiting and is read in batches."""

    @property
    def port(self) -> int:
        """The local port."""

    def send(self, data: bytes) -> bool:
        """Send to the connected peer; False: lost already here, as datagrams may be."""

    def send_to(self, data: bytes, address: tuple[str, int]) -> bool:
        """Send to ``address``; False: lost already here."""

    async def wait_readable(self) -> None:
        """Wait until a datagram is there."""

    def receive(self) -> tuple[bytes, tuple[str, int]] | None:
        """Return a datagram and its sender; None: none there. `OSError`: the socket broke."""

    def receive_batch(self, batch: DatagramBatch) -> int:
        """Replace what is in ``batch`` by what waits here, and return how many.

        `OSError`: the socket broke.
        """

    def fileno(self) -> int:
        """Return the operating system's number of it; below 0: it has none."""

    def close(self) -> None:
        """Close it; nobody may be waiting."""


class Network:
    """TCP and UDP of this machine. Raises `OSError` for what cannot be reached or bound."""

    async def connect_stream(self, host: str, port: int) -> trio.abc.Stream:
        """Connect a TCP stream."""
        return await trio.open_tcp_stream(host, port)

    async def connect_datagrams(self, host: str, port: int) -> Datagrams:
        """Open a UDP socket that talks to ``host:port`` only."""
        return UdpSocket.connected(*await _resolve(host, port))

    async def listen(self, host: str, port: int) -> list[trio.SocketListener]:
        """Listen on one TCP address, even where ``host`` stands for several."""
        # Port 0 on two addresses would be two ports, and we can name but one.
        _, address = await _resolve(host, port)
        with _named(f"TCP port {port} of {host}"):
            return await trio.open_tcp_listeners(port, host=address[0])

    async def bind_datagrams(self, host: str, port: int) -> Datagrams:
        """Bind a UDP socket."""
        family, address = await _resolve(host, port)
        sock = UdpSocket(family)
        try:
            with _named(f"UDP port {port} of {host}"):
                sock.bind(address)
        except BaseException:
            sock.close()
            raise
        return sock

    def relay(self, sock: Datagrams) -> "Relay | None":
        """Return a relay that takes the media off a bound socket; None: there is none."""
        try:
            from ..net._relay import Relay
        except ImportError:
            return None  # not Linux: the server's core does it in Python
        number = sock.fileno()
        return Relay(number) if number >= 0 else None


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Let an error say what could not be had: the system's text names no port."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, what) from None


class UdpSocket(net.UdpSocket):
    """A UDP socket of the operating system. `trio.socket` would wait where we would not."""

    async def wait_readable(self) -> None:
        """Wait until a datagram is there."""
        await trio.lowlevel.wait_readable(self.socket)


async def _resolve(host: str, port: int) -> tuple[int, tuple[str, int]]:
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))
