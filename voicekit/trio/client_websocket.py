"""The client's end of a WebSocket over a stream of trio, in the task that reads from it."""

import ssl
from contextlib import suppress
from typing import Protocol

import trio
from websockets.client import ClientProtocol
from websockets.uri import WebSocketURI

from ..driver.web_messages import WebMessages

__all__ = ["ClientWebSocket", "WebSocket"]

#: Bytes taken from the stream in one go.
READ_SIZE = 1 << 16


class WebSocket(Protocol):
    """What a `WebSocketLink` carries messages over: this one, or a server's of the library."""

    async def recv(self) -> str | bytes:
        """Wait for a message. Raises `ConnectionClosed`."""

    async def send(self, message: str | bytes, /) -> None:
        """Send a message. Raises `ConnectionClosed`."""

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close; `recv` sees the end of it."""


class ClientWebSocket:
    """One WebSocket over one stream. One task may wait in `recv`, another one in `send`."""

    def __init__(self, stream: trio.abc.Stream, protocol: ClientProtocol) -> None:
        self._stream = stream
        self._protocol = protocol
        self._messages = WebMessages(protocol)
        self._flushing = False

    @classmethod
    async def open(
        cls,
        stream: trio.abc.Stream,
        protocol: ClientProtocol,
        where: WebSocketURI,
        context: ssl.SSLContext | None,
    ) -> "ClientWebSocket":
        """Shake hands over ``stream``: TLS where there is a ``context``, then the upgrade.

        Raises `WebSocketException`, `ssl.SSLError`, `trio.BrokenResourceError`; then the
        stream is closed.
        """
        try:
            if context is not None:
                secured = trio.SSLStream(
                    stream, context, server_hostname=where.host, https_compatible=True
                )
                await secured.do_handshake()
                stream = secured
            websocket = cls(stream, protocol)
            await websocket._upgrade()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return websocket

    async def recv(self) -> str | bytes:
        """Wait for a message. Raises `ConnectionClosed`."""
        while (message := self._messages.next_message()) is None:
            if self._messages.is_over or not await self._read():
                self._messages.receive_eof()
                raise self._protocol.close_exc
        return message

    async def send(self, message: str | bytes, /) -> None:
        """Send a message. When it is being closed, nothing is sent, and `recv` knows why."""
        self._messages.send(message)
        await self._say()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Say that we close. `recv` raises when the server has answered."""
        self._messages.close(code, reason)
        await self._say()

    async def drop(self) -> None:
        """Close the stream at once, whatever is under way."""
        await trio.aclose_forcefully(self._stream)

    # -- inside ----------------------------------------------------------------------

    async def _upgrade(self) -> None:
        messages = self._messages
        messages.request()
        await self._flush()
        while messages.is_upgrading:
            if not await self._read():
                messages.receive_eof()
        if messages.refusal is not None:
            raise messages.refusal

    async def _read(self) -> bool:
        """Take what comes next, and answer it where the protocol does; False: the end."""
        try:
            data = await self._stream.receive_some(READ_SIZE)
            if data:
                self._messages.receive_data(data)
                await self._flush()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        return bool(data)

    async def _say(self) -> None:
        """`_flush`, where the stream may have ended already: `recv` is who tells of that."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._flush()

    async def _flush(self) -> None:
        # Whoever is sending takes along what others have added meanwhile.
        if self._flushing:
            return
        self._flushing = True
        try:
            while data := self._messages.data_to_send():
                await self._stream.send_all(data)
        finally:
            self._flushing = False
