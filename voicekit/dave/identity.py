"""The identity key: who we are in every MLS group, call after call.

Without one, each connection makes a key of its own and nobody can recognise us in the next
call. A persistent one keeps our verification codes the same; it is a secret, and whoever
has it can pass for us. Both backends take the same 97 bytes:

    +--------------------+------------------------------------------+
    | private scalar, 32 | public point, 65: 04 ‖ x (32) ‖ y (32)   |
    +--------------------+------------------------------------------+

NIST P-256, big-endian; the public half is what SEC 1 §2.3.3 calls an uncompressed point,
and what an MLS leaf of ciphersuite 2 holds as its signature key.
"""

import base64
import json

from ..errors import BackendUnavailable

__all__ = ["IDENTITY_SIZE", "generate_identity", "public_key"]

SCALAR_SIZE = 32
POINT_SIZE = 65
UNCOMPRESSED = 4
IDENTITY_SIZE = SCALAR_SIZE + POINT_SIZE
#: The order of the group of P-256: a private scalar is between 0 and it.
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def generate_identity() -> bytes:
    """Return a new identity key, 97 secret bytes, from the DAVE library.

    Raises `BackendUnavailable` where there is none.
    """
    try:
        import dave
    except ImportError as error:
        raise BackendUnavailable(f"an identity key comes from dave.py ({error})") from None
    version = dave.get_max_supported_protocol_version()
    return from_jwk(dave.SignatureKeyPair.generate(version).dump(version))


def public_key(identity: bytes) -> bytes:
    """Return the public half, 65 bytes: what others may know. Raises `ValueError`."""
    return split(identity)[1]


def split(identity: bytes) -> tuple[bytes, bytes]:
    """Return private scalar and public point; `ValueError` where they can be neither."""
    private, public = bytes(identity[:SCALAR_SIZE]), bytes(identity[SCALAR_SIZE:])
    if len(public) != POINT_SIZE or public[0] != UNCOMPRESSED:
        raise ValueError("an identity key is a private scalar of 32 bytes and a point of 65")
    if not 0 < int.from_bytes(private, "big") < ORDER:
        raise ValueError("the private half of an identity key is no P-256 scalar")
    return private, public


def to_jwk(identity: bytes) -> str:
    """Return the key as dave.py loads it: a JSON Web Key (RFC 7517, RFC 7518 §6.2)."""
    private, public = split(identity)
    return json.dumps(
        {
            "crv": "P-256",
            "d": _encode(private),
            "kty": "EC",
            "x": _encode(public[1:33]),
            "y": _encode(public[33:]),
        },
        separators=(",", ":"),
    )


def from_jwk(text: str) -> bytes:
    """Return the 97 bytes of a key that dave.py dumped."""
    key = json.loads(text)
    return b"".join(
        (_decode(key["d"]), bytes((UNCOMPRESSED,)), _decode(key["x"]), _decode(key["y"]))
    )


def _encode(number: bytes) -> str:
    return base64.urlsafe_b64encode(number).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).rjust(SCALAR_SIZE, b"\0")
