"""A WebSocket for loops without tasks: `selectors`, a thread, a game's main loop.

Reading never waits: wait for `fileno` to be readable. Dialling does, for at most `DIAL_TIMEOUT`,
and so does sending to somebody who does not read.
"""

import socket
import ssl
from collections.abc import Iterator

from websockets.uri import parse_uri

from ..errors import ConnectFailed
from ..outputs import CloseWebSocket, SendBinary, SendText
from .dialling import DIAL_ERRORS, DIAL_TIMEOUT, explain
from .web_messages import SEND_TIMEOUT, WebMessages, client_protocol

__all__ = ["PolledWebSocket"]

#: Bytes taken in one go: more than a TLS record has, so that nothing stays behind in its layer.
READ_SIZE = 1 << 16


class PolledWebSocket:
    """One WebSocket. One thread at a time may be in it."""

    def __init__(self, url: str, *, ssl_context: ssl.SSLContext | None = None) -> None:
        """Dial ``url``, without compression. Raises `ConnectFailed`.

        ``ssl_context`` is for ``wss://``; by default the system's certificates are trusted.
        """
        try:
            where = parse_uri(url)
            self._socket = socket.create_connection((where.host, where.port), DIAL_TIMEOUT)
        except DIAL_ERRORS as error:
            raise ConnectFailed(explain(error)) from error
        self._web = WebMessages(client_protocol(where))
        try:
            if where.secure:
                context = ssl_context or ssl.create_default_context()
                self._socket = context.wrap_socket(self._socket, server_hostname=where.host)
            self._web.request()
            while self._web.is_upgrading:
                self._send()
                self._take(self._socket.recv(READ_SIZE))
            if self._web.refusal is not None:
                raise self._web.refusal
        except BaseException as error:
            self._socket.close()
            if isinstance(error, DIAL_ERRORS):
                raise ConnectFailed(explain(error)) from error
            raise

    def fileno(self) -> int:
        """Return the descriptor that is readable when messages may have come."""
        return self._socket.fileno()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come; `ending` says why. `close` is still to be called."""
        return self._web.is_over or self._eof

    @property
    def ending(self) -> tuple[int | None, str]:
        """The server's close code and reason; code None: it went without."""
        return self._web.ending

    def send(self, message: str | bytes) -> None:
        """Send a message. Where the connection is lost, nothing happens: reading tells."""
        self._web.send(message)
        self._send()

    def send_close(self, code: int = 1000, reason: str = "") -> None:
        """Say that we close. Read on until `is_over`, or `close` after a second."""
        self._web.close(code, reason)
        self._send()

    def perform(self, output: SendText | SendBinary | CloseWebSocket) -> None:
        """Do what a connection asks of its WebSocket."""
        match output:
            case SendText(_, text):
                self.send(text)
            case SendBinary(_, data):
                self.send(data)
            case CloseWebSocket(_, code, reason):
                self.send_close(code, reason)

    def messages(self) -> Iterator[str | bytes]:
        """Iterate over what is there; look at `is_over` after it."""
        if not self.is_over:
            self._receive()
        return iter(self._web.next_message, None)

    def close(self) -> None:
        """Close the socket, at once."""
        self._socket.close()

    # -- inside ------------------------------------------------------------------------

    _eof = False

    def _receive(self) -> None:
        self._socket.settimeout(0)
        try:
            self._take(self._socket.recv(READ_SIZE))
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:  # the connection is lost
            self._take(b"")
        self._send()

    def _take(self, data: bytes) -> None:
        if data:
            self._web.receive_data(data)
        else:
            self._eof = True
            self._web.receive_eof()

    def _send(self) -> None:
        data = self._web.data_to_send()
        if not data:
            return
        self._socket.settimeout(SEND_TIMEOUT)
        try:
            self._socket.sendall(data)
        except OSError:
            pass  # lost: the next read sees it
