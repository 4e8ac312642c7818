"""What is read of DAVE's binary messages before an MLS library sees them.

Both libraries call a commit for another group a failure, and one ends the process over an
empty external sender. So each message is parsed here first, down to the last length.

    op 25  signature_key<V> | u16 credential type (1) | identity<V>
    op 27  u8 0 (append) | MLSMessage proposals<V>      or  u8 1 (revoke) | ProposalRef refs<V>
    op 29  u16 transition id | MLSMessage(PublicMessage(commit))
    op 30  u16 transition id | Welcome

    MLSMessage    = u16 version (1) | u16 wire format (1: PublicMessage) | body
    PublicMessage = group_id<V> | u64 epoch | ...
    x<V>          = length as a QUIC varint of 1, 2 or 4 bytes, then that many bytes

Sources: the DAVE protocol paper; RFC 9420 §2.1.2, §6.
"""

import msgspec

__all__ = [
    "Malformed",
    "MessageHeader",
    "check_external_sender",
    "check_proposals",
    "parse_commit",
    "split_transition",
]

MLS10 = 1
PUBLIC_MESSAGE = 1
CREDENTIAL_BASIC = 1
APPEND, REVOKE = 0, 1


class Malformed(ValueError):
    """The bytes are not the message that they should be."""


class MessageHeader(msgspec.Struct, frozen=True):
    """The clear beginning of a PublicMessage: a proposal or a commit."""

    group_id: bytes
    epoch: int


def check_external_sender(payload: bytes) -> None:
    """Raise `Malformed` unless ``payload`` is a complete op 25."""
    key, at = _vector(payload, 0)
    kind, at = _uint(payload, at, 2)
    identity, at = _vector(payload, at)
    if not key or not identity or kind != CREDENTIAL_BASIC or at != len(payload):
        raise Malformed("it is no external sender with a basic credential")


def check_proposals(payload: bytes) -> MessageHeader | None:
    """Raise `Malformed` unless ``payload`` is an op 27.

    Return where the first of the appended proposals belongs; None: they are revoked.
    """
    operation, at = _uint(payload, 0, 1)
    items, end = _vector(payload, at)
    if operation not in (APPEND, REVOKE) or not items or end != len(payload):
        raise Malformed("it is neither appended nor revoked proposals")
    if operation == APPEND:
        return _public_message(items)
    at = 0
    while at < len(items):
        reference, at = _vector(items, at)
        if not reference:
            raise Malformed("it revokes a proposal without a reference")
    return None


def split_transition(payload: bytes) -> tuple[int, bytes]:
    """Split an op 29 or 30 into transition id and MLS message."""
    transition_id, at = _uint(payload, 0, 2)
    if at == len(payload):
        raise Malformed("nothing follows the transition id")
    return transition_id, payload[at:]


def parse_commit(message: bytes) -> MessageHeader:
    """Return the header of the commit in an op 29."""
    return _public_message(message)


def _public_message(data: bytes) -> MessageHeader:
    version, at = _uint(data, 0, 2)
    wire_format, at = _uint(data, at, 2)
    if version != MLS10 or wire_format != PUBLIC_MESSAGE:
        raise Malformed("it is not an MLS 1.0 PublicMessage")
    group_id, at = _vector(data, at)
    epoch, at = _uint(data, at, 8)
    return MessageHeader(group_id, epoch)


def _uint(data: bytes, at: int, size: int) -> tuple[int, int]:
    if at + size > len(data):
        raise Malformed("it ends too early")
    return int.from_bytes(data[at : at + size], "big"), at + size


def _vector(data: bytes, at: int) -> tuple[bytes, int]:
    first, at = _uint(data, at, 1)
    size = 1 << (first >> 6)
    if size == 8:
        raise Malformed("a length is malformed")
    rest, at = _uint(data, at, size - 1)
    end = at + ((first & 0x3F) << 8 * (size - 1) | rest)
    if end > len(data):
        raise Malformed("a length reaches past the end")
    return data[at:end], end
