"""Somebody who is not there: a flawless key package of a user whom no op 11 announced."""

import secrets

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .mls import (
    CIPHERSUITE,
    CREDENTIAL_BASIC,
    LEAF_SOURCE_KEY_PACKAGE,
    MLS10,
    KeyPackage,
    parse_key_package,
    sign_content,
    vector,
)

__all__ = ["make_key_package"]


def make_key_package(user_id: int | None = None) -> KeyPackage:
    """Sign a key package of ``user_id``, by default a random one, with a key of its own."""
    identity = secrets.randbits(63) if user_id is None else user_id
    key = ec.generate_private_key(ec.SECP256R1())

    def signature(label: str, content: bytes) -> bytes:
        return vector(key.sign(sign_content(label, content), ec.ECDSA(hashes.SHA256())))

    leaf = (
        vector(_public(ec.generate_private_key(ec.SECP256R1())))  # encryption key
        + vector(_public(key))
        + CREDENTIAL_BASIC.to_bytes(2, "big")
        + vector(identity.to_bytes(8, "big"))
        + vector(MLS10.to_bytes(2, "big"))  # capabilities: versions
        + vector(CIPHERSUITE.to_bytes(2, "big"))  # suites
        + vector(b"")  # extensions
        + vector(b"")  # proposals
        + vector(CREDENTIAL_BASIC.to_bytes(2, "big"))  # credentials
        + bytes((LEAF_SOURCE_KEY_PACKAGE,))
        + bytes(8)  # valid from ever
        + b"\xff" * 8  # to ever
        + vector(b"")  # extensions
    )
    leaf += signature("LeafNodeTBS", leaf)
    package = (
        MLS10.to_bytes(2, "big")
        + CIPHERSUITE.to_bytes(2, "big")
        + vector(_public(ec.generate_private_key(ec.SECP256R1())))  # init key
        + leaf
        + vector(b"")  # extensions
    )
    return parse_key_package(package + signature("KeyPackageTBS", package))


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
