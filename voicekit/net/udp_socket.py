"""A UDP socket of the operating system, for any event loop."""

import errno
import socket
from typing import Self

from .._datagrams import DatagramBatch
from ._udp import drain

__all__ = ["ICMP_ERRORS", "MAX_DATAGRAM", "UdpSocket"]

#: The largest UDP payload and a bit: nothing is ever cut off unseen.
MAX_DATAGRAM = 65536
#: A second of a full stage, so that a pause of the process loses nothing. Kernels give less
#: where the administrator said so.
RECEIVE_BUFFER = 1 << 20

#: What earlier datagrams met on their way (ICMP), reported by a later call on the socket.
#: It says nothing about the socket itself.
ICMP_ERRORS = frozenset(
    {errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.ENETUNREACH}
)


class UdpSocket:
    """A UDP socket of the operating system that sends and receives without ever waiting."""

    def __init__(self, family: int = socket.AF_INET) -> None:
        #: For the event loop to wait for.
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        except OSError:  # a wish, not a need: some systems refuse instead of giving less
            pass

    @classmethod
    def connected(cls, family: int, address: tuple[str, int]) -> Self:
        """Return one that talks to ``address`` only. Raises `OSError`."""
        sock = cls(family)
        try:
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return sock

    def connect(self, address: tuple[str, int]) -> None:
        """Talk to ``address`` only."""
        self.socket.connect(address)

    def bind(self, address: tuple[str, int]) -> None:
        """Take datagrams sent to ``address``."""
        self.socket.bind(address)

    @property
    def port(self) -> int:
        """The local port."""
        port: int = self.socket.getsockname()[1]
        return port

    def send(self, data: bytes) -> bool:
        """Send to the connected peer; False: lost already here."""
        try:
            self.socket.send(data)
        except OSError:
            return False
        return True

    def send_to(self, data: bytes, address: tuple[str, int]) -> bool:
        """Send to ``address``; False: lost already here."""
        try:
            self.socket.sendto(data, address)
        except OSError:
            return False
        return True

    def receive(self) -> tuple[bytes, tuple[str, int]] | None:
        """Return a datagram and its sender; None: none there. `OSError`: the socket broke."""
        while True:
            try:
                data, address = self.socket.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno in ICMP_ERRORS:
                    continue  # reading took it away: there may be datagrams behind it
                raise
            return data, (address[0], address[1])

    def receive_batch(self, batch: DatagramBatch) -> int:
        """Replace what is in ``batch`` by what waits here, and return how many."""
        return drain(self.socket.fileno(), batch)

    def fileno(self) -> int:
        """Return its descriptor."""
        return self.socket.fileno()

    def close(self) -> None:
        """Close it; nobody may be waiting."""
        self.socket.close()
