"""Drift: a timer that is set anew from when it fired, so that each frame's lateness stays.

discordrb PR#457, discordjs/voice#53. Item 27 of the list of what users suffer from. Here the
deadline of frame n is the first one plus n durations, in whole nanoseconds.
"""

import random

import pytest

from tests.pacer.rig import FRAME, MS, PACERS, START, told, voice

SECOND = 1000 * MS


@pytest.mark.parametrize("native", PACERS)
def test_discordrb_457_after_ten_minutes_of_late_wakeups_the_schedule_is_the_first_one(
    native: bool,
) -> None:
    rng = random.Random(457)
    frames = 10 * 60 * 50
    with told(native, depth=1.0) as rig:
        number = 0
        now = START
        deadlines = []
        while rig.stream.position < frames:
            while rig.stream.room and rig.stream.push(voice(number)):
                number += 1
            due = rig.loop.take_turn(now)
            assert due is not None
            deadlines.append(due)
            now = due + rng.randrange(MS)  # a wakeup that is up to a millisecond late
        first = rig.stream.first_deadline or 0
        assert deadlines[-1] == first + frames * FRAME
        assert rig.stream.stats().rebases == 0


@pytest.mark.parametrize("native", PACERS)
@pytest.mark.parametrize("duration", [120, 240, 480, 960])
def test_discordjs_53_no_duration_is_rounded(native: bool, duration: int) -> None:
    """2.5 ms are 2 500 000 ns and 120 samples: after a minute both clocks agree exactly."""
    frames = 60 * 48_000 // duration
    with told(native, depth=1.0) as rig:
        number = 0
        first, last = None, None
        due: int | None = START
        while rig.stream.position < frames:
            while rig.stream.room and rig.stream.push(voice(number, duration)):
                number += 1
            assert due is not None
            rig.now = due
            due = rig.loop.take_turn(due)
            for packet in rig.listener.packets():
                first, last = first or packet, packet
        assert first is not None
        assert last is not None
        samples = (last.timestamp - first.timestamp) % 2**32
        assert samples == (frames - 1) * duration
        assert rig.now - (rig.stream.first_deadline or 0) == samples * SECOND // 48_000
