"""What a stream does about a stall of the machine. The clock is told."""

from itertools import pairwise

import pytest

from voicekit.pacer import LatePolicy

from .rig import FRAME, MS, START, Packet, Told, told, voices


def stalled(rig: Told, stall: int) -> list[tuple[int, Packet]]:
    """Send three frames, stop for ``stall`` after the third's deadline, then play on."""
    rig.stream.push_many(voices(50))
    out = rig.run(2 * FRAME + 3 * MS)
    assert [packet.number for _, packet in out] == [0, 1, 2]
    rig.now = (rig.stream.first_deadline or 0) + 3 * FRAME + stall
    return rig.run(400 * MS)


def deadline(rig: Told, number: int) -> int:
    return (rig.stream.first_deadline or 0) + number * FRAME


@pytest.mark.parametrize("policy", LatePolicy)
@pytest.mark.parametrize("stall", [0, 1, 5, 9, 19])
def test_less_than_a_frame_is_made_up_for(native: bool, policy: LatePolicy, stall: int) -> None:
    with told(native, depth=1.0, policy=policy) as rig:
        out = stalled(rig, stall * MS)
        assert [packet.number for _, packet in out[:10]] == list(range(3, 13))
        assert out[0][0] == deadline(rig, 3) + stall * MS
        # Back on the old schedule two frames later, rounded to a tick.
        assert [when for when, _ in out[2:10]] == [deadline(rig, n) for n in range(5, 13)]
        stats = rig.stream.stats()
        assert (stats.rebases, stats.skipped) == (0, 0)


@pytest.mark.parametrize("stall", [20, 57, 1000, 60_000])
def test_rebase_moves_the_schedule_and_loses_nothing(native: bool, stall: int) -> None:
    with told(native, depth=1.0, policy=LatePolicy.REBASE) as rig:
        out = stalled(rig, stall * MS)
        assert [packet.number for _, packet in out[:10]] == list(range(3, 13))
        begin = deadline(rig, 3) - -stall // 20 * FRAME  # the next whole period
        assert [when for when, _ in out[:10]] == [begin + n * FRAME for n in range(10)]
        stats = rig.stream.stats()
        assert (stats.rebases, stats.skipped) == (1, 0)
        assert stats.lateness.max == pytest.approx((begin - deadline(rig, 3)) / 1e9)


@pytest.mark.parametrize(("stall", "lost"), [(20, 1), (39, 1), (57, 2), (400, 20)])
def test_skip_keeps_the_schedule_and_leaves_frames_out(native: bool, stall: int, lost: int) -> None:
    with told(native, depth=1.0, policy=LatePolicy.SKIP) as rig:
        out = stalled(rig, stall * MS)
        assert [packet.number for _, packet in out[:5]] == list(range(3 + lost, 8 + lost))
        assert out[0][0] == deadline(rig, 3) + stall * MS
        assert [when for when, _ in out[2:5]] == [deadline(rig, n + lost) for n in (5, 6, 7)]
        stats = rig.stream.stats()
        assert (stats.rebases, stats.skipped) == (0, lost)
        assert rig.stream.position - rig.stream.sent == lost


def test_skipped_frames_advance_the_timestamp_but_not_the_sequence(native: bool) -> None:
    with told(native, depth=1.0, policy=LatePolicy.SKIP) as rig:
        rig.stream.push_many(voices(50))
        (_, first), (_, last) = rig.run(FRAME + 3 * MS)
        rig.now = deadline(rig, 2) + 85 * MS
        (_, packet) = rig.run(MS)[0]
        assert packet.number == 6
        assert packet.sequence == (last.sequence + 1) % 2**16
        assert (packet.timestamp - first.timestamp) % 2**32 == 6 * 960


def test_a_stall_longer_than_what_waits_skips_it_all_and_ends_in_silence(native: bool) -> None:
    with told(native, policy=LatePolicy.SKIP) as rig:
        rig.stream.push_many(voices(5))
        assert rig.numbers(3 * MS) == [0]
        rig.now += 5000 * MS
        assert rig.numbers(200 * MS) == [None] * 5
        stats = rig.stream.stats()
        assert (stats.skipped, stats.underruns) == (4, 1)


@pytest.mark.parametrize("stall", [20, 40, 60])
def test_catch_up_meets_the_schedule_again_at_twice_the_speed(native: bool, stall: int) -> None:
    with told(native, depth=1.0, policy=LatePolicy.CATCH_UP) as rig:
        out = stalled(rig, stall * MS)
        assert [packet.number for _, packet in out[:20]] == list(range(3, 23))
        times = [when for when, _ in out[:20]]
        gaps = {after - before for before, after in pairwise(times)}
        assert gaps <= {FRAME // 2, FRAME}
        assert times[10:] == [deadline(rig, n) for n in range(13, 23)]
        assert rig.stream.stats().rebases == 0


def test_catch_up_is_bounded_and_rebases_the_rest(native: bool) -> None:
    with told(native, depth=1.0, policy=LatePolicy.CATCH_UP) as rig:
        out = stalled(rig, 200 * MS)
        times = [when for when, _ in out[:20]]
        gaps = [after - before for before, after in pairwise(times)]
        # 60 ms of lateness are six gaps of half a frame; the other 140 ms stay.
        assert gaps == [FRAME // 2] * 6 + [FRAME] * 13
        assert times[-1] == deadline(rig, 22) + 140 * MS
        assert rig.stream.stats().rebases == 1


def test_silence_that_is_late_moves_back_and_never_bursts(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push(voices(1)[0])
        assert rig.numbers(3 * MS) == [0]
        rig.now = START + 507 * MS
        out = rig.run(300 * MS)
        assert [packet.number for _, packet in out] == [None] * 5
        assert [when for when, _ in out] == [deadline(rig, n) for n in range(26, 31)]
