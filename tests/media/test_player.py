"""The player's schedule, on a virtual clock."""

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicekit.media import LatePolicy, Player


class Numbers:
    """A source of numbered frames."""

    def __init__(self, count: int) -> None:
        self._left: Iterator[bytes] = (n.to_bytes(4, "big") for n in range(count))

    def read(self) -> bytes | None:
        return next(self._left, None)


def play(player: Player, wake_ups: Iterable[float]) -> list[tuple[float, int]]:
    """Wake up at these times, each time send what is due; return when which frame was sent."""
    sent = []
    for now in wake_ups:
        while (frame := player.handle_timeout(now)) is not None:
            sent.append((now, int.from_bytes(frame, "big")))
    return sent


def on_time(player: Player, *, stalls: dict[int, float] | None = None) -> list[tuple[float, int]]:
    """Wake up exactly when asked; before frame ``n``, ``stalls[n]`` seconds too late."""
    sent: list[tuple[float, int]] = []
    now = 0.0
    pending = dict(stalls or {})
    while (due := player.next_timeout()) is not None:
        now = max(now, due) + pending.pop(len(sent), 0.0)
        sent += play(player, [now])
    return sent


def test_frames_are_due_every_20_ms_from_the_start() -> None:
    player = Player(Numbers(100), start=5.0)
    assert player.next_timeout() == 5.0
    assert player.handle_timeout(4.999) is None
    assert on_time(player) == [(pytest.approx(5 + n / 50), n) for n in range(100)]
    assert player.finished
    assert player.next_timeout() is None
    assert player.handle_timeout(1e9) is None
    assert (player.frames_sent, player.frames_skipped, player.stalls) == (100, 0, 0)


def test_an_hour_of_jittery_wake_ups_drifts_by_nothing() -> None:
    player = Player(Numbers(180_000), start=0.1)
    sent = on_time(player, stalls=dict.fromkeys(range(0, 180000, 3), 0.005))
    assert len(sent) == 180_000
    assert sent[-1][0] == pytest.approx(0.1 + 179_999 / 50, abs=0.006)
    assert max(now - (0.1 + n / 50) for now, n in sent) < 0.006


def test_an_empty_source_is_finished_at_once() -> None:
    player = Player(Numbers(0), start=1.0)
    assert player.finished
    assert player.next_timeout() is None


def test_a_hiccup_is_made_up_for() -> None:
    sent = on_time(Player(Numbers(50), start=0.0), stalls={10: 0.05})
    assert [now for now, _ in sent[10:13]] == [pytest.approx(0.25)] * 3
    assert sent[13][0] == pytest.approx(0.26)


def test_after_a_stall_the_schedule_moves_and_nothing_is_lost() -> None:
    player = Player(Numbers(50), start=0.0)
    sent = on_time(player, stalls={10: 1.0})
    assert [n for _, n in sent] == list(range(50))
    assert sent[10][0] == pytest.approx(1.2)
    assert sent[49][0] == pytest.approx(1.2 + 39 / 50)
    assert player.stalls == 1


def test_a_live_source_skips_what_is_past_and_stays_on_time() -> None:
    player = Player(Numbers(100), start=0.0, policy=LatePolicy.SKIP)
    sent = on_time(player, stalls={10: 1.0})
    assert [n for _, n in sent] == [*range(10), *range(60, 100)]
    assert sent[-1][0] == pytest.approx(99 / 50)
    assert (player.frames_skipped, player.stalls) == (50, 1)


def test_skipping_past_the_end_finishes() -> None:
    player = Player(Numbers(20), start=0.0, policy=LatePolicy.SKIP)
    assert player.handle_timeout(3600.0) is None
    assert player.finished
    assert player.frames_skipped == 20


def test_the_slack_is_how_much_may_come_in_a_burst() -> None:
    for slack, longest in ((0.0, 1), (0.06, 1), (0.2, 1), (1.0, 26)):
        player = Player(Numbers(100), start=0.0, slack=slack)
        sent = [now for now, _ in on_time(player, stalls={10: 0.5})]
        assert max(map(sent.count, sent)) == longest


@given(
    st.sampled_from(LatePolicy),
    st.lists(st.floats(0, 0.5), max_size=60),
)
def test_never_early_never_twice_never_a_long_burst(
    policy: LatePolicy, delays: list[float]
) -> None:
    player = Player(Numbers(100), start=0.0, policy=policy)
    sent = on_time(player, stalls=dict(enumerate(delays)))
    numbers = [n for _, n in sent]
    times = [now for now, _ in sent]
    assert numbers == sorted(set(numbers))
    assert all(now >= n / 50 - 1e-9 for now, n in sent)
    assert max(map(times.count, times), default=0) <= 4
    assert len(sent) + player.frames_skipped == 100
