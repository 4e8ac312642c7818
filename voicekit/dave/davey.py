"""The backend over ``davey``.

davey keeps frame keys to itself: it switches its sending key with the commit or welcome and
can not be held back until op 22, and expires old receiving keys by a clock of its own. It
would encrypt even where the call is in clear, so it only ever sees frames that are to be,
or say that they are, encrypted.

A session holds one group. When a new one begins, the old session goes on to open frames
until its layer of keys is dropped.
"""

import contextlib

import davey

from . import identity as identity_key
from .backend import CommitResult, Encrypt

__all__ = ["Backend"]

#: davey raises ValueError for everything, RuntimeError before there is a group.
ERRORS = (ValueError, RuntimeError, TypeError)


class Backend:
    """One member's group and frame keys in davey."""

    max_version: int = davey.DAVE_PROTOCOL_VERSION

    def __init__(self, identity: bytes | None = None) -> None:
        self._key = (
            davey.generate_p256_keypair()
            if identity is None
            else davey.SigningKeyPair(*identity_key.split(identity))
        )
        self._session: davey.DaveSession | None = None
        self._older: davey.DaveSession | None = None
        self._layer = 0  # of the newest receive keys
        self._older_layer = 0  # of the older session's newest ones
        self._joined = False  # the present session has a group that is all of known members
        self._welcomed = False  # it has a group, but perhaps of strangers

    def __repr__(self) -> str:
        return "<voicekit.dave.davey.Backend>"

    def forget(self) -> None:
        """Forget the group and every frame key."""
        self._session = self._older = None
        self._joined = self._welcomed = False

    def start(self, version: int, group_id: int, user_id: int) -> None:
        """Begin anew; the old session stays for frames that are on their way."""
        if self._joined:
            self._older, self._older_layer = self._session, self._layer
        self._joined = self._welcomed = False
        self._session = davey.DaveSession(version, user_id, group_id, self._key)

    def key_package(self) -> bytes | None:
        """Return a fresh key package."""
        return None if self._session is None else self._session.get_serialized_key_package()

    def set_external_sender(self, package: bytes) -> None:
        """Take a well-formed op 25; davey refuses a second one while a group lives."""
        with contextlib.suppress(*ERRORS):
            if self._session is not None:
                self._session.set_external_sender(package)

    def process_proposals(self, payload: bytes, known: frozenset[int]) -> bytes | None:
        """Take an op 27; davey wants its type byte apart."""
        operation = davey.ProposalsOperationType.append
        if payload[0]:
            operation = davey.ProposalsOperationType.revoke
        try:
            assert self._session is not None
            answer = self._session.process_proposals(operation, payload[1:], sorted(known))
        except ERRORS:
            return None
        return None if answer is None else answer.commit + (answer.welcome or b"")

    def process_commit(self, commit: bytes) -> CommitResult:
        """Take the commit of an op 29."""
        try:
            assert self._session is not None
            self._session.process_commit(commit)
        except ERRORS:
            return CommitResult.FAILED
        self._joined = True
        return CommitResult.APPLIED

    def process_welcome(self, welcome: bytes, known: frozenset[int]) -> bool:
        """Take the welcome of an op 30; davey does not compare members, so we do."""
        assert self._session is not None
        if not self._welcomed:
            try:
                self._session.process_welcome(welcome)
            except ERRORS:
                return False
            self._welcomed = True
        self._joined = self._users().keys() <= known
        return self._joined

    @property
    def established(self) -> bool:
        """Whether there is a group with an epoch."""
        return self._joined

    @property
    def epoch(self) -> int | None:
        """The group's epoch."""
        return self._session.epoch if self._joined and self._session is not None else None

    @property
    def authenticator(self) -> bytes | None:
        """The epoch authenticator."""
        if self._session is None or not self._joined:
            return None
        return self._session.get_epoch_authenticator()

    @property
    def roster(self) -> dict[int, bytes]:
        """Members; davey does not tell their keys."""
        return self._users() if self._joined else {}

    def send_key(self) -> object:
        """Return the session: it has switched already."""
        return self._session if self._joined else None

    def encryptor(self, key: object) -> Encrypt:
        """Return the session's own encryption."""
        assert isinstance(key, davey.DaveSession)
        session = key

        def encrypt(opus: bytes) -> bytes | None:
            try:
                return session.encrypt_opus(opus)
            except ERRORS:
                return None

        return encrypt

    def add_receive_keys(self, layer: int) -> None:
        """davey has done it."""
        self._layer = layer

    def drop_receive_keys(self, before: int) -> None:
        """davey does it within one group; the session of an older group is dropped here."""
        if before > self._older_layer:
            self._older = None

    def decrypt(self, user_id: int, frame: bytes) -> bytes | None:
        """Decrypt one frame with the present group's keys, or with the group's before it."""
        if self._session is not None and self._joined:
            try:
                return self._session.decrypt(user_id, davey.MediaType.audio, frame)
            except ERRORS:
                pass
        if self._older is not None:
            try:
                return self._older.decrypt(user_id, davey.MediaType.audio, frame)
            except ERRORS:
                pass
        return None

    def fingerprint(self, user_id: int) -> str | None:
        """Return the verification code with a member."""
        if self._session is None or not self._joined:
            return None
        try:
            return self._session.get_verification_code(user_id)
        except ERRORS:
            return None

    def _users(self) -> dict[int, bytes]:
        assert self._session is not None
        return {int(user_id): b"" for user_id in self._session.get_user_ids()}
