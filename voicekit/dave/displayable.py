"""Codes that people compare to be sure of a call: privacy code and verification codes.

Source: the DAVE protocol paper, "Displayable Codes" and "Verification Fingerprint".
"""

import hashlib

__all__ = ["privacy_code", "verification_code"]

FINGERPRINT_VERSION = 0
#: The fixed salt of the paper: all clients must come to the same fingerprint.
SCRYPT_SALT = bytes.fromhex("24cab17a7af8ec2b82b412b92dab192e")
GROUP_DIGITS = 5


def privacy_code(authenticator: bytes) -> str:
    """Return the 30 digits of an epoch authenticator: equal for all members of the call."""
    return _digits(authenticator, 30)


def verification_code(key: bytes, user_id: int, other_key: bytes, other_user_id: int) -> str:
    """Return the 45 digits of two members: equal on both sides if nobody sits in between.

    Takes some 80 ms: scrypt with N=16384, r=8, p=2.
    """
    both = sorted((_fingerprint(key, user_id), _fingerprint(other_key, other_user_id)))
    digest = hashlib.scrypt(
        b"".join(both), salt=SCRYPT_SALT, n=16384, r=8, p=2, maxmem=64 << 20, dklen=64
    )
    return _digits(digest, 45)


def _fingerprint(key: bytes, user_id: int) -> bytes:
    return FINGERPRINT_VERSION.to_bytes(2, "big") + key + user_id.to_bytes(8, "big")


def _digits(data: bytes, count: int) -> str:
    groups = range(0, count, GROUP_DIGITS)
    values = (int.from_bytes(data[at : at + GROUP_DIGITS], "big") for at in groups)
    return "".join(f"{value % 10**GROUP_DIGITS:0{GROUP_DIGITS}}" for value in values)
