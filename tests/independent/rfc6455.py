"""The server's half of the WebSocket protocol (RFC 6455) on asyncio streams.

    0                   1                   2                   3
    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-------+-+-------------+-------------------------------+
    |F|R|R|R| opcode|M| Payload len |    Extended payload length    |
    |I|S|S|S|  (4)  |A|     (7)     |             (16/64)           |
    |N|V|V|V|       |S|             |   (if payload len==126/127)   |
    | |1|2|3|       |K|             |                               |
    +-+-+-+-+-------+-+-------------+ - - - - - - - - - - - - - - - +
    |                Masking key (4 bytes, if M), payload           |

No extension is ever agreed to, so the RSV bits must be zero.
"""

import asyncio
import base64
import contextlib
import hashlib
import struct
from typing import NoReturn

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN, RSV, OPCODE, MASK, LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MAX_CONTROL = 125
#: Codes that stand for "there was no close frame" and never travel (§7.4.1).
NO_CODE, ABNORMAL = 1005, 1006
_CLOSING_TIME = 2.0


class Closed(Exception):
    """The connection is over; ``code`` is that of the first close frame, whose-ever it was."""

    def __init__(self, code: int, *, by_peer: bool) -> None:
        super().__init__(f"closed with {code}")
        self.code = code
        self.by_peer = by_peer


async def accept(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, max_size: int
) -> "WebSocket | None":
    """Answer the opening handshake (§4.2). None: it was not one, and was told so."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return None
    request, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    key = headers.get("sec-websocket-key", "")
    try:
        method, target, _ = request.split(" ")
        nonce = base64.b64decode(key, validate=True)
    except ValueError:
        method, target, nonce = "", "", b""
    if (
        method != "GET"
        or headers.get("upgrade", "").lower() != "websocket"
        or "upgrade" not in headers.get("connection", "").lower()
        or headers.get("sec-websocket-version") != "13"
        or len(nonce) != 16
    ):
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        return None
    answer = base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n"
    )
    return WebSocket(reader, writer, target, max_size)


def frame(opcode: int, payload: bytes, mask: bytes = b"") -> bytes:
    """Build one unfragmented frame; servers send without a mask, clients with one."""
    size, masked = len(payload), MASK if mask else 0
    if size < 126:
        head = bytes((FIN | opcode, masked | size))
    elif size < 1 << 16:
        head = struct.pack(">BBH", FIN | opcode, masked | 126, size)
    else:
        head = struct.pack(">BBQ", FIN | opcode, masked | 127, size)
    return head + mask + (xor(payload, mask) if mask else payload)


def xor(payload: bytes, mask: bytes) -> bytes:
    """Mask or unmask (§5.3)."""
    size = len(payload)
    stream = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


class WebSocket:
    """An open connection. ``target`` is the request's path with its query."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        target: str,
        max_size: int,
    ) -> None:
        self.target = target
        self._reader = reader
        self._writer = writer
        self._max_size = max_size
        self._close_sent: int | None = None

    def send(self, message: str | bytes) -> None:
        """Send one message; after a close it goes nowhere, like any other on a lost link."""
        if self._close_sent is None:
            text = isinstance(message, str)
            payload = message.encode() if isinstance(message, str) else message
            self._write(frame(TEXT if text else BINARY, payload))

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame, once; the other side has two seconds to answer it."""
        if self._close_sent is None:
            self._close_sent = code
            self._write(frame(CLOSE, struct.pack(">H", code) + reason.encode()))
            asyncio.get_running_loop().call_later(_CLOSING_TIME, self._writer.transport.abort)

    def drop(self) -> None:
        """Cut the TCP connection without a word."""
        self._close_sent = self._close_sent or ABNORMAL
        self._writer.transport.abort()

    async def receive(self) -> str | bytes:
        """Return the next message; pings are answered. Raises `Closed` in the end."""
        try:
            return await self._receive_message()
        except (asyncio.IncompleteReadError, OSError):
            raise Closed(self._close_sent or ABNORMAL, by_peer=False) from None

    async def _receive_message(self) -> str | bytes:
        parts: list[bytes] = []
        kind = CONTINUATION
        while True:
            final, opcode, payload = await self._receive_frame(
                self._max_size - sum(map(len, parts))
            )
            if opcode == PING:
                self._write(frame(PONG, payload))
            elif opcode == CLOSE:
                self._closed_by_peer(payload)
            elif opcode in (TEXT, BINARY) and kind == CONTINUATION:
                kind = opcode
                parts.append(payload)
            elif opcode == CONTINUATION and kind != CONTINUATION:
                parts.append(payload)
            elif opcode != PONG:
                self._fail(1002)
            if final and opcode <= BINARY:
                break
        data = b"".join(parts)
        if kind == BINARY:
            return data
        try:
            return data.decode()
        except UnicodeDecodeError:
            self._fail(1007)

    async def _receive_frame(self, room: int) -> tuple[bool, int, bytes]:
        first, second = await self._reader.readexactly(2)
        opcode, size = first & OPCODE, second & LENGTH
        control = opcode >= CLOSE
        if (
            first & RSV
            or not second & MASK
            or (control and (size > _MAX_CONTROL or not first & FIN))
        ):
            self._fail(1002)
        if size == 126:
            (size,) = struct.unpack(">H", await self._reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", await self._reader.readexactly(8))
        if not control and size > room:
            self._fail(1009)
        mask = await self._reader.readexactly(4)
        return bool(first & FIN), opcode, xor(await self._reader.readexactly(size), mask)

    def _closed_by_peer(self, payload: bytes) -> None:
        if self._close_sent is not None:
            raise Closed(self._close_sent, by_peer=False)
        code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else NO_CODE
        self.close(1000 if code == NO_CODE else code)
        raise Closed(code, by_peer=True)

    def _fail(self, code: int) -> NoReturn:
        self.close(code)
        raise Closed(code, by_peer=False)

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
