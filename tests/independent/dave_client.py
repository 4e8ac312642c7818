"""A raw client that speaks DAVE with libdave: what the plain delivery service is tested with."""

import select
import time
from collections.abc import Callable
from typing import Any

import dave

from . import rfc6455
from .ciphers import XCHACHA
from .raw_client import CHANNEL_ID, FRAME, TIMEOUT, RawClient

SSRC = 1  # of libdave's own count; it only looks up the codec


class DaveClient(RawClient):
    """Joins at once; `converse` lets clients answer until something is so."""

    def __init__(self, url: str, user_id: int, **options: Any) -> None:
        super().__init__(url, user_id, version=9, **options)
        self.known = {str(user_id)}
        self.key = dave.SignatureKeyPair.generate(1)
        self.sender = b""
        self.ops: list[int] = []
        self.pending: dict[int, tuple[int, Any]] = {}
        self.executed: list[int] = []
        self.numbers: list[int] = []
        self.failures = 0
        self.session: Any = dave.Session(None)
        self.encryptor: Any = None
        self.identify(max_dave_protocol_version=1)
        self.describe(XCHACHA)
        if self.dave_version:
            self.begin()

    def wait_for(self, op: int) -> dict[str, Any]:
        """Receive until a message with ``op`` comes; what else comes counts as well."""
        while True:
            message = self.receive_any()
            if message is not None and message["op"] == op:
                return message

    def receive_any(self) -> dict[str, Any] | None:
        """Receive one message of either kind; return a text message."""
        opcode, payload = self.receive_frame()
        if opcode == rfc6455.BINARY:
            self.numbers.append(int.from_bytes(payload[:2], "big"))
            self._take(payload[2], payload[3:])
            return None
        assert opcode == rfc6455.TEXT, payload
        message = self._decode(payload)
        if "seq" in message:
            self.numbers.append(message["seq"])
        self._take(message["op"], message["d"])
        return message

    def begin(self) -> None:
        self.session = dave.Session(None)
        self.session.init(1, CHANNEL_ID, str(self.user_id), self.key)
        if self.sender:
            self.session.set_external_sender(self.sender)
        self.send_frame(rfc6455.BINARY, b"\x1a" + self.session.get_marshalled_key_package())

    def _take(self, op: int, data: Any) -> None:
        self.ops.append(op)
        if op == 11:
            self.known |= set(data["user_ids"])
        elif op == 13:
            self.known.discard(data["user_id"])
        elif op == 21 and not data["protocol_version"]:
            self._prepare(data["transition_id"], 0, None)
        elif op == 22 and data["transition_id"] in self.pending:
            self.dave_version, ratchet = self.pending.pop(data["transition_id"])
            self.executed.append(data["transition_id"])
            if ratchet is not None:
                self.encryptor = dave.Encryptor()
                self.encryptor.assign_ssrc_to_codec(SSRC, dave.Codec.opus)
                self.encryptor.set_key_ratchet(ratchet)
        elif op == 24 and data["epoch"] == 1:
            self.begin()
        elif op == 25:
            self.sender = data
            self.session.set_external_sender(data)
        elif op == 27:
            answer = self.session.process_proposals(data, self.known)
            if answer:
                self.send_frame(rfc6455.BINARY, b"\x1c" + answer)
        elif op == 29:
            self._follow(data, self.session.process_commit(data[2:]))
        elif op == 30:
            self._follow(data, self.session.process_welcome(data[2:], self.known))

    def _follow(self, data: bytes, outcome: Any) -> None:
        transition_id = int.from_bytes(data[:2], "big")
        if outcome is None or isinstance(outcome, dave.RejectType):
            self.failures += 1
            self.send(31, {"transition_id": transition_id})
            self.begin()
        else:
            self._prepare(transition_id, 1, self.session.get_key_ratchet(str(self.user_id)))

    def _prepare(self, transition_id: int, version: int, ratchet: Any) -> None:
        if transition_id:
            self.pending[transition_id] = (version, ratchet)
            self.send(23, {"transition_id": transition_id})

    @property
    def authenticator(self) -> bytes | None:
        if not self.session.has_established_group():
            return None
        authenticator: bytes = self.session.get_last_epoch_authenticator()
        return authenticator

    def encrypt(self, opus: bytes = FRAME) -> bytes:
        frame: bytes = self.encryptor.encrypt(dave.MediaType.audio, SSRC, opus)
        return frame

    def decrypt(self, user_id: int, frame: bytes) -> bytes | None:
        decryptor = dave.Decryptor()
        decryptor.transition_to_key_ratchet(self.session.get_key_ratchet(str(user_id)), 10.0)
        opus: bytes | None = decryptor.decrypt(dave.MediaType.audio, frame)
        return opus


def converse(until: Callable[[], object], *clients: DaveClient) -> None:
    """Let clients receive and answer until ``until()`` is true."""
    end = time.monotonic() + TIMEOUT
    while not until():
        assert time.monotonic() < end, [(client.user_id, client.ops) for client in clients]
        waiting = [client for client in clients if client.buffered]
        if not waiting:
            sockets = {client.tcp: client for client in clients}
            waiting = [sockets[tcp] for tcp in select.select(list(sockets), [], [], 0.1)[0]]
        for client in waiting:
            client.receive_any()


def one_group(*clients: DaveClient) -> bool:
    """Whether all are in one epoch, and its transition is executed."""
    authenticators = {client.authenticator for client in clients}
    return (
        len(authenticators) == 1
        and None not in authenticators
        and all(client.dave_version == 1 and not client.pending for client in clients)
    )
