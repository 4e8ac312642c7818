"""The log of used nonces: exact, and bounded."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from voicekit.server.nonces import MAX_CLOSED_GAP, MAX_RANGES, NonceLog, NonceOutcome

FRESH, USED, SCATTERED = NonceOutcome.FRESH, NonceOutcome.USED, NonceOutcome.SCATTERED


@given(st.lists(st.integers(0, 60) | st.integers(2**32 - 20, 2**32 - 1), max_size=200))
def test_it_is_a_set(nonces: list[int]) -> None:
    log, seen = NonceLog(), set()
    for nonce in nonces:
        assert log.add(nonce) is (USED if nonce in seen else FRESH)
        seen.add(nonce)
    # As few ranges as there can be.
    assert log.ranges == sum(nonce - 1 not in seen for nonce in seen)


def test_a_counter_is_one_range_even_over_the_wrap() -> None:
    log = NonceLog()
    for step in range(200_000):
        assert log.add((2**32 - 100_000 + step) % 2**32) is FRESH
    assert log.ranges == 2
    assert log.add(99_999) is USED
    assert log.add(100_000) is FRESH


def little_endian(value: int) -> int:
    return int.from_bytes(value.to_bytes(4, "little"), "big")


def test_a_little_endian_counter_is_recognised() -> None:
    log = NonceLog()
    for value in range(70_000):
        assert log.add(little_endian(value)) is FRESH
    assert log.ranges == 1
    for value in (0, 255, 256, 69_999):
        assert log.add(little_endian(value)) is USED
    assert log.distance(little_endian(5), little_endian(500)) == 495


def test_loss_does_not_look_like_another_byte_order() -> None:
    log = NonceLog()
    for value in range(0, 3000, 3):
        log.add(value)
        log.add(value + 1)
    assert log.distance(5, 500) == 495
    assert log.ranges == 1000


def test_many_gaps_are_closed_from_the_oldest_on() -> None:
    log = NonceLog()
    for value in range(0, 4 * MAX_RANGES, 2):
        assert log.add(value) is FRESH
    assert log.ranges == MAX_RANGES
    assert log.add(1) is USED  # skipped long ago
    assert log.add(4 * MAX_RANGES - 3) is FRESH  # skipped just now


def test_random_nonces_can_not_be_told_apart_and_are_refused() -> None:
    random, log, seen = Random(1), NonceLog(), set()
    outcomes = []
    for _ in range(MAX_RANGES + 1000):
        nonce = random.getrandbits(32)
        outcome = log.add(nonce)
        if outcome is FRESH:
            assert nonce not in seen
            seen.add(nonce)
        outcomes.append(outcome)
    assert outcomes[:MAX_RANGES].count(SCATTERED) == 0
    assert SCATTERED in outcomes
    assert log.ranges <= MAX_RANGES
    assert MAX_CLOSED_GAP < 2**32 // MAX_RANGES  # or they would be closed up
