"""Lateness from a log of arrivals: which packet was due when."""

import time

import numpy as np
import pytest

from bench.processes.arrivals import ARRIVAL, ClockOffset, lateness, quantiles

MS = 1_000_000
PERIOD = 20 * MS


class NoOffset(ClockOffset):
    """Both clocks are one."""

    def monotonic(self, realtime: "np.typing.NDArray[np.int64]") -> "np.typing.NDArray[np.int64]":
        return realtime


def log(*packets: tuple[int, int, int]) -> bytes:
    """Packets of (SSRC, sequence number, nanoseconds)."""
    lines = [(when, ssrc, sequence, 100) for ssrc, sequence, when in packets]
    return np.array(lines, ARRIVAL).tobytes()


def test_a_packet_is_due_a_period_after_the_one_before_it() -> None:
    arrivals = log((7, 10, 1000 * MS + 5), (7, 11, 1020 * MS + 7), (7, 12, 1040 * MS))
    late = lateness(arrivals, {7: (10, 1000 * MS)}, NoOffset())
    assert late.tolist() == [5, 7, 0]


def test_a_stream_that_was_moved_once_is_late_ever_after() -> None:
    arrivals = log((7, 0, 0), (7, 1, 90 * MS), (7, 2, 110 * MS))
    assert lateness(arrivals, {7: (0, 0)}, NoOffset()).tolist() == [0, 70 * MS, 70 * MS]


def test_lost_and_overtaken_packets_keep_their_own_deadlines() -> None:
    arrivals = log((7, 2, 41 * MS), (7, 1, 42 * MS), (7, 5, 100 * MS))
    assert lateness(arrivals, {7: (0, 0)}, NoOffset()).tolist() == [1 * MS, 22 * MS, 0]


def test_a_first_packet_that_nobody_names_is_the_first_that_came_when_it_was_due() -> None:
    """The same source may have sent before, in a stream that has ended."""
    before = ((7, number, number * PERIOD) for number in range(3))
    after = ((7, 90 + number, 5000 * MS + number * PERIOD + 3) for number in range(3))
    late = lateness(log(*before, *after), {7: (None, 5000 * MS)}, NoOffset())
    assert late.tolist() == [3, 3, 3]
    assert lateness(log((7, 1, 0)), {7: (None, 5000 * MS)}, NoOffset()).tolist() == []


def test_only_what_came_within_the_window_counts() -> None:
    arrivals = log(*((7, number, number * PERIOD + number) for number in range(5)))
    window = (PERIOD, 3 * PERIOD)
    assert lateness(arrivals, {7: (0, 0)}, NoOffset(), window).tolist() == [1, 2]


def test_sequence_numbers_wrap() -> None:
    arrivals = log(*((7, (65534 + n) & 0xFFFF, n * PERIOD + n) for n in range(5)))
    assert lateness(arrivals, {7: (65534, 0)}, NoOffset()).tolist() == [0, 1, 2, 3, 4]


def test_streams_are_told_apart_and_unknown_ones_left_out() -> None:
    arrivals = log((1, 0, 100), (2, 5, 1000), (3, 9, 7), (1, 1, PERIOD + 200), (2, 6, PERIOD))
    late = lateness(arrivals, {1: (0, 0), 2: (5, 400)}, NoOffset())
    assert sorted(late.tolist()) == [-400, 100, 200, 600]


def test_an_empty_log_has_no_lateness() -> None:
    assert lateness(b"", {1: (0, 0)}, NoOffset()).tolist() == []
    assert quantiles(np.empty(0, np.int64)) == {"packets": 0.0}


def test_quantiles_are_in_milliseconds() -> None:
    found = quantiles(np.arange(1001, dtype=np.int64) * MS)
    assert (found["p50"], found["max"], found["packets"]) == (500.0, 1000.0, 1001.0)
    assert found["p99"] == pytest.approx(990.0)


def test_wall_times_become_times_of_the_monotonic_clock() -> None:
    clock = ClockOffset()
    before = time.monotonic_ns()
    wall = time.time_ns()
    after = time.monotonic_ns()
    (converted,) = clock.monotonic(np.array([wall], np.int64)).tolist()
    slack = 50 * MS  # of a clock that was set meanwhile, or a reading that was disturbed
    assert before - slack <= converted <= after + slack
