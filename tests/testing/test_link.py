"""The bad network: seeded, exact in its bookkeeping, each knob for itself."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicekit.link import Burst, Link


def deliver(link: Link, count: int, *, spacing: float = 0.02, size: int = 100) -> list[int]:
    """Send ``count`` numbered datagrams, one each ``spacing``; return those that arrive."""
    arrived = []
    for i in range(count):
        link.send(i.to_bytes(4, "big") + bytes(size - 4), i * spacing)
        while (data := link.receive(i * spacing)) is not None:
            arrived.append(int.from_bytes(data[:4], "big"))
    while (at := link.next_timeout()) is not None:
        data = link.receive(at)
        assert data is not None
        arrived.append(int.from_bytes(data[:4], "big"))
    return arrived


def test_a_perfect_link_delivers_at_once_and_in_order() -> None:
    assert deliver(Link(), 50) == list(range(50))


def test_nothing_arrives_before_its_time() -> None:
    link = Link(delay=0.1)
    link.send(b"hello", 5.0)
    assert link.next_timeout() == pytest.approx(5.1)
    assert link.receive(5.09) is None
    assert link.receive(link.next_timeout() or 0.0) == b"hello"
    assert link.next_timeout() is None


def test_the_sender_may_reuse_its_buffer() -> None:
    link = Link(duplicate=1.0)
    buffer = bytearray(b"first")
    link.send(buffer, 0.0)
    buffer[:] = b"again"
    assert [link.receive(0.0), link.receive(0.0)] == [b"first", b"first"]


def test_loss_is_near_its_probability_and_accounted_for() -> None:
    link = Link(loss=0.2, seed=7)
    arrived = deliver(link, 5000)
    assert link.stats.lost == 5000 - len(arrived)
    assert 900 < link.stats.lost < 1100


def test_bursts_lose_runs_of_datagrams() -> None:
    link = Link(burst=Burst(enter=0.02, leave=0.25), seed=3)
    arrived = deliver(link, 20_000)
    gaps = [b - a - 1 for a, b in pairwise(arrived) if b - a > 1]
    # Bad states last 1 / 0.25 = 4 datagrams on average; single losses would give 1.0x.
    assert 3.4 < sum(gaps) / len(gaps) < 4.6
    # Share of the bad state: enter / (enter + leave) = 7.4 %.
    assert 0.06 < link.stats.lost / 20_000 < 0.09


def test_jitter_spreads_arrivals_and_keeps_the_order() -> None:
    link = Link(delay=0.05, jitter=0.1, seed=1)
    due = []
    for i in range(200):
        link.send(bytes([i]), i * 0.02)
    order = []
    while (at := link.next_timeout()) is not None:
        data = link.receive(at)
        assert data is not None
        order.append(data[0])
        due.append(at - data[0] * 0.02)
    assert order == list(range(200))
    assert min(due) >= 0.05
    assert max(due) <= 0.15 + 1e-9
    assert max(due) - min(due) > 0.05


def test_a_reordered_datagram_is_overtaken_by_two_of_a_20_ms_stream() -> None:
    link = Link()
    arrived = []
    for i in range(6):
        link.reorder = float(i == 1)
        link.send(bytes([i]), i * 0.02)
        while (data := link.receive(i * 0.02)) is not None:
            arrived.append(data[0])
    assert arrived == [0, 2, 3, 1, 4, 5]
    assert link.stats.reordered == 1


def test_duplicates_are_counted() -> None:
    link = Link(duplicate=0.1, seed=2)
    arrived = deliver(link, 1000)
    assert len(arrived) == 1000 + link.stats.duplicated
    assert 60 < link.stats.duplicated < 140


def test_a_bottleneck_delays_by_the_size_of_what_waits() -> None:
    link = Link(rate=8000.0)  # 1 000 bytes a second
    link.send(bytes(100), 0.0)
    link.send(bytes(100), 0.0)
    assert link.next_timeout() == pytest.approx(0.1)
    assert link.receive(0.1)
    assert link.next_timeout() == pytest.approx(0.2)


def test_a_full_queue_overflows() -> None:
    link = Link(rate=8000.0, queue=250)
    for _ in range(4):
        link.send(bytes(100), 0.0)
    assert link.stats.overflowed == 2
    assert link.stats.waiting == 2


def test_clear_loses_what_is_on_its_way() -> None:
    link = Link(delay=1.0)
    link.send(b"x", 0.0)
    assert link.clear() == 1
    assert link.next_timeout() is None
    assert link.stats.lost == 1


def test_one_knob_does_not_move_the_others() -> None:
    plain = deliver(Link(loss=0.3, seed=9), 300)
    busy = deliver(Link(loss=0.3, jitter=0.3, duplicate=0.5, reorder=0.5, seed=9), 300)
    assert set(plain) == set(busy)


@given(
    seed=st.integers(0, 2**64),
    loss=st.floats(0, 1),
    duplicate=st.floats(0, 1),
    jitter=st.floats(0, 1),
    reorder=st.floats(0, 1),
    rate=st.none() | st.floats(100, 1e9),
)
def test_the_same_seed_gives_the_same_fate_and_the_books_balance(
    seed: int, loss: float, duplicate: float, jitter: float, reorder: float, rate: float | None
) -> None:
    def run() -> tuple[list[int], Link]:
        link = Link(
            loss=loss,
            duplicate=duplicate,
            jitter=jitter,
            reorder=reorder,
            rate=rate,
            burst=Burst(enter=0.1, leave=0.5),
            queue=500,
            seed=seed,
        )
        return deliver(link, 40), link

    first, link = run()
    again, _ = run()
    assert first == again
    stats = link.stats
    assert stats.sent + stats.duplicated == (
        stats.delivered + stats.lost + stats.overflowed + stats.waiting
    )
    assert stats.waiting == 0
    assert stats.delivered == len(first)


@pytest.mark.parametrize(
    "knobs",
    [
        {"loss": 1.1},
        {"loss": -0.1},
        {"duplicate": math.nan},
        {"reorder": 2},
        {"delay": -1},
        {"jitter": math.inf},
        {"rate": 0},
        {"queue": -1},
    ],
)
def test_senseless_values_are_refused(knobs: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(knobs))):
        Link(**knobs)  # type: ignore[arg-type]


def test_a_burst_checks_its_probabilities() -> None:
    with pytest.raises(ValueError, match="leave"):
        Burst(enter=0.1, leave=1.5)
