"""users.md items 15 and 27: after a stall the player sends back-to-back to catch up; drift.

discordrb PR#457 ("rebase the schedule on resume ... to avoid bursting") and discord.py's
``next_time = start + delay * loops`` with ``max(0, ...)``. The opposite mistake, sleeping
20 ms after each frame, adds up every delay.
"""

from itertools import pairwise

import pytest

from tests.pacer.rig import FRAME, MS, Told, told, voice
from voicekit.pacer import LatePolicy


def turns(rig: Told, count: int, *, late: int = 0) -> list[int]:
    """Send ``count`` frames, with each turn late by ``late`` ns; when each one went."""
    sent: list[int] = []
    while len(sent) < count:
        rig.stream.push(voice(0))
        due = rig.loop.take_turn(rig.now)
        assert due is not None
        sent += [due + late] * len(rig.at(due + late))
    return sent


@pytest.mark.parametrize("stall", [100, 500, 10_000, 3_600_000], ids=lambda ms: f"{ms} ms")
@pytest.mark.parametrize("policy", LatePolicy)
def test_no_burst_follows_a_stall(policy: LatePolicy, stall: int) -> None:
    with told(False, policy=policy, depth=1.0) as rig:
        turns(rig, 10)
        while rig.stream.push(voice(0)):
            pass
        rig.now += stall * MS
        sent = []
        for _ in range(500):  # a loop that wakes up every millisecond, with enough to send
            rig.now += MS
            sent += [rig.now] * len(rig.at(rig.now))
            rig.stream.push(voice(0))
        gaps = [later - earlier for earlier, later in pairwise(sent)]
        assert min(gaps) >= FRAME // 2
        made_up = 3 if policy is LatePolicy.CATCH_UP else 0  # 60 ms at most
        assert len(sent) == pytest.approx(500 // 20 + made_up, abs=1)


def test_every_turn_being_late_by_less_than_half_a_frame_does_not_slow_the_music_down() -> None:
    with told(False) as rig:
        sent = turns(rig, 1000, late=9 * MS)
        assert sent[-1] - sent[0] == 999 * FRAME, "the schedule stands, however late they go"
        assert rig.stream.stats().rebases == 0
