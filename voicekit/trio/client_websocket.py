"""The client's end of a WebSocket: the protocol of `websockets` in the task that reads from it.

The connection that `websockets` has for trio runs a task of its own for each WebSocket, with
queues between it and the reader. A process with thousands of calls has no use for them.
"""

import ssl
from contextlib import suppress
from typing import Protocol

import trio
from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import USER_AGENT
from websockets.protocol import State
from websockets.uri import WebSocketURI

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
        self._frames: list[Frame] = []  # of the message under way
        self._messages: list[str | bytes] = []
        self._flushing = False
        self._closed_by_us = False

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
        while not self._messages:
            if self._is_over() or not await self._read():
                self._protocol.receive_eof()
                raise self._protocol.close_exc
            await self._take_events()
        return self._messages.pop(0)

    def _is_over(self) -> bool:
        """Whether the server has closed, or has broken the protocol: nothing more will come.

        A server that answers our own close is done with it when it closes the stream.
        """
        return self._protocol.state is not State.OPEN and not self._closed_by_us

    async def send(self, message: str | bytes, /) -> None:
        """Send a message. When it is being closed, nothing is sent, and `recv` knows why."""
        if self._protocol.state is State.OPEN:
            if isinstance(message, str):
                self._protocol.send_text(message.encode())
            else:
                self._protocol.send_binary(message)
            await self._say()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Say that we close. `recv` raises when the server has answered."""
        if self._protocol.state is State.OPEN:
            self._closed_by_us = True
            self._protocol.send_close(code, reason)
            await self._say()

    async def drop(self) -> None:
        """Close the stream at once, whatever is under way."""
        await trio.aclose_forcefully(self._stream)

    # -- inside ----------------------------------------------------------------------

    async def _upgrade(self) -> None:
        protocol = self._protocol
        request = protocol.connect()
        request.headers["User-Agent"] = USER_AGENT
        protocol.send_request(request)
        await self._flush()
        while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
            if not await self._read():
                protocol.receive_eof()
        if protocol.handshake_exc is not None:
            raise protocol.handshake_exc
        await self._take_events()

    async def _read(self) -> bool:
        """Take what comes next, and answer it where the protocol does; False: the end."""
        try:
            data = await self._stream.receive_some(READ_SIZE)
            if data:
                self._protocol.receive_data(data)
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
            while data := b"".join(self._protocol.data_to_send()):
                await self._stream.send_all(data)
        finally:
            self._flushing = False

    async def _take_events(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _DATA:
                self._frames.append(event)
                if event.fin:
                    await self._finish_message()

    async def _finish_message(self) -> None:
        frames, self._frames = self._frames, []
        data = b"".join(bytes(frame.data) for frame in frames)
        if frames[0].opcode is Opcode.BINARY:
            self._messages.append(data)
            return
        try:
            self._messages.append(data.decode())
        except UnicodeDecodeError:
            self._protocol.fail(CloseCode.INVALID_DATA, "this is not UTF-8")
            await self._say()


_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})
