"""A backend without cryptography: the rules of the machine, one at a time.

A frame is "encrypted" by naming its key: ``b"<key>|" + opus + MARKER``. Messages are made by
the functions below; their last bytes say what becomes of them.
"""

from voicekit.dave.backend import CommitResult, Encrypt
from voicekit.dave.frames import MARKER

CHANNEL = 4242
ME = 11
EXTERNAL_SENDER = b"\x03key" + b"\x00\x01" + b"\x04self"
OTHER_SENDER = b"\x03KEY" + b"\x00\x01" + b"\x04self"


def public_message(epoch: int, body: bytes = b"", channel: int = CHANNEL) -> bytes:
    group = channel.to_bytes(8, "big")
    return b"\x00\x01\x00\x01" + b"\x08" + group + epoch.to_bytes(8, "big") + body


def commit(transition_id: int, epoch: int, body: bytes = b"", channel: int = CHANNEL) -> bytes:
    return transition_id.to_bytes(2, "big") + public_message(epoch, body, channel)


def welcome(transition_id: int, body: bytes = b"welcome") -> bytes:
    return transition_id.to_bytes(2, "big") + body


def proposals(epoch: int = 0, channel: int = CHANNEL) -> bytes:
    message = public_message(epoch, b"add", channel)
    return b"\x00" + bytes((len(message),)) + message


class FakeBackend:
    """Does what it is told and notes what it was asked."""

    max_version = 1

    def __init__(self) -> None:
        self.group = 0
        self.epoch_now: int | None = None
        self.layers: list[int] = []
        self.started: list[tuple[int, int, int]] = []
        self.senders: list[bytes] = []
        self.proposed: list[bytes] = []
        self.known: list[frozenset[int]] = []
        self.needed: frozenset[int] = frozenset()  #: by a welcome
        self.answer: bytes | None = None  #: to proposals; None: a commit of the epoch
        self.no_send_key = False
        self.forgotten = 0
        self.tells_epoch = False

    def forget(self) -> None:
        self.forgotten += 1
        self.layers.clear()
        self.epoch_now = None

    def start(self, version: int, group_id: int, user_id: int) -> None:
        self.started.append((version, group_id, user_id))
        self.group += 1
        self.epoch_now = None

    def key_package(self) -> bytes | None:
        return b"package %d" % self.group

    def set_external_sender(self, package: bytes) -> None:
        self.senders.append(package)

    def process_proposals(self, payload: bytes, known: frozenset[int]) -> bytes | None:
        self.proposed.append(payload)
        self.known.append(known)
        if self.answer is not None:
            return self.answer or None
        return public_message(self.epoch_now or 0, b"ours")

    def process_commit(self, commit: bytes) -> CommitResult:
        if commit.endswith(b"bad"):
            return CommitResult.FAILED
        if commit.endswith(b"ignored"):
            return CommitResult.IGNORED
        self.epoch_now = int.from_bytes(commit[13:21], "big") + 1
        return CommitResult.APPLIED

    def process_welcome(self, welcome: bytes, known: frozenset[int]) -> bool:
        if welcome.endswith(b"bad") or not self.needed <= known:
            return False
        self.epoch_now = 7
        return True

    @property
    def established(self) -> bool:
        return self.epoch_now is not None

    @property
    def epoch(self) -> int | None:
        return self.epoch_now if self.tells_epoch else None

    @property
    def authenticator(self) -> bytes | None:
        return None if self.epoch_now is None else self.epoch_now.to_bytes(8, "big") + bytes(24)

    @property
    def roster(self) -> dict[int, bytes]:
        return {ME: b"", 12: b""}

    def send_key(self) -> object:
        return None if self.no_send_key else b"%d.%d" % (self.group, self.epoch_now or 0)

    def encryptor(self, key: object) -> Encrypt:
        assert isinstance(key, bytes)
        prefix = key + b"|"
        return lambda opus: prefix + opus + MARKER

    def add_receive_keys(self, layer: int) -> None:
        self.layers.append(layer)

    def drop_receive_keys(self, before: int) -> None:
        self.layers = [layer for layer in self.layers if layer >= before]

    def decrypt(self, user_id: int, frame: bytes) -> bytes | None:
        return frame.split(b"|", 1)[1][:-2] if b"|" in frame else None

    def fingerprint(self, user_id: int) -> str | None:
        return None
