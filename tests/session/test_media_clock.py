"""The RTP timestamp follows the clock, not the count of packets."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .peers import VOICE, ready_session


def timestamps(times, **options):
    session = ready_session(timestamp=0, **options)
    result = []
    for now in times:
        session.seal_audio(VOICE, now)
        result.append(session.last_timestamp)
    return result


def test_steady_audio_advances_by_its_duration():
    assert timestamps([0.0, 0.02, 0.04]) == [0, 960, 1920]


@pytest.mark.parametrize("late", [0.005, 0.02, 0.0999])
def test_a_late_packet_is_jitter(late):
    assert timestamps([0.0, 0.02 + late, 0.04]) == [0, 960, 1920]


@pytest.mark.parametrize("pause", [0.11, 0.5, 1.0, 59.99, 3600.0])
def test_a_pause_advances_by_whole_frames(pause):
    before, after = timestamps([0.0, 0.02 + pause])
    gap = after - before
    assert gap % 960 == 0
    assert pause - 0.02 <= (gap - 960) / 48_000 <= pause + 1e-6


def test_a_burst_does_not_outrun_itself():
    # Ten frames at once, then again when their time has passed: no gap, no jump.
    times = [0.0] * 10 + [0.2] * 10
    assert timestamps(times) == [960 * index for index in range(20)]


def test_many_small_delays_add_up_to_one_jump():
    # A sender that falls 10 ms behind with each frame is never more than the slack behind.
    times = [index * 0.03 for index in range(200)]
    for now, timestamp in zip(times, timestamps(times), strict=True):
        assert abs(timestamp / 48_000 - now) <= 0.1 + 0.02 + 1e-6


def test_the_slack_is_configured():
    assert timestamps([0.0, 0.22], media_clock_slack=0.5) == [0, 960]
    assert timestamps([0.0, 0.08], media_clock_slack=0.01) == [0, 960 + 3 * 960]


def test_a_dropped_frame_leaves_no_trace():
    session = ready_session(timestamp=0, sequence=0)
    session.seal_audio(VOICE, 0.0)
    session.seal_audio(b"", 0.02)
    session.seal_audio(VOICE, 0.04)
    assert (session.last_sequence, session.last_timestamp) == (1, 960)


def test_a_new_session_starts_a_new_clock():
    session = ready_session(timestamp=0)
    session.seal_audio(VOICE, 0.0)
    session.reset(5)
    session.set_key("aead_xchacha20_poly1305_rtpsize", bytes(32))
    session.seal_audio(VOICE, 1000.0)
    first = session.last_timestamp
    session.seal_audio(VOICE, 1000.02)
    assert session.last_timestamp == (first + 960) % 2**32


@pytest.mark.parametrize("now", [math.inf, -math.inf, math.nan, 1e300, -1e300])
def test_an_absurd_clock_breaks_nothing(now):
    session = ready_session(timestamp=0)
    session.seal_audio(VOICE, 0.0)
    assert session.seal_audio(VOICE, now) is not None
    assert session.last_timestamp % 960 == 0
    session.sender_report(now, 0.0)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50), st.floats(0, 1e9))
def test_the_timestamp_is_never_far_from_the_clock(pauses, start):
    session = ready_session(timestamp=0)
    now, elapsed, extended = start, 0.0, 0
    for pause in pauses:
        # Never faster than real time: a burst rightly runs ahead.
        now += max(pause, 0.02)
        before = session.last_timestamp
        session.seal_audio(VOICE, now)
        if before is None:
            start = now
            continue
        step = (session.last_timestamp - before) % 2**32
        assert step % 960 == 0
        assert step > 0
        extended += step
        elapsed = now - start
        assert -0.001 <= elapsed - extended / 48_000 <= 0.1 + 0.001
