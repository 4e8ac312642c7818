"""The histogram, and what the counters say."""

import sys

import pytest

from voicekit.pacer import Histogram, Lateness, Pacer

from .rig import FRAME, MS, live, told, voices


def test_it_is_small() -> None:
    """Thousands of streams have one each."""
    assert sys.getsizeof(Histogram()) < 1024


def test_an_empty_one_is_all_zero() -> None:
    assert Histogram().read() == Lateness()


@pytest.mark.parametrize("milliseconds", [1, 3, 7, 19, 160, 900, 5000])
def test_figures_are_right_to_an_eighth_and_never_too_low(native: bool, milliseconds: int) -> None:
    with told(native, depth=1.0) as rig:
        rig.stream.push_many(voices(50))
        rig.run(2 * MS)
        rig.now = (rig.stream.first_deadline or 0) + FRAME + milliseconds * MS
        rig.at(rig.now)
        lateness = rig.stream.stats().lateness
        assert lateness.count == 2
        assert lateness.max == pytest.approx(milliseconds / 1000)
        assert lateness.p99 == lateness.p999
        exact = milliseconds / 1000
        assert exact <= lateness.p99 + 1e-9 <= exact * 1.126 or exact > 1.0


def test_quantiles_of_many(native: bool) -> None:
    """98 punctual frames, two late ones: they are the last percentile and no more."""
    with told(native, depth=1.0) as rig:
        pushed = rig.stream.push_many(voices(50))
        rig.run(2 * MS)
        for number in range(1, 100):
            late = 9 * MS if number in (30, 60) else 100_000
            rig.at((rig.stream.first_deadline or 0) + number * FRAME + late)
            pushed += rig.stream.push_many(voices(10, pushed))
        lateness = rig.stream.stats().lateness
        assert lateness.count == 100
        assert lateness.p50 == pytest.approx(100e-6, rel=0.126)
        assert lateness.p99 == pytest.approx(9e-3, rel=0.126)
        assert lateness.max == pytest.approx(9e-3)


def test_what_a_pacer_has_counted_outlives_its_streams(pacer: Pacer) -> None:
    for ssrc in (1, 2):
        with live(pacer, ssrc=ssrc) as rig:
            rig.stream.push_many(voices(3))
            assert [rig.listener.packet().number for _ in range(8)] == [0, 1, 2] + [None] * 5
        assert rig.stream.stats().frames == 3
    stats = pacer.stats()
    assert (stats.streams, stats.frames, stats.silence, stats.underruns) == (0, 6, 10, 2)
    assert stats.lateness.count == 16
    assert stats.turns >= 16
    assert stats.cpu_seconds >= 0.0
