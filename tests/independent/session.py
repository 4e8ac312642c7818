"""One client in one call, as the server keeps it."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ciphers import Cipher
from judge import Judge
from messages import BUFFERED, NUMBERED, encode
from rfc6455 import WebSocket

Address = tuple[str, int]

#: Both directions share a key: clients count nonces from below, the server from here.
FIRST_NONCE = 1 << 31


@dataclass
class Session:
    """What outlives a lost WebSocket, for the resume window."""

    user_id: int
    server_id: int
    session_id: str
    token: str
    version: int
    ssrc: int
    judge: Judge
    link: WebSocket | None
    mode: str | None = None
    cipher: Cipher | None = None
    nonce: int = FIRST_NONCE
    address: Address | None = None  # where discovery saw it
    speaking: dict[str, Any] | None = None  # the last op 5, as others get it
    seq: int = 0
    sent: deque[tuple[int, str]] = field(default_factory=deque)
    expiry: asyncio.TimerHandle | None = None
    muted: bool = False
    over: bool = False  # left, or put out: not to be resumed
    resumes: int = 0
    replayed: int = 0
    forwarded_from: int = 0
    forwarded_to: int = 0
    closes: list[int] = field(default_factory=list)

    def describe(self, mode: str, key: bytes) -> None:
        """Begin anew with a fresh key."""
        self.mode, self.cipher, self.nonce = mode, Cipher(mode, key), FIRST_NONCE
        self.judge.new_key()

    def send(self, op: int, data: object) -> None:
        """Send a message; one with a number waits in the buffer while the socket is lost."""
        if op in NUMBERED and self.version >= BUFFERED:
            self.seq = self.seq + 1 & 0xFFFF
            message = encode(op, data, self.seq)
            self.sent.append((self.seq, message))
        else:
            message = encode(op, data)
        if self.link is not None:
            self.link.send(message)

    def acknowledge(self, seq_ack: int) -> None:
        """Forget what the client has; a number that is not in the buffer says nothing."""
        if any(seq == seq_ack for seq, _ in self.sent):
            while self.sent.popleft()[0] != seq_ack:
                pass

    def attach(self, link: WebSocket) -> None:
        """Go on over a new WebSocket: Resumed first, then what was missed."""
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None
        if self.link is not None:
            self.link.drop()
        self.link, self.muted = link, False
        self.resumes += 1
        self.replayed += len(self.sent)

    def seal(self, header: bytes, plain: bytes) -> bytes:
        """Encrypt a packet for this client."""
        assert self.cipher is not None
        self.nonce += 1
        self.forwarded_to += 1
        return self.cipher.seal(header, plain, self.nonce - 1)

    def totals(self) -> dict[str, object]:
        """Return this session's part of the stats line."""
        return {
            "user_id": self.user_id,
            "ssrc": self.ssrc,
            "version": self.version,
            "mode": self.mode,
            "dave_version": 0,
            **self.judge.totals(),
            "forwarded_from": self.forwarded_from,
            "forwarded_to": self.forwarded_to,
            "dropped_to": 0,
            "resumes": self.resumes,
            "replayed": self.replayed,
            "closes": self.closes,
        }
