"""Privacy and verification codes against the paper's examples and davey as oracle."""

import davey
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicekit.dave.displayable import _digits, privacy_code, verification_code

# The examples of libdave's DisplayableCode test.
LONG = bytes.fromhex("aabbccddeebbccddeeffccddeeffaaddeeffaabbeeffaabbccffaabbccdd")


def test_the_short_example() -> None:
    assert _digits(bytes.fromhex("aabbccddee"), 5) == "05870"


def test_the_long_example() -> None:
    assert privacy_code(LONG) == "058708105556138052119572494877"


@given(st.binary(min_size=30, max_size=64))
def test_privacy_codes_are_daveys(authenticator: bytes) -> None:
    assert privacy_code(authenticator) == davey.generate_displayable_code(authenticator, 30, 5)


@settings(max_examples=5, deadline=None)
@given(
    st.binary(min_size=65, max_size=65),
    st.integers(0, 2**64 - 1),
    st.binary(min_size=65, max_size=65),
    st.integers(0, 2**64 - 1),
)
def test_verification_codes_are_daveys(
    key: bytes, user_id: int, other_key: bytes, other_id: int
) -> None:
    code = verification_code(key, user_id, other_key, other_id)
    fingerprint = davey.generate_pairwise_fingerprint(0, key, user_id, other_key, other_id)
    assert code == davey.generate_displayable_code(fingerprint, 45, 5)
    assert code == verification_code(other_key, other_id, key, user_id)
    assert len(code) == 45
    assert code.isdigit()


@pytest.mark.parametrize("change", ["key", "user"])
def test_a_verification_code_depends_on_key_and_user(change: str) -> None:
    ours, theirs = bytes(65), bytes(64) + b"\1"
    plain = verification_code(ours, 1, theirs, 2)
    key, user = (theirs[::-1], 2) if change == "key" else (theirs, 3)
    assert verification_code(ours, 1, key, user) != plain
