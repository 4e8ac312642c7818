"""The histogram of delays: what it learns, and how fast it forgets."""

import random

import pytest

from voicekit._delays import Delays


def delays(*, initial=0.06, maximum=0.4, late_share=0.01, memory=10.0) -> Delays:
    return Delays(initial, maximum, late_share, memory)


def feed(known: Delays, transits, begin: float = 0.0) -> float:
    now = begin
    for transit in transits:
        known.observe(transit, 0.02, now)
        now += 0.02
    return now


def test_before_anything_is_known_it_says_what_it_was_told():
    for initial in (0.02, 0.06, 0.2):
        assert delays(initial=initial).quantile == pytest.approx(initial, abs=0.005)
    assert delays().least == 0.0


@pytest.mark.parametrize("offset", [-1e6, 0.0, 0.03, 1e6])
def test_only_differences_of_transit_times_count(offset):
    known = delays()
    feed(known, [offset + (0.1 if n % 10 == 0 else 0) for n in range(2000)])
    assert known.least == pytest.approx(offset)
    assert known.quantile == pytest.approx(0.1, abs=0.0051)


@pytest.mark.parametrize("late_share", [0.1, 0.01, 0.001])
def test_no_more_than_the_share_is_later_than_the_quantile(late_share):
    random_ = random.Random(1)
    known = delays(late_share=late_share, memory=100.0)
    transits = [random_.uniform(0, 0.2) for _ in range(20_000)]
    feed(known, transits)
    wanted = 0.2 * (1 - late_share)
    assert wanted - 0.004 < known.quantile < wanted + 0.008


def test_a_storm_is_forgotten_within_a_few_times_the_memory():
    known = delays(memory=5.0)
    now = feed(known, [0.3 if n % 2 else 0.0 for n in range(1000)])
    assert known.quantile > 0.29
    now = feed(known, [0.0] * 250, now)
    assert known.quantile > 0.29
    feed(known, [0.0] * 1500, now)
    assert known.quantile == pytest.approx(0.005)


def test_one_slow_packet_in_a_thousand_is_below_a_share_of_a_hundredth():
    known = delays()
    feed(known, [0.3 if n == 500 else 0.0 for n in range(1000)])
    assert known.quantile < 0.06


def test_the_least_transit_follows_a_clock_that_drifts_and_a_longer_way():
    known = delays()
    now = feed(known, [n * 0.02 * 100e-6 for n in range(5000)])  # 100 ppm for 100 s
    assert 0.008 < known.least <= 0.01
    feed(known, [0.2] * 600, now)
    assert known.least == pytest.approx(0.2)


def test_after_a_long_silence_the_least_transit_is_measured_anew():
    known = delays()
    feed(known, [0.0] * 10)
    feed(known, [0.1], 1000.0)
    assert known.least == pytest.approx(0.1)


def test_longer_delays_than_the_longest_are_in_the_last_bin():
    known = delays(maximum=0.4)
    feed(known, [0.0, 5.0] * 500)
    assert 0.4 <= known.quantile < 1


def test_longer_frames_weigh_more():
    few, many = delays(late_share=0.05), delays(late_share=0.05)
    for n in range(300):
        few.observe(0.2 if n % 10 == 0 else 0.0, 0.02, n * 0.02)
        many.observe(0.2 if n % 10 == 0 else 0.0, 0.06 if n % 10 else 0.0025, n * 0.02)
    assert few.quantile > 0.19
    assert many.quantile < 0.07


def test_the_weights_survive_a_day():
    known = delays(memory=0.5)
    feed(known, [0.05 if n % 3 == 0 else 0.0 for n in range(200_000)])
    assert known.quantile == pytest.approx(0.05, abs=0.0051)
