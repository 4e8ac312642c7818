"""A socket of our own for a connection of somebody else's."""

import os
import socket
import sys
from typing import Any, Protocol

__all__ = ["SocketLike", "duplicate"]


class SocketLike(Protocol):
    """What is no socket of the operating system: for a loop in Python."""

    def dup(self) -> Any:
        """Return a copy with ``fileno``, ``send(data, flags)`` and ``close``."""


def duplicate(sock: socket.socket | int | SocketLike) -> Any:
    """Return a socket of our own for the same connection: the caller may close theirs.

    Its blocking mode is the caller's, and left alone: sends say themselves not to wait.
    """
    if not isinstance(sock, (int, socket.socket)):
        return sock.dup()
    if sys.platform == "win32":
        # A socket is no file descriptor there, and sends can not be told not to wait.
        theirs = socket.socket(fileno=sock) if isinstance(sock, int) else sock
        try:
            ours = theirs.dup()
        finally:
            if isinstance(sock, int):
                theirs.detach()  # or it would close the caller's
        ours.setblocking(False)
        return ours
    return socket.socket(fileno=os.dup(sock if isinstance(sock, int) else sock.fileno()))
