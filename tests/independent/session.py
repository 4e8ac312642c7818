"""One client in one call, as the server keeps it."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ciphers import Cipher
from judge import Judge
from messages import (
    ANNOUNCE_COMMIT,
    BUFFERED,
    EXECUTE_TRANSITION,
    NUMBERED,
    PREPARE_TRANSITION,
    WELCOME,
    encode,
)
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
    sent: deque[tuple[int, str | bytes]] = field(default_factory=deque)
    speaks_dave: bool = False
    dave_version: int = 0  # of the call
    announced: dict[int, int] = field(default_factory=dict)  # versions, by transition id
    unaware: set[int] = field(default_factory=set)  # who left without its being told yet
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
        self.judge.encrypts_from = float("inf")  # group keys are made anew as well
        self.announced.clear()

    def send(self, op: int, data: object) -> None:
        """Send a message; one with a number waits in the buffer while the socket is lost."""
        message: str | bytes
        if isinstance(data, bytes) or (op in NUMBERED and self.version >= BUFFERED):
            self.seq = self.seq + 1 & 0xFFFF
            if isinstance(data, bytes):
                message = self.seq.to_bytes(2, "big") + bytes((op,)) + data
            else:
                message = encode(op, data, self.seq)
            self.sent.append((self.seq, message))
        else:
            message = encode(op, data)
        if self.link is not None:
            self.link.send(message)

    def take_dave(self, op: int, payload: Any, now: float) -> None:
        """Send what the delivery service says; note what it means for frames."""
        if op in (ANNOUNCE_COMMIT, WELCOME):
            self.announced[int.from_bytes(payload[:2], "big")] = 1
        elif op == PREPARE_TRANSITION and payload["transition_id"]:
            self.announced[payload["transition_id"]] = payload["protocol_version"]
        elif op == PREPARE_TRANSITION:
            self.judge.encrypts_from = float("inf")  # alone
        elif op == EXECUTE_TRANSITION:
            self.dave_version = self.announced.pop(payload["transition_id"], self.dave_version)
            begun = min(self.judge.encrypts_from, now)
            self.judge.encrypts_from = begun if self.dave_version else float("inf")
        self.send(op, payload)

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
            "dave_version": self.dave_version,
            **self.judge.totals(),
            "forwarded_from": self.forwarded_from,
            "forwarded_to": self.forwarded_to,
            "dropped_to": 0,
            "resumes": self.resumes,
            "replayed": self.replayed,
            "closes": self.closes,
        }
