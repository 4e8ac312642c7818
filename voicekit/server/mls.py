"""The part of MLS (RFC 9420) that a DAVE delivery service speaks.

The server is no member of the group: it holds no secret of it. It signs proposals as the
group's only external sender, reads key packages, and reads commits and welcomes as far as
they are in clear. DAVE fixes ciphersuite 2 (P-256, AES-128-GCM, SHA-256), basic credentials
whose identity is the user id (u64, big-endian) and handshakes as PublicMessage.

    MLSMessage    = u16 version (1) | u16 wire format | body
    PublicMessage = FramedContent | signature<V> | confirmation tag<V> (commits)
                    | membership tag<V> (members)
    FramedContent = group_id<V> | u64 epoch | sender | authenticated_data<V>
                    | u8 content type | content
    x<V>          = length as a QUIC varint of 1, 2 or 4 bytes, then that many bytes

What the server can check of a commit, and what it can not:

    yes   group, epoch, sender's leaf, which proposals it commits and that it brings none of
          its own, for whom its welcome is; and, where it removes somebody and so has a
          path, the signature of the new leaf node in that, which is over public things only
    no    the commit's own signature: it covers the GroupContext, whose transcript hash goes
          back to a confirmation tag of epoch 0 that only the group's founder ever sees
    no    its confirmation and membership tags, the encrypted path, the welcome's secrets:
          members find those out, and say op 31
"""

import hashlib
from collections.abc import Iterable

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = [
    "Commit",
    "ExternalSender",
    "KeyPackage",
    "MlsError",
    "Proposal",
    "Welcome",
    "parse_commit_welcome",
    "parse_key_package",
    "vector",
]

MLS10 = 1
CIPHERSUITE = 2
WIRE_PUBLIC_MESSAGE = 1
WIRE_WELCOME = 3
WIRE_KEY_PACKAGE = 5
SENDER_MEMBER, SENDER_EXTERNAL = 1, 2
CONTENT_PROPOSAL, CONTENT_COMMIT = 2, 3
PROPOSAL_ADD, PROPOSAL_REMOVE = 1, 3
IN_COMMIT_PROPOSAL, IN_COMMIT_REFERENCE = 1, 2
CREDENTIAL_BASIC = 1
LEAF_SOURCE_KEY_PACKAGE, LEAF_SOURCE_UPDATE, LEAF_SOURCE_COMMIT = 1, 2, 3


#: dave.py's have some 300 bytes. Each is sent on to every member of the call.
MAX_KEY_PACKAGE = 2048


class MlsError(ValueError):
    """The bytes are not the MLS structure that they should be."""


# -- TLS presentation language (RFC 8446 §3, RFC 9420 §2.1.2) ---------------------


def vector(data: bytes) -> bytes:
    """Encode ``data<V>``."""
    n = len(data)
    if n < 1 << 6:
        return bytes((n,)) + data
    if n < 1 << 14:
        return (n | 0x4000).to_bytes(2, "big") + data
    if n < 1 << 30:
        return (n | 0x8000_0000).to_bytes(4, "big") + data
    raise MlsError("too long for a vector")


class Reader:
    """Reads a structure from the front; every step past the end is an `MlsError`."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, n: int) -> bytes:
        """Return the next ``n`` bytes."""
        end = self.at + n
        if end > len(self.data):
            raise MlsError("a length reaches past the end")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def uint(self, size: int) -> int:
        """Return an unsigned integer of ``size`` bytes."""
        return int.from_bytes(self.take(size), "big")

    def vector(self) -> bytes:
        """Return the content of a ``<V>`` vector; its length must be in the shortest form."""
        first = self.uint(1)
        size = 1 << (first >> 6)
        if size == 8:
            raise MlsError("a vector's length is malformed")
        n = (first & 0x3F) << 8 * (size - 1) | self.uint(size - 1)
        if size > 1 and n < 1 << (8 * (size // 2) - 2):
            raise MlsError("a vector's length is not in its shortest form")
        return self.take(n)

    def since(self, start: int) -> bytes:
        """Return what was read since ``start``, a former `at`."""
        return self.data[start : self.at]

    def finish(self, what: str) -> None:
        """Raise `MlsError` if something follows."""
        if not self.done:
            raise MlsError(f"bytes follow {what}")

    @property
    def done(self) -> bool:
        """Whether everything was read."""
        return self.at == len(self.data)


def ref_hash(label: str, value: bytes) -> bytes:
    """RFC 9420 §5.2."""
    return hashlib.sha256(vector(b"MLS 1.0 " + label.encode()) + vector(value)).digest()


def sign_content(label: str, content: bytes) -> bytes:
    """Return what is signed for ``SignWithLabel``: RFC 9420 §5.1.2."""
    return vector(b"MLS 1.0 " + label.encode()) + vector(content)


# -- key packages -------------------------------------------------------------------


class LeafNode(msgspec.Struct, frozen=True):
    """RFC 9420 §7.2, as far as the server looks. ``signed`` lacks what follows from context."""

    user_id: int
    signature_key: bytes
    source: int
    signed: bytes
    signature: bytes

    def verify(self, context: bytes = b"") -> None:
        """Check its signature, or raise `MlsError`."""
        _verify(
            self.signature_key, self.signature, sign_content("LeafNodeTBS", self.signed + context)
        )


class KeyPackage(msgspec.Struct, frozen=True):
    """RFC 9420 §10. ``raw`` is the whole structure, ``reference`` its name in a Welcome."""

    leaf: LeafNode
    raw: bytes
    reference: bytes


def parse_key_package(data: bytes) -> KeyPackage:
    """Parse and verify the key package of an op 26, bare or in an MLSMessage."""
    if data[:4] == bytes((0, MLS10, 0, WIRE_KEY_PACKAGE)):
        data = data[4:]
    if len(data) > MAX_KEY_PACKAGE:
        raise MlsError("the key package is too large")
    reader = Reader(data)
    if reader.uint(2) != MLS10 or reader.uint(2) != CIPHERSUITE:
        raise MlsError("the key package is of another MLS version or ciphersuite")
    _check_point(reader.vector())  # init key
    leaf = _leaf_node(reader)
    if leaf.source != LEAF_SOURCE_KEY_PACKAGE:
        raise MlsError("the leaf node is not one of a key package")
    reader.vector()  # extensions
    signed = reader.since(0)
    signature = reader.vector()
    reader.finish("the key package")
    leaf.verify()
    _verify(leaf.signature_key, signature, sign_content("KeyPackageTBS", signed))
    return KeyPackage(leaf, data, ref_hash("KeyPackage Reference", data))


def _leaf_node(reader: Reader) -> LeafNode:
    start = reader.at
    _check_point(reader.vector())  # encryption key
    signature_key = reader.vector()
    if reader.uint(2) != CREDENTIAL_BASIC:
        raise MlsError("the credential is not a basic one")
    identity = reader.vector()
    if len(identity) != 8:
        raise MlsError("the identity is not a 64-bit user id")
    for _ in range(5):  # capabilities: versions, suites, extensions, proposals, credentials
        reader.vector()
    source = reader.uint(1)
    if source == LEAF_SOURCE_KEY_PACKAGE:
        reader.take(16)  # lifetime
    elif source == LEAF_SOURCE_COMMIT:
        reader.vector()  # parent hash
    elif source != LEAF_SOURCE_UPDATE:
        raise MlsError("the leaf node's source is unknown")
    reader.vector()  # extensions
    signed = reader.since(start)
    user_id = int.from_bytes(identity, "big")
    return LeafNode(user_id, signature_key, source, signed, reader.vector())


def _check_point(key: bytes) -> None:
    """Refuse what is no public key of P-256: no member could encrypt to it."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    except ValueError:
        raise MlsError("a key is no point of P-256") from None


def _verify(key: bytes, signature: bytes, content: bytes) -> None:
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
        public.verify(signature, content, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        raise MlsError("a signature does not match") from None


# -- proposals: what the server says --------------------------------------------------


class Proposal(msgspec.Struct, frozen=True):
    """One signed proposal: the MLSMessage to send, and how a commit refers to it."""

    user_id: int  # whom it adds or removes
    is_add: bool
    message: bytes
    reference: bytes


class ExternalSender:
    """The identity under which the server proposes (RFC 9420 §12.1.8.1). Its key is random."""

    def __init__(self, identity: bytes = b"voicekit") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._identity = identity

    @property
    def package(self) -> bytes:
        """The payload of op 25: signature_key<V> | u16 credential type | identity<V>."""
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return vector(point) + CREDENTIAL_BASIC.to_bytes(2, "big") + vector(self._identity)

    def propose_add(self, group_id: bytes, epoch: int, package: KeyPackage) -> Proposal:
        """Propose to add the owner of ``package``."""
        body = PROPOSAL_ADD.to_bytes(2, "big") + package.raw
        return self._propose(group_id, epoch, body, package.leaf.user_id, True)

    def propose_remove(self, group_id: bytes, epoch: int, leaf: int, user_id: int) -> Proposal:
        """Propose to remove the member at ``leaf``."""
        body = PROPOSAL_REMOVE.to_bytes(2, "big") + leaf.to_bytes(4, "big")
        return self._propose(group_id, epoch, body, user_id, False)

    def _propose(
        self, group_id: bytes, epoch: int, body: bytes, user_id: int, is_add: bool
    ) -> Proposal:
        content = (
            vector(group_id)
            + epoch.to_bytes(8, "big")
            + bytes((SENDER_EXTERNAL,))
            + (0).to_bytes(4, "big")  # our index in the external_senders extension
            + vector(b"")
            + bytes((CONTENT_PROPOSAL,))
            + body
        )
        wire_format = WIRE_PUBLIC_MESSAGE.to_bytes(2, "big")
        version = MLS10.to_bytes(2, "big")
        # An external sender knows no GroupContext: RFC 9420 §6.1 leaves it out of the TBS.
        signed = sign_content("FramedContentTBS", version + wire_format + content)
        signature = vector(self._key.sign(signed, ec.ECDSA(hashes.SHA256())))
        message = version + wire_format + content + signature
        reference = ref_hash("Proposal Reference", wire_format + content + signature)
        return Proposal(user_id, is_add, message, reference)


def encode_append(proposals: Iterable[Proposal]) -> bytes:
    """Return the payload of an op 27 that brings proposals."""
    return b"\0" + vector(b"".join(proposal.message for proposal in proposals))


def encode_revoke(references: Iterable[bytes]) -> bytes:
    """Return the payload of an op 27 that withdraws proposals."""
    return b"\1" + vector(b"".join(vector(reference) for reference in references))


# -- commits and welcomes: what members say ---------------------------------------------


class Commit(msgspec.Struct, frozen=True):
    """The clear part of a commit, and the MLSMessage as it came."""

    group_id: bytes
    epoch: int
    sender_leaf: int
    references: tuple[bytes, ...]  # proposals it commits, by reference
    inline: bool  # whether it carries proposals itself: DAVE allows none
    leaf: LeafNode | None  # of its path: the sender's new leaf
    message: bytes

    def verify_leaf(self) -> None:
        """Check the signature of the path's leaf node, or raise `MlsError`."""
        if self.leaf is not None:
            place = vector(self.group_id) + self.sender_leaf.to_bytes(4, "big")
            self.leaf.verify(place)


class Welcome(msgspec.Struct, frozen=True):
    """A welcome for several newcomers, divisible: each gets only its own secrets."""

    secrets: dict[bytes, bytes]  # by key package reference: EncryptedGroupSecrets
    group_info: bytes

    def for_member(self, reference: bytes) -> bytes:
        """Return the Welcome with nobody else's secrets in it."""
        suite = CIPHERSUITE.to_bytes(2, "big")
        return suite + vector(self.secrets[reference]) + vector(self.group_info)


def parse_commit_welcome(data: bytes) -> tuple[Commit, Welcome | None]:
    """Parse an op 28: a commit, then a welcome (not in an MLSMessage) if somebody is added."""
    reader = Reader(data)
    commit = _commit(reader)
    if reader.done:
        return commit, None
    if data[reader.at : reader.at + 4] == bytes((0, MLS10, 0, WIRE_WELCOME)):
        reader.take(4)
    welcome = _welcome(reader)
    reader.finish("the welcome")
    return commit, welcome


def _commit(reader: Reader) -> Commit:
    if reader.uint(2) != MLS10 or reader.uint(2) != WIRE_PUBLIC_MESSAGE:
        raise MlsError("it is not an MLS 1.0 PublicMessage")
    group_id = reader.vector()
    epoch = reader.uint(8)
    if reader.uint(1) != SENDER_MEMBER:
        raise MlsError("the sender is not a member")
    sender = reader.uint(4)
    reader.vector()  # authenticated data
    if reader.uint(1) != CONTENT_COMMIT:
        raise MlsError("it is not a commit")
    references, inline = _proposals(Reader(reader.vector()))
    leaf = _path_leaf(reader) if reader.uint(1) else None
    for _ in range(3):  # signature, confirmation tag, membership tag
        reader.vector()
    return Commit(group_id, epoch, sender, references, inline, leaf, reader.since(0))


def _path_leaf(reader: Reader) -> LeafNode:
    leaf = _leaf_node(reader)
    reader.vector()  # parent nodes and encrypted path secrets
    if leaf.source != LEAF_SOURCE_COMMIT:
        raise MlsError("the leaf node is not one of a commit")
    return leaf


def _proposals(reader: Reader) -> tuple[tuple[bytes, ...], bool]:
    references: list[bytes] = []
    while not reader.done:
        if reader.uint(1) != IN_COMMIT_REFERENCE:
            # What follows could be any proposal; that there is one is all that matters.
            return tuple(references), True
        references.append(reader.vector())
    return tuple(references), False


def _welcome(reader: Reader) -> Welcome:
    if reader.uint(2) != CIPHERSUITE:
        raise MlsError("the welcome is of another ciphersuite")
    secrets: dict[bytes, bytes] = {}
    entries = Reader(reader.vector())
    while not entries.done:
        start = entries.at
        reference = entries.vector()
        entries.vector()  # KEM output
        entries.vector()  # ciphertext
        secrets[reference] = entries.since(start)
    return Welcome(secrets, reader.vector())
