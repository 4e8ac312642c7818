"""Timers, token buckets and the replay buffer, each alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicekit.server.limits import TokenBucket
from voicekit.server.replay import ReplayBuffer
from voicekit.server.timers import Timers


def test_timers_run_in_order_and_once() -> None:
    timers, ran = Timers(), []
    for when in (3.0, 1.0, 2.0, 1.0):
        timers.call_at(when, lambda now, when=when: ran.append((when, now)))
    assert timers.next_timeout() == 1.0
    timers.run(2.5)
    assert ran == [(1.0, 2.5), (1.0, 2.5), (2.0, 2.5)]
    assert timers.next_timeout() == 3.0
    timers.run(3.0)
    timers.run(9.0)
    assert len(ran) == 4
    assert timers.next_timeout() is None


def test_a_cancelled_timer_does_not_run() -> None:
    timers, ran = Timers(), []
    first = timers.call_at(1.0, lambda now: ran.append(1))
    second = timers.call_at(1.0, lambda now: ran.append(2))
    timers.call_at(1.0, lambda now: second.cancel())
    third = timers.call_at(1.0, lambda now: ran.append(3))
    first.cancel()
    first.cancel()
    timers.call_at(0.5, lambda now: third.cancel())
    timers.run(1.0)
    assert ran == [2]
    second.cancel()
    assert timers.next_timeout() is None


def test_what_a_timer_arms_waits_for_the_next_run() -> None:
    timers, ran = Timers(), []

    def again(now: float) -> None:
        ran.append(now)
        timers.call_at(now, again)

    timers.call_at(1.0, again)
    timers.run(1.0)
    assert ran == [1.0]
    assert timers.next_timeout() == 1.0


def test_cancelled_timers_do_not_pile_up() -> None:
    timers = Timers()
    keep = timers.call_at(1e9, lambda now: None)
    for _ in range(10_000):
        timers.call_at(1e6, lambda now: None).cancel()
    assert len(timers._heap) < 200
    assert timers.next_timeout() == 1e9
    keep.cancel()
    assert timers.next_timeout() is None


def test_a_bucket_allows_a_burst_and_then_a_rate() -> None:
    bucket = TokenBucket(10.0, 5.0, 0.0)
    assert [bucket.take(0.0) for _ in range(6)] == [True] * 5 + [False]
    assert not bucket.take(0.09)
    assert bucket.take(0.11)
    assert [bucket.take(100.0) for _ in range(6)] == [True] * 5 + [False]


@pytest.mark.parametrize("seq_ack", range(-1, 7))
def test_a_buffer_knows_what_came_after(seq_ack: int) -> None:
    buffer = ReplayBuffer(4)
    for _ in range(5):
        buffer.add(str)
    expected = {1: "2345", 2: "345", 3: "45", 4: "5", 5: ""}.get(seq_ack)
    missed = buffer.since(seq_ack)
    assert missed == (None if expected is None else list(expected))


def test_an_empty_buffer_has_missed_nothing() -> None:
    assert ReplayBuffer(4).since(-1) == ReplayBuffer(4).since(0) == []
    assert ReplayBuffer(4).since(1) is None


@given(st.integers(1, 50), st.integers(0, 200_000), st.integers(0, 60))
def test_the_wrap_changes_nothing(length: int, sent: int, behind: int) -> None:
    buffer = ReplayBuffer(length)
    buffer._count = sent
    for _ in range(length):
        buffer.add(str)
    missed = buffer.since((buffer.last - behind) & 0xFFFF)
    if behind > length:
        assert missed is None
    else:
        assert missed is not None
        assert len(missed) == behind


def test_large_messages_leave_room_for_few() -> None:
    buffer = ReplayBuffer(100, size=1000)
    for number in range(1, 31):
        buffer.add(lambda n: bytes(100))
        assert len(buffer.kept) == min(number, 10)
    assert buffer.since(20) == [bytes(100)] * 10
    assert buffer.since(19) is None
    buffer.add(lambda n: bytes(2000))
    assert buffer.kept == []
    buffer.add(lambda n: "text")
    assert buffer.since(31) == ["text"]
