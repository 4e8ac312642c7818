"""Counters that wrap, extended to ones that do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import reception as reference
from voicekit._reception import ExtendedCounter


def test_counts_on_over_the_wrap():
    counter = ExtendedCounter(16)
    extended = [counter.update((65530 + n) % 65536) for n in range(200_000)]
    assert extended == list(range(65530, 265_530))
    assert counter.highest == 265_529


def test_timestamps_go_on_in_steps_that_do_not_divide_the_span():
    counter = ExtendedCounter(32)
    start = 2**32 - 960
    extended = [counter.update((start + 960 * n) % 2**32) for n in range(10)]
    assert extended == [start + 960 * n for n in range(10)]


def test_late_values_belong_to_the_cycle_they_came_from():
    counter = ExtendedCounter(16)
    assert [counter.update(v) for v in (65534, 1, 65535, 0, 2)] == [
        65534,
        65537,
        65535,
        65536,
        65538,
    ]
    assert counter.highest == 65538


def test_what_is_late_before_the_first_wrap_is_negative():
    counter = ExtendedCounter(16)
    assert [counter.update(v) for v in (0, 65535, 1)] == [0, -1, 1]


def test_half_the_span_ahead_is_taken_for_late():
    counter = ExtendedCounter(16)
    counter.update(0)
    assert counter.update(0x7FFF) == 0x7FFF
    assert counter.update(0xFFFF) == -1


@pytest.mark.parametrize("bits", [-1, 0, 1, 33, 64])
def test_bits_are_2_to_32(bits):
    with pytest.raises(ValueError, match="bits"):
        ExtendedCounter(bits)


@pytest.mark.parametrize("value", [-1, 2**16, 2**64])
def test_a_value_outside_the_span_is_a_value_error(value):
    with pytest.raises(ValueError, match="value"):
        ExtendedCounter(16).update(value)


@given(st.data(), st.integers(2, 32))
def test_agrees_with_the_reference(data, bits):
    values = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=30))
    counter, oracle = ExtendedCounter(bits), reference.ExtendedCounter(bits)
    for value in values:
        assert counter.update(value) == oracle.update(value)
    assert counter.highest == oracle.highest


@given(
    st.integers(0, 2**16 - 1),
    st.lists(st.integers(-(2**15) + 1, 2**15 - 1), max_size=40),
)
def test_a_walk_in_steps_below_half_the_span_is_followed_exactly(start, steps):
    counter = ExtendedCounter(16)
    position = highest = counter.update(start)
    for step in steps:
        position = highest + step
        assert counter.update(position % 2**16) == position
        highest = max(highest, position)
