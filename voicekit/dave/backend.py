"""The MLS library behind end-to-end encryption: one Protocol, two libraries.

``dave.py`` is Discord's own libdave; ``davey`` is an independent implementation. Both
interoperate. A backend is called from its connection's thread only: the libraries crash
when two threads meet in one session.
"""

from collections.abc import Callable
from enum import Enum
from importlib import import_module
from typing import Protocol

from ..errors import BackendUnavailable

__all__ = ["BACKENDS", "CommitResult", "DaveBackend", "Encrypt", "load_backend"]

#: Encrypts one Opus packet; None: there is no key.
Encrypt = Callable[[bytes], bytes | None]


class CommitResult(Enum):
    """What became of a commit."""

    APPLIED = "applied"
    IGNORED = "ignored"
    FAILED = "failed"


class DaveBackend(Protocol):
    """One member's MLS group and frame keys. User ids are integers, keys are raw bytes.

    No method raises for what a server sent: a failure is an answer.
    """

    #: The newest protocol version that the library speaks.
    max_version: int

    def forget(self) -> None:
        """Forget the group and every frame key: the session is over."""

    def start(self, version: int, group_id: int, user_id: int) -> None:
        """Begin a new group under the same identity. Receive keys stay where that is possible."""

    def key_package(self) -> bytes | None:
        """Return a fresh key package for op 26; None: the library has none to give."""

    def set_external_sender(self, package: bytes) -> None:
        """Take a well-formed op 25."""

    def process_proposals(self, payload: bytes, known: frozenset[int]) -> bytes | None:
        """Take an op 27; return what to send as op 28, or None for nothing."""

    def process_commit(self, commit: bytes) -> CommitResult:
        """Take the commit of an op 29."""

    def process_welcome(self, welcome: bytes, known: frozenset[int]) -> bool:
        """Take the welcome of an op 30; False: refused, to be tried again when more are known."""

    @property
    def established(self) -> bool:
        """Whether there is a group with an epoch."""

    @property
    def epoch(self) -> int | None:
        """The group's epoch; None without one, or where the library does not tell."""

    @property
    def authenticator(self) -> bytes | None:
        """The epoch authenticator; None without a group."""

    @property
    def roster(self) -> dict[int, bytes]:
        """The group's members and their public signature keys, as far as they are told."""

    def send_key(self) -> object:
        """Take our own sending ratchet of the present epoch; None: there is none."""

    def encryptor(self, key: object) -> Encrypt:
        """Return what encrypts with a `send_key`. Once per key: its nonces begin at 0."""

    def add_receive_keys(self, layer: int) -> None:
        """Make the present epoch's keys of all other members usable, beside older layers."""

    def drop_receive_keys(self, before: int) -> None:
        """Drop the receive keys of all layers before this one."""

    def decrypt(self, user_id: int, frame: bytes) -> bytes | None:
        """Decrypt one frame that bears the marker; None: no key fits."""

    def fingerprint(self, user_id: int) -> str | None:
        """Return the verification code with a member (slow); None: not a member."""


#: By the value of Config.dave_backend: the module with a `Backend` class, and what to install.
BACKENDS = {
    "dave.py": ("voicekit.dave.libdave", "dave.py"),
    "davey": ("voicekit.dave.davey", "davey"),
}


def load_backend(name: str, identity: bytes | None = None) -> DaveBackend:
    """Return a new backend. Raises `BackendUnavailable` with what to install.

    ``identity``: as `generate_identity` makes it; None: one for this backend only.
    Raises `ValueError` if it is none.
    """
    module, distribution = BACKENDS[name]
    try:
        backend: DaveBackend = import_module(module).Backend(identity)
    except ImportError as error:
        raise BackendUnavailable(
            f"voice calls need end-to-end encryption, and {distribution} can not be loaded"
            f" ({error}): pip install {distribution}"
        ) from None
    return backend
