"""The backend over ``dave.py``, the binding of Discord's libdave.

libdave works per user, with an Encryptor and Decryptors that are handed key ratchets:

- A ratchet is consumed by its use: one object, one Encryptor or Decryptor.
- A Decryptor counts the seconds of its old keys on a clock of its own. Ours counts on the
  caller's: so each (user, epoch) has a Decryptor of its own, and we drop it.
- ``get_key_ratchet`` answers for strangers too: only members of the roster are asked for.
- A roster comes as a *diff*, with an empty key for somebody who was removed.
"""

import contextlib
import logging

import dave

from .._frame_gate import FrameCall, OpeningKeys
from . import identity as identity_key
from .backend import CommitResult, Encrypt
from .displayable import verification_code

__all__ = ["Backend"]

# libdave logs every frame it can not decrypt, at 20 µs each, to stderr. We count them.
logging.getLogger("dave").setLevel(logging.CRITICAL + 1)

#: libdave asks for an SSRC with each frame, only to look up the codec.
SSRC = 1
#: Our Decryptors hold one ratchet for ever; we drop the whole Decryptor instead.
NEVER = 1e9
#: Of all that libdave throws for malformed input.
ERRORS = (ValueError, RuntimeError, TypeError)


class Backend:
    """One member's group and frame keys in libdave."""

    max_version: int = dave.get_max_supported_protocol_version()

    def __init__(self, identity: bytes | None = None) -> None:
        self._key = (
            dave.SignatureKeyPair.generate(self.max_version)
            if identity is None
            else _load(identity_key.to_jwk(identity), self.max_version)
        )
        self._session = dave.Session(None)
        self._user_id = 0
        self._roster: dict[int, bytes] = {}
        self._openers = OpeningKeys()  # a failure costs 20 µs
        self.decrypt = self._openers

    def __repr__(self) -> str:
        return "<voicekit.dave.libdave.Backend>"

    def forget(self) -> None:
        """Forget the group and every frame key."""
        self._session = dave.Session(None)
        self._roster = {}
        self._openers.clear()

    def start(self, version: int, group_id: int, user_id: int) -> None:
        """Begin anew; frame keys of the old group stay usable until they are dropped."""
        self._user_id = user_id
        self._roster = {}
        self._session = dave.Session(None)
        self._session.init(version, group_id, str(user_id), self._key)

    def key_package(self) -> bytes | None:
        """Return a fresh key package."""
        return self._session.get_marshalled_key_package()

    def set_external_sender(self, package: bytes) -> None:
        """Take a well-formed op 25."""
        with contextlib.suppress(*ERRORS):
            self._session.set_external_sender(package)

    def process_proposals(self, payload: bytes, known: frozenset[int]) -> bytes | None:
        """Take an op 27, type byte included."""
        try:
            answer = self._session.process_proposals(payload, _texts(known))
        except ERRORS:
            return None
        return answer or None

    def process_commit(self, commit: bytes) -> CommitResult:
        """Take the commit of an op 29."""
        try:
            answer = self._session.process_commit(commit)
        except ERRORS:
            return CommitResult.FAILED
        # RejectType.failed equals 0 and an empty diff is a success: never ask for truth.
        if isinstance(answer, dave.RejectType):
            ignored = answer is dave.RejectType.ignored
            return CommitResult.IGNORED if ignored else CommitResult.FAILED
        self._apply(answer)
        return CommitResult.APPLIED

    def process_welcome(self, welcome: bytes, known: frozenset[int]) -> bool:
        """Take the welcome of an op 30."""
        try:
            answer = self._session.process_welcome(welcome, _texts(known))
        except ERRORS:
            return False
        if answer is None:
            return False
        self._roster = {}
        self._apply(answer)
        return True

    @property
    def established(self) -> bool:
        """Whether there is a group with an epoch."""
        return bool(self._roster) and self._session.has_established_group()

    @property
    def epoch(self) -> int | None:
        """libdave does not tell."""
        return None

    @property
    def authenticator(self) -> bytes | None:
        """The epoch authenticator."""
        return self._session.get_last_epoch_authenticator() or None if self.established else None

    @property
    def roster(self) -> dict[int, bytes]:
        """Members and their public keys."""
        return dict(self._roster)

    def send_key(self) -> object:
        """Take our own sending ratchet."""
        return self._session.get_key_ratchet(str(self._user_id))

    def encryptor(self, key: object) -> Encrypt:
        """Return an Encryptor's method; the ratchet is used up by it."""
        assert isinstance(key, dave.IKeyRatchet)
        encryptor = dave.Encryptor()
        encryptor.assign_ssrc_to_codec(SSRC, dave.Codec.opus)
        encryptor.set_key_ratchet(key)
        return FrameCall(dave.Encryptor.encrypt, encryptor, dave.MediaType.audio, SSRC)

    def add_receive_keys(self, layer: int) -> None:
        """Give every other member a Decryptor for the present epoch."""
        for user_id in self._roster:
            if user_id == self._user_id:
                continue
            ratchet = self._session.get_key_ratchet(str(user_id))
            if ratchet is None:
                continue
            decryptor = dave.Decryptor()
            decryptor.transition_to_key_ratchet(ratchet, NEVER)
            opener = FrameCall(dave.Decryptor.decrypt, decryptor, dave.MediaType.audio)
            self._openers.add(user_id, layer, opener)

    def drop_receive_keys(self, before: int) -> None:
        """Drop the Decryptors of older layers."""
        self._openers.drop(before)

    def fingerprint(self, user_id: int) -> str | None:
        """Return the verification code with a member."""
        ours, theirs = self._roster.get(self._user_id), self._roster.get(user_id)
        if ours is None or theirs is None:
            return None
        return verification_code(ours, self._user_id, theirs, user_id)

    def _apply(self, diff: dict[int, list[int]]) -> None:
        for user_id, key in diff.items():
            if key:
                self._roster[user_id] = bytes(key)
            else:
                self._roster.pop(user_id, None)


def _load(jwk: str, version: int) -> dave.SignatureKeyPair:
    try:
        return dave.SignatureKeyPair.load(version, jwk)
    except ERRORS:
        # Not the library's words: they may quote what they could not read.
        raise ValueError("the identity key is no P-256 key pair") from None


def _texts(user_ids: frozenset[int]) -> set[str]:
    return {str(user_id) for user_id in user_ids}
