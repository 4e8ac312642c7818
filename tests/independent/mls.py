"""As much of MLS (RFC 9420) as a delivery service needs that holds none of a group's secrets.

Ciphersuite 2, basic credentials of 8 bytes, PublicMessages. x<V> is a length in 1, 2 or 4
bytes, whose two top bits say which, and that many bytes.
"""

import hashlib
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

MLS10 = b"\x00\x01"
SUITE = b"\x00\x02"
PUBLIC_MESSAGE = b"\x00\x01"
BASIC_CREDENTIAL = b"\x00\x01"
FROM_MEMBER, FROM_EXTERNAL = 1, 2
PROPOSAL, COMMIT = 2, 3
ADD, REMOVE = b"\x00\x01", b"\x00\x03"
IN_KEY_PACKAGE, IN_UPDATE, IN_COMMIT = 1, 2, 3
BY_REFERENCE = 2
ALGORITHM = ec.ECDSA(hashes.SHA256())


class Malformed(Exception):
    """Not what it should be."""


def vec(data: bytes) -> bytes:
    """Encode x<V>."""
    for size, top in ((1, 0x00), (2, 0x4000), (4, 0x80000000)):
        if len(data) < 1 << 8 * size - 2:
            return (top | len(data)).to_bytes(size, "big") + data
    raise Malformed("too long")


def labelled(label: str, data: bytes) -> bytes:
    """Return what is hashed or signed for a label."""
    return vec(b"MLS 1.0 " + label.encode()) + vec(data)


class Cursor:
    """Reads from the front."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        """Return the next bytes; raises `Malformed` at the end."""
        self.at += size
        if self.at > len(self.data):
            raise Malformed("too short")
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        """Return a big-endian number."""
        return int.from_bytes(self.take(size), "big")

    def vec(self) -> bytes:
        """Return the content of x<V>."""
        first = self.number(1)
        size = {0: 0, 1: 1, 2: 3}.get(first >> 6)
        if size is None:
            raise Malformed("bad length")
        return self.take((first & 0x3F) << 8 * size | self.number(size))

    def expect(self, data: bytes) -> None:
        """Read exactly this."""
        if self.take(len(data)) != data:
            raise Malformed(f"not {data.hex()}")

    def rest(self) -> bytes:
        """Return what was not read."""
        return self.data[self.at :]


def leaf_node(cursor: Cursor) -> tuple[int, bytes]:
    """Read a LeafNode; return its user id and signature key."""
    cursor.vec()  # encryption key
    key = cursor.vec()
    cursor.expect(BASIC_CREDENTIAL)
    identity = cursor.vec()
    for _ in range(5):  # capabilities
        cursor.vec()
    source = cursor.number(1)
    if source == IN_KEY_PACKAGE:
        cursor.take(16)  # lifetime
    elif source == IN_COMMIT:
        cursor.vec()  # parent hash
    elif source != IN_UPDATE:
        raise Malformed("leaf node source")
    cursor.vec()  # extensions
    cursor.vec()  # signature
    if len(identity) != 8:
        raise Malformed("identity")
    return int.from_bytes(identity, "big"), key


@dataclass(frozen=True)
class KeyPackage:
    """What a member sends to be added."""

    user_id: int
    raw: bytes

    @property
    def reference(self) -> bytes:
        """Its name in a Welcome."""
        return hashlib.sha256(labelled("KeyPackage Reference", self.raw)).digest()

    @classmethod
    def parse(cls, raw: bytes) -> "KeyPackage":
        """Read and verify one."""
        cursor = Cursor(raw)
        cursor.expect(MLS10 + SUITE)
        cursor.vec()  # init key
        user_id, key = leaf_node(cursor)
        cursor.vec()  # extensions
        signed, signature = raw[: cursor.at], cursor.vec()
        try:
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
            point.verify(signature, labelled("KeyPackageTBS", signed), ALGORITHM)
        except (ValueError, InvalidSignature):
            raise Malformed("signature") from None
        if cursor.rest():
            raise Malformed("key package")
        return cls(user_id, raw)


class ExternalSender:
    """Who proposes."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        encoding = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        public = self._key.public_key().public_bytes(*encoding)
        self.announcement = vec(public) + BASIC_CREDENTIAL + vec(b"plain")  # op 25

    def propose(self, group_id: bytes, epoch: int, proposal: bytes) -> tuple[bytes, bytes]:
        """Sign a proposal; return the MLSMessage and its reference."""
        content = vec(group_id) + struct.pack(">QBI", epoch, FROM_EXTERNAL, 0) + vec(b"")
        content += bytes((PROPOSAL,)) + proposal
        # Nothing of a GroupContext is signed: outsiders have none.
        signed = labelled("FramedContentTBS", MLS10 + PUBLIC_MESSAGE + content)
        content += vec(self._key.sign(signed, ALGORITHM))
        named = labelled("Proposal Reference", PUBLIC_MESSAGE + content)
        return MLS10 + PUBLIC_MESSAGE + content, hashlib.sha256(named).digest()


@dataclass(frozen=True)
class Commit:
    """An op 28, as far as it is in clear."""

    group_id: bytes
    epoch: int
    leaf: int
    references: list[bytes]
    message: bytes  # for op 29
    secrets: dict[bytes, bytes]  # of the welcome, by key package reference
    group_info: bytes

    @classmethod
    def parse(cls, data: bytes) -> "Commit":
        """Read the commit and the welcome behind it."""
        cursor = Cursor(data)
        cursor.expect(MLS10 + PUBLIC_MESSAGE)
        group_id, epoch = cursor.vec(), cursor.number(8)
        cursor.expect(bytes((FROM_MEMBER,)))
        leaf = cursor.number(4)
        cursor.vec()  # authenticated data
        cursor.expect(bytes((COMMIT,)))
        references, proposals = [], Cursor(cursor.vec())
        while proposals.rest():
            proposals.expect(bytes((BY_REFERENCE,)))
            references.append(proposals.vec())
        if cursor.number(1):  # a path
            leaf_node(cursor)
            cursor.vec()
        for _ in range(3):  # signature, confirmation tag, membership tag
            cursor.vec()
        message, secrets, group_info = data[: cursor.at], {}, b""
        if cursor.rest():
            cursor.expect(SUITE)
            entries = Cursor(cursor.vec())
            while entries.rest():
                start, reference = entries.at, entries.vec()
                entries.vec()
                entries.vec()
                secrets[reference] = entries.data[start : entries.at]
            group_info = cursor.vec()
        if cursor.rest():
            raise Malformed("commit")
        return cls(group_id, epoch, leaf, references, message, secrets, group_info)

    def welcome(self, package: KeyPackage) -> bytes:
        """Return the welcome for one newcomer, with nobody else's secrets."""
        return SUITE + vec(self.secrets[package.reference]) + vec(self.group_info)
