"""Quantiles from a histogram of fixed size."""

import random

import pytest

from voicekit.trio.lateness import Lateness


def test_quantiles_are_within_a_bucket_of_the_sorted_truth() -> None:
    source = random.Random(1)
    values = sorted(source.expovariate(1000) for _ in range(10_000))
    lateness = Lateness()
    for value in values:
        lateness.add(value)
    for share in (0.5, 0.9, 0.99, 0.999):
        assert lateness.quantile(share) == pytest.approx(values[int(share * 10_000)], abs=1e-4)
    assert lateness.max == values[-1]
    assert lateness.count == 10_000


def test_nothing_measured_is_zero() -> None:
    assert Lateness().quantile(0.99) == 0.0
    assert Lateness().max == 0.0


def test_early_frames_count_as_punctual() -> None:
    lateness = Lateness()
    lateness.add(-0.001)
    assert lateness.quantile(0.5) == lateness.max == 0.0


def test_a_stall_beyond_the_histogram_shows_in_the_maximum() -> None:
    lateness = Lateness()
    lateness.add(5.0)
    assert lateness.max == 5.0
    assert 0.1 <= lateness.quantile(0.99) <= 5.0


def test_no_quantile_exceeds_the_maximum() -> None:
    lateness = Lateness()
    lateness.add(0.000_001)
    assert lateness.quantile(0.99) == lateness.max
