"""The first look at DAVE's binary messages: every length, every truncation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dave.fake_backend import EXTERNAL_SENDER, commit, proposals, public_message
from voicekit.dave.wire import (
    Malformed,
    MessageHeader,
    check_external_sender,
    check_proposals,
    parse_commit,
    split_transition,
)

GROUP = (4242).to_bytes(8, "big")
REVOKE = b"\x01\x06\x02ab\x02cd"


def varint(value: int, size: int) -> bytes:
    prefix = {1: 0, 2: 1, 4: 2}[size] << (8 * size - 2)
    return (value | prefix).to_bytes(size, "big")


def test_messages_are_read() -> None:
    check_external_sender(EXTERNAL_SENDER)
    assert check_proposals(proposals(3)) == MessageHeader(GROUP, 3)
    assert check_proposals(REVOKE) is None
    assert split_transition(commit(7, 9)) == (7, public_message(9))
    assert parse_commit(public_message(9)) == MessageHeader(GROUP, 9)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (check_external_sender, EXTERNAL_SENDER),
        (check_proposals, proposals(3)),
        (check_proposals, REVOKE),
        (parse_commit, public_message(9)),
    ],
)
def test_every_truncation_is_malformed(check, message: bytes) -> None:  # type: ignore[no-untyped-def]
    for length in range(len(message)):
        with pytest.raises(Malformed):
            check(message[:length])


@pytest.mark.parametrize(
    ("check", "message"), [(check_external_sender, EXTERNAL_SENDER), (check_proposals, REVOKE)]
)
def test_what_follows_the_end_is_malformed(check, message: bytes) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Malformed):
        check(message + b"\0")


@pytest.mark.parametrize("length", range(3))
def test_a_transition_without_a_message_is_malformed(length: int) -> None:
    with pytest.raises(Malformed):
        split_transition(bytes(length))


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("extra", [1, 2, 60])
def test_a_length_past_the_end_is_malformed(size: int, extra: int) -> None:
    message = b"\0\1\0\1" + varint(8 + extra, size) + GROUP
    with pytest.raises(Malformed):
        parse_commit(message)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_all_three_sizes_of_a_length_are_read(size: int) -> None:
    message = b"\0\1\0\1" + varint(8, size) + GROUP + bytes(8)
    assert parse_commit(message) == MessageHeader(GROUP, 0)


def test_the_fourth_size_is_malformed() -> None:
    with pytest.raises(Malformed):
        parse_commit(b"\0\1\0\1" + b"\xc0" + bytes(7) + GROUP + bytes(8))


@pytest.mark.parametrize("field", [b"\0\2\0\1", b"\0\1\0\2", b"\0\1\0\3", b"\0\0\0\0"])
def test_other_versions_and_wire_formats_are_malformed(field: bytes) -> None:
    with pytest.raises(Malformed):
        parse_commit(field + public_message(1)[4:])


@pytest.mark.parametrize(
    "package",
    [
        b"\x00\x00\x01\x04self",
        b"\x03key\x00\x01\x00",
        b"\x03key\x00\x02\x04self",
    ],
    ids=["no key", "no identity", "x509"],
)
def test_external_senders_of_another_kind_are_malformed(package: bytes) -> None:
    with pytest.raises(Malformed):
        check_external_sender(package)


@pytest.mark.parametrize("payload", [b"\x00\x00", b"\x01\x00", b"\x02\x01a", b"\x01\x02\x00\x00"])
def test_proposals_of_another_kind_are_malformed(payload: bytes) -> None:
    with pytest.raises(Malformed):
        check_proposals(payload)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_malformed(data: bytes) -> None:
    for check in (check_external_sender, check_proposals, parse_commit, split_transition):
        try:
            check(data)
        except Malformed:
            continue
