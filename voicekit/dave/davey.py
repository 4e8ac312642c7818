"""The backend over ``davey``.

davey keeps frame keys to itself: it switches its sending key with the commit or welcome and
can not be held back until op 22, and expires old receiving keys by a clock of its own. It
would encrypt even where the call is in clear, so it only ever sees frames that are to be,
or say that they are, encrypted.
"""

import davey

from .backend import CommitResult

__all__ = ["Backend"]

#: davey raises ValueError for everything, RuntimeError before there is a group.
ERRORS = (ValueError, RuntimeError, TypeError)
#: Bytes of a private P-256 scalar; the rest of a given identity is the public point.
PRIVATE_KEY_SIZE = 32


class Backend:
    """One member's group and frame keys in davey."""

    max_version: int = davey.DAVE_PROTOCOL_VERSION

    def __init__(self, identity: bytes | str | None = None) -> None:
        if identity is None:
            self._key = davey.generate_p256_keypair()
        else:
            if isinstance(identity, str) or len(identity) != PRIVATE_KEY_SIZE + 65:
                raise ValueError("davey takes an identity of 32 private and 65 public bytes")
            private, public = identity[:PRIVATE_KEY_SIZE], identity[PRIVATE_KEY_SIZE:]
            self._key = davey.SigningKeyPair(private, public)
        self._session: davey.DaveSession | None = None
        self._user_id = 0

    def __repr__(self) -> str:
        return "<voicekit.dave.davey.Backend>"

    def start(self, version: int, group_id: int, user_id: int) -> None:
        """Begin anew; davey forgets its frame keys with the group."""
        self._user_id = user_id
        self._session = davey.DaveSession(version, user_id, group_id, self._key)

    def key_package(self) -> bytes | None:
        """Return a fresh key package."""
        return None if self._session is None else self._session.get_serialized_key_package()

    def set_external_sender(self, package: bytes) -> None:
        """Take a well-formed op 25; davey refuses a second one while a group lives."""
        try:
            if self._session is not None:
                self._session.set_external_sender(package)
        except ERRORS:
            pass

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
        return CommitResult.APPLIED

    def process_welcome(self, welcome: bytes, known: frozenset[int]) -> bool:
        """Take the welcome of an op 30; davey does not compare members, so we do."""
        try:
            assert self._session is not None
            self._session.process_welcome(welcome)
        except ERRORS:
            return False
        return True

    @property
    def established(self) -> bool:
        """Whether there is a group with an epoch."""
        return self._session is not None and self._session.ready

    @property
    def authenticator(self) -> bytes | None:
        """The epoch authenticator."""
        return self._session.get_epoch_authenticator() if self._session is not None else None

    @property
    def roster(self) -> dict[int, bytes]:
        """Members; davey does not tell their keys."""
        if self._session is None:
            return {}
        return {int(user_id): b"" for user_id in self._session.get_user_ids()}

    def send_key(self) -> object:
        """There is nothing to take: the session has switched already."""
        return None

    def install_send_key(self, key: object) -> None:
        """There is nothing to install."""

    def encrypt(self, opus: bytes) -> bytes | None:
        """Encrypt one Opus packet."""
        if self._session is None or not self._session.ready:
            return None
        try:
            return self._session.encrypt_opus(opus)
        except ERRORS:
            return None

    def add_receive_keys(self) -> None:
        """davey has done it."""

    def expire_receive_keys(self) -> None:
        """davey does it."""

    def remove_receive_keys(self, user_id: int) -> None:
        """davey does it with the commit."""

    def decrypt(self, user_id: int, frame: bytes) -> bytes | None:
        """Decrypt one frame."""
        if self._session is None:
            return None
        try:
            return self._session.decrypt(user_id, davey.MediaType.audio, frame)
        except ERRORS:
            return None

    def fingerprint(self, user_id: int) -> str | None:
        """Return the verification code with a member."""
        try:
            assert self._session is not None
            return self._session.get_verification_code(user_id)
        except ERRORS:
            return None
