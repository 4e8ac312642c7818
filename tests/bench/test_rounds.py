"""Rounds: in turns, in both directions, and the figures that come of them."""

import pytest

from bench.rounds import Timing, batched, consuming, interleave, statement


def recording(log: list[str], name: str, seconds: float):
    def work(n: int) -> float:
        log.append(name)
        return seconds * n

    return work


def test_every_other_round_goes_the_other_way():
    log: list[str] = []
    work = {name: recording(log, name, 1e-3) for name in "abc"}
    interleave(work, rounds=4, seconds=0.001)
    assert "".join(log[-12:]) == "abccbaabccba"


def test_a_figure_is_of_one_repetition():
    found = interleave({"a": recording([], "a", 0.25)}, rounds=3, seconds=10.0)
    assert found["a"].rounds == (0.25, 0.25, 0.25)


def test_a_turn_takes_as_long_as_it_was_given():
    asked: list[int] = []

    def work(n: int) -> float:
        asked.append(n)
        return n * 1e-6

    interleave({"a": work}, rounds=2, seconds=0.004)
    assert asked[-2:] == [4000, 4000]


def test_repetitions_have_a_bound():
    asked: list[int] = []

    def work(n: int) -> float:
        asked.append(n)
        return n * 1e-9

    interleave({"a": work}, rounds=1, seconds=1.0, most=7)
    assert max(asked) == 7


def test_minimum_median_and_spread():
    timing = Timing((4.0, 1.0, 2.0, 3.0, 100.0))
    assert timing.minimum == 1.0
    assert timing.median == 3.0
    assert timing.spread == pytest.approx((52.0 - 1.5) / 3.0)


def test_two_timings_are_added_round_by_round():
    assert (Timing((1.0, 2.0)) + Timing((10.0, 20.0))).rounds == (11.0, 22.0)


def test_a_statement_is_done_n_times():
    seen: list[int] = []
    assert statement("seen.append(1)", seen=seen)(5) > 0
    assert seen == [1] * 5


def test_each_turn_of_consuming_has_new_items():
    made, seen = iter(range(100)), []
    work = consuming(lambda n: [next(made) for _ in range(n)], "seen.append(item)", seen=seen)
    work(3)
    work(2)
    assert seen == [0, 1, 2, 3, 4]


def test_a_batch_counts_as_many():
    assert batched(lambda n: n * 6.4, 64)(640) == pytest.approx(64.0)
    assert batched(lambda n: n * 6.4, 64)(1) == pytest.approx(0.1)  # one batch at least
