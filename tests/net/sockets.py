"""Pairs of UDP sockets on loopback."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def udp_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A sender and the non-blocking receiver that it is connected to."""
    with (
        socket.socket(type=socket.SOCK_DGRAM) as sender,
        socket.socket(type=socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        # A pair of our own: nobody else is heard.
        sender.bind(("127.0.0.1", 0))
        receiver.connect(sender.getsockname())
        sender.connect(receiver.getsockname())
        yield sender, receiver
