"""A client of a few bytes on blocking sockets, to test the plain server with."""

import base64
import json
import os
import socket
import ssl
import struct
import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from . import rfc6455
from .ciphers import Cipher

SERVER_ID, CHANNEL_ID = 81384788765712384, 81384788765712385
TIMEOUT = 10.0
FRAME = b"\xfc" + bytes(range(79))  # CELT, fullband, 20 ms, one frame


class WebSocketClosed(Exception):
    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


class RawClient:
    """One user of a call. `join` does the whole handshake."""

    def __init__(self, url: str, user_id: int, *, version: int = 8, ca: str | None = None) -> None:
        self.user_id = user_id
        self.version = version
        self.seq = -1
        self._url = url
        self._ca = ca
        self.dial()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.settimeout(TIMEOUT)
        self.sequence, self.timestamp, self.nonce = 65534, 2**32 - 960, 7

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.tcp.close()
        self.udp.close()

    # -- WebSocket -----------------------------------------------------------

    def dial(self) -> None:
        """Open the WebSocket (anew)."""
        parts = urlsplit(self._url)
        assert parts.hostname is not None
        tcp = socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT)
        if parts.scheme == "wss":
            context = ssl.create_default_context(cafile=self._ca)
            tcp = context.wrap_socket(tcp, server_hostname=parts.hostname)
        self.tcp = tcp
        self._stream = b""
        key = base64.b64encode(os.urandom(16)).decode()
        tcp.sendall(
            f"GET /?v={self.version} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(1)
        assert head.startswith(b"HTTP/1.1 101 "), head
        assert b"Extensions" not in head

    def send(self, op: int, data: object) -> None:
        self.send_frame(rfc6455.TEXT, json.dumps({"op": op, "d": data}).encode())

    def send_frame(self, opcode: int, payload: bytes) -> None:
        self.tcp.sendall(rfc6455.frame(opcode, payload, os.urandom(4)))

    def receive_frame(self) -> tuple[int, bytes]:
        first, size = self._read(2)
        assert first & rfc6455.FIN
        assert not size & rfc6455.MASK
        if size >= 126:
            size = int.from_bytes(self._read(2 if size == 126 else 8), "big")
        return first & rfc6455.OPCODE, self._read(size)

    def receive(self) -> dict[str, Any]:
        """Return the next message; raises `WebSocketClosed`."""
        opcode, payload = self.receive_frame()
        if opcode == rfc6455.CLOSE:
            self.tcp.close()
            raise WebSocketClosed(int.from_bytes(payload[:2], "big"))
        assert opcode == rfc6455.TEXT
        return self._decode(payload)

    def _decode(self, payload: bytes) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(payload)
        self.seq = message.get("seq", self.seq)
        return message

    @property
    def buffered(self) -> bool:
        """Whether something was read from the socket that was not received yet."""
        return bool(self._stream)

    def expect(self, *ops: int) -> list[dict[str, Any]]:
        """Receive exactly these, in this order."""
        messages = [self.receive() for _ in ops]
        assert [message["op"] for message in messages] == list(ops)
        return messages

    def wait_for(self, op: int) -> dict[str, Any]:
        """Receive until a message with ``op`` comes."""
        while (message := self.receive())["op"] != op:
            pass
        return message

    def close_code(self) -> int | None:
        """Receive until the server closes; None: without a close frame."""
        try:
            while True:
                self.receive()
        except WebSocketClosed as error:
            return error.code
        except ConnectionError:
            return None

    def leave(self) -> None:
        self.send_frame(rfc6455.CLOSE, struct.pack(">H", 1000))
        assert self.close_code() == 1000

    def _read(self, size: int) -> bytes:
        while len(self._stream) < size:
            data = self.tcp.recv(1 << 16)
            if not data:
                raise ConnectionError
            self._stream += data
        part, self._stream = self._stream[:size], self._stream[size:]
        return part

    # -- the handshake -------------------------------------------------------

    def credentials(self, **more: object) -> dict[str, object]:
        data = {"server_id": str(SERVER_ID), "session_id": f"session {self.user_id}", "token": "t"}
        if self.version >= 9:
            data["channel_id"] = str(CHANNEL_ID)
        return {**data, **more}

    def identify(self, **more: object) -> dict[str, Any]:
        """Receive Hello, identify; return Ready's data."""
        self.expect(8)
        self.send(0, self.credentials(user_id=str(self.user_id), **more))
        ready = self.wait_for(2)
        self.ready: dict[str, Any] = ready["d"]
        self.udp.connect((self.ready["ip"], self.ready["port"]))
        return self.ready

    def discover(self) -> tuple[str, int]:
        self.udp.send(struct.pack(">HHI64xH", 1, 70, self.ready["ssrc"], 0))
        kind, size, ssrc, host, port = struct.unpack(">HHI64sH", self.udp.recv(2048))
        assert (kind, size, ssrc) == (2, 70, self.ready["ssrc"])
        return host.rstrip(b"\0").decode(), port

    def describe(self, mode: str) -> None:
        """Select the protocol; take the key."""
        host, port = self.discover()
        self.send(1, {"protocol": "udp", "data": {"address": host, "port": port, "mode": mode}})
        description = self.wait_for(4)
        assert description["d"]["mode"] == mode
        self.dave_version: int = description["d"]["dave_protocol_version"]
        self.cipher = Cipher(mode, bytes(description["d"]["secret_key"]))

    def join(self, mode: str, others: int = 0) -> None:
        """Do the whole handshake in a call of ``others``."""
        self.identify()
        if others:
            self.expect(11, *(18, 20) * others)
        self.describe(mode)

    def speak(self, flags: int = 1) -> None:
        self.send(5, {"speaking": flags, "delay": 0, "ssrc": self.ready["ssrc"]})
        self.synchronise()

    def synchronise(self) -> None:
        """Wait until the server has read all that was sent over either socket."""
        self.send_frame(rfc6455.PING, b"read?")
        assert self.receive_frame() == (rfc6455.PONG, b"read?")
        self.discover()

    # -- audio ---------------------------------------------------------------

    def packet(self, opus: bytes = FRAME, **changes: Any) -> bytes:
        """Seal the next packet; ``changes`` name header fields that are made wrong."""
        fields = {
            "first": 0x80,
            "second": 0x78,
            "sequence": self.sequence,
            "timestamp": self.timestamp,
            "ssrc": self.ready["ssrc"],
            "nonce": self.nonce,
            "clear": b"",
            **changes,
        }
        self.sequence = self.sequence + 1 & 0xFFFF
        self.timestamp = self.timestamp + 960 & 0xFFFF_FFFF
        self.nonce += 1
        nonce, clear = fields.pop("nonce"), fields.pop("clear")
        return self.cipher.seal(struct.pack(">BBHII", *fields.values()) + clear, opus, nonce)

    def play(self, frames: list[bytes]) -> None:
        for frame in frames:
            self.udp.send(self.packet(frame))
            time.sleep(0.001)  # the kernel's buffer is finite

    def hear(self, header_size: int = 12) -> tuple[bytes, bytes]:
        """Receive one packet; return its clear header and its plaintext."""
        packet = self.udp.recv(2048)
        plain = self.cipher.open(packet, header_size)
        assert plain is not None
        return packet[:header_size], plain
