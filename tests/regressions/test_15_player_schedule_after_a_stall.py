"""users.md items 15 and 27: after a stall the player sends back-to-back to catch up; drift.

discordrb PR#457 ("rebase the schedule on resume ... to avoid bursting") and discord.py's
``next_time = start + delay * loops`` with ``max(0, ...)``. The opposite mistake, sleeping
20 ms after each frame, adds up every delay.
"""

from itertools import pairwise

import pytest

from voicekit.media import LatePolicy, Player


class Endless:
    def read(self) -> bytes:
        return b"frame"


@pytest.mark.parametrize("stall", [0.1, 0.5, 10.0, 3600.0])
@pytest.mark.parametrize("policy", LatePolicy)
def test_no_burst_follows_a_stall(policy: LatePolicy, stall: float) -> None:
    player = Player(Endless(), start=0.0, policy=policy)
    for n in range(100):
        assert player.handle_timeout(n / 50) is not None
    now = 2.0 + stall
    sent = []
    for tick in range(1000):  # a loop that wakes up every millisecond
        sent += [now + tick / 1000] * (player.handle_timeout(now + tick / 1000) is not None)
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert min(gaps) > 0.0185
    assert len(sent) == pytest.approx(50, abs=1)


def test_every_wake_up_being_late_does_not_slow_the_music_down() -> None:
    player = Player(Endless(), start=0.0)
    for n in range(50 * 3600):
        due = player.next_timeout()
        assert due == n / 50, "the schedule stands, however late the frames go"
        assert player.handle_timeout(due + 0.015) is not None
    assert player.stalls == 0
