"""The timeline: where speech lies, whatever the senders' clocks and the network do."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicekit.media.recording.timeline import NTP_EPOCH, StreamClock, Timeline
from voicekit.rtcp import SenderReport

RATE = 48_000
#: How long the fastest packet takes, in seconds.
PATH = 0.02


def report(ssrc: int, wall: float, rtp_time: int) -> SenderReport:
    return SenderReport(ssrc, round((wall + NTP_EPOCH) * 2**32), rtp_time % 2**32, 0, 0)


def test_without_jitter_the_arrival_is_the_place() -> None:
    timeline = Timeline()
    for n in range(10):
        timeline.observe(7, 1000 + 960 * n, 50.0 + 0.02 * n)
    assert timeline.time_of(7, 1000 + 960 * 5) == pytest.approx(50.1)


@given(
    st.integers(0, 2**40),
    st.lists(st.floats(0, 0.06), min_size=25, max_size=100),
    st.floats(0, 1e6),
)
def test_the_place_is_that_of_the_packet_that_was_delayed_least(
    first: int, delays: list[float], began: float
) -> None:
    timeline = Timeline()
    for n, delay in enumerate(delays):
        timeline.observe(7, first + 960 * n, began + 0.02 * n + delay)
    place = timeline.time_of(7, first)
    assert place == pytest.approx(began + min(delays), abs=1e-6)


@given(st.integers(0, 2**32), st.floats(-200e-6, 200e-6))
@settings(max_examples=10, deadline=None)
def test_a_drift_is_known_after_ten_minutes(seed: int, drift: float) -> None:
    rng = random.Random(seed)
    clock = StreamClock()
    for n in range(30_000):
        sent = 0.02 * n
        clock.observe(sent * (1 + drift) + 3600, sent + rng.random() * 0.06)
    assert clock.drift == pytest.approx(-drift, abs=15e-6)
    media = 600 * (1 + drift) + 3600
    assert clock.time_of(media) == pytest.approx(600, abs=0.005)


@pytest.mark.parametrize("drift", [-100e-6, 0.0, 100e-6])
def test_six_hours_of_drift_on_a_virtual_clock(drift: float) -> None:
    """A spurt of a minute in every ten; each begins within 20 ms of where it was heard."""
    rng = random.Random(5)
    timeline = Timeline()
    worst = 0.0
    for spurt in range(36):
        began = spurt * 600.0
        for n in range(3000):
            sent = began + 0.02 * n
            rtp = round(sent * (1 + drift) * RATE) + 10**9
            timeline.observe(7, rtp, sent + 0.03 + rng.random() * 0.06)
            if n >= 25:
                worst = max(worst, abs(timeline.time_of(7, rtp) - 0.03 - sent))
    assert worst <= 0.020


def test_with_sender_reports_a_slow_path_is_not_later_speech() -> None:
    """Two senders who speak at once, 20 ms and 90 ms away, with 40 ms of jitter."""
    rng = random.Random(6)
    timeline = Timeline()
    for n in range(1500):
        sent = 0.02 * n
        for ssrc, path in ((1, 0.02), (2, 0.09)):
            timeline.observe(ssrc, ssrc * 10**8 + 960 * n, sent + path + rng.random() * 0.04)
            if n % 250 == 0:
                at = report(ssrc, 1e9 + sent, ssrc * 10**8 + 960 * n)
                timeline.receive_sender_report(at, sent + path + rng.random() * 0.04)
    places = [timeline.time_of(ssrc, ssrc * 10**8 + 960 * 1400) for ssrc in (1, 2)]
    assert abs(places[0] - places[1]) <= 0.001


def test_a_sender_whose_wall_clock_is_wrong_is_placed_by_arrival() -> None:
    timeline = Timeline()
    for n in range(1500):
        for ssrc, wrong in ((1, 0.0), (2, 3600.0)):
            timeline.observe(ssrc, 960 * n, 0.02 * n + 0.02)
            if n % 250 == 0:
                timeline.receive_sender_report(
                    report(ssrc, 1e9 + 0.02 * n + wrong, 960 * n), 0.02 * n + 0.02
                )
    for ssrc in (1, 2):
        assert timeline.time_of(ssrc, 960 * 1400) == pytest.approx(28.02, abs=0.001)


@given(
    st.lists(
        st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.floats(0, 1e9)),
        max_size=30,
    )
)
def test_no_report_moves_a_track_further_than_a_path_takes(
    reports: list[tuple[int, int, float]],
) -> None:
    timeline = Timeline()
    for n in range(50):
        timeline.observe(7, 960 * n, 100 + 0.02 * n)
    for ntp, rtp_time, arrived in reports:
        timeline.receive_sender_report(SenderReport(7, ntp, rtp_time, 0, 0), arrived)
    assert abs(timeline.time_of(7, 960 * 49) - 100.98) <= 0.25 + 1e-6


def test_a_report_of_nobody_is_ignored() -> None:
    timeline = Timeline()
    timeline.receive_sender_report(report(9, 0.0, 0), 1.0)
    with pytest.raises(KeyError):
        timeline.time_of(9, 0)


@given(
    drift=st.floats(-100e-6, 100e-6),
    jitter=st.sampled_from([0.0, 0.01, 0.06]),
    spurts=st.lists(st.tuples(st.integers(20, 300), st.floats(0, 900)), min_size=1, max_size=15),
    seed=st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=60)
def test_whatever_is_said_and_kept_quiet_it_is_placed_within_the_jitter(
    drift: float, jitter: float, spurts: list[tuple[int, float]], seed: int
) -> None:
    """From the 20th packet of a spurt on: there a track is written."""
    rng = random.Random(seed)
    clock = StreamClock()
    sent = 0.0
    for packets, pause in spurts:
        for n in range(packets):
            media = sent * (1 + drift)
            clock.observe(media, sent + PATH + rng.random() * jitter)
            if n >= 19:
                assert abs(clock.time_of(media) - sent - PATH) <= jitter + 0.003
            sent += 0.02
        sent += pause
