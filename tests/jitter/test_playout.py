"""When frames come out of the jitter buffer: order, time, holes, pauses, and what it adapts to."""

import itertools
import math

import pytest

from tests.jitter.frames import (
    FRAME,
    PACKET,
    accounted,
    frame,
    numbers,
    play,
    pop_at,
    pop_until,
    silence,
    times,
)
from voicekit import AudioFrame, JitterBuffer, JitterConfig, LocalProtocolError, Lost

CONFIG = JitterConfig(minimum=0.02, initial=0.06, maximum=0.4)


def test_frames_come_out_a_delay_after_they_came_and_one_duration_apart() -> None:
    out = play(JitterBuffer(CONFIG), [frame(n, 5 + n * 0.02) for n in range(5)])
    assert numbers(out) == [0, 1, 2, 3, 4]
    assert times(out) == [5.06, 5.08, 5.1, 5.12, 5.14]


def test_what_went_in_comes_out() -> None:
    buffer, given = JitterBuffer(CONFIG), frame(0, 0.0)
    buffer.push(given)
    assert buffer.pop(1.0) is given


def test_nothing_is_due_before_its_time() -> None:
    buffer = JitterBuffer(CONFIG)
    assert (buffer.pop(0.0), buffer.next_timeout(), buffer.runs_dry_at) == (None, None, None)
    buffer.push(frame(0, 1.0))
    due = buffer.next_timeout()
    assert due == pytest.approx(1.06)
    assert buffer.pop(math.nextafter(due, 0)) is None
    assert buffer.pop(due) is not None
    assert buffer.pop(due) is None
    assert buffer.runs_dry_at == pytest.approx(due + 0.02)


def test_a_late_consumer_gets_all_that_is_due_at_once() -> None:
    buffer = JitterBuffer(CONFIG)
    for n in range(5):
        buffer.push(frame(n, n * 0.02))
    assert numbers(pop_at(buffer, 0.101)) == [0, 1, 2]


def test_frames_that_overtook_each_other_come_out_in_order() -> None:
    arrivals = {0: 0.0, 2: 0.021, 1: 0.03, 4: 0.06, 3: 0.065, 5: 0.1}
    out = play(JitterBuffer(CONFIG), [frame(n, at) for n, at in arrivals.items()])
    assert numbers(out) == [0, 1, 2, 3, 4, 5]


def test_a_stream_whose_first_frames_overtook_each_other_begins_with_the_first() -> None:
    out = play(JitterBuffer(CONFIG), [frame(1, 0.0), frame(2, 0.01), frame(0, 0.02)])
    assert numbers(out) == [0, 1, 2]


def test_a_frame_comes_once() -> None:
    buffer = JitterBuffer(CONFIG)
    assert buffer.push(frame(0, 0.0))
    assert not buffer.push(frame(0, 0.0))
    assert numbers(pop_at(buffer, 0.06)) == [0]
    assert not buffer.push(frame(0, 0.07))
    assert buffer.stats().duplicates == 2
    assert accounted(buffer)


def test_a_hole_is_reported_when_its_time_has_come() -> None:
    out = play(JitterBuffer(CONFIG), [frame(n, n * 0.02) for n in (0, 1, 4, 5)])
    assert numbers(out) == [0, 1, (2, 1), (3, 1), 4, 5]
    assert times(out) == [0.06, 0.08, 0.1, 0.12, 0.14, 0.16]
    lost = out[2][1]
    assert lost == Lost(packets=1, sequence=2, rtp_time=2 * FRAME, duration=FRAME, conceal=FRAME)


def test_a_consumer_that_comes_late_gets_the_whole_hole_at_once() -> None:
    buffer = JitterBuffer(CONFIG)
    for n in (0, 1, 5):
        buffer.push(frame(n, n * 0.02))
    out = pop_at(buffer, 0.2)
    assert numbers(out) == [0, 1, (2, 3), 5]
    lost = out[2][1]
    assert isinstance(lost, Lost)
    assert (lost.rtp_time, lost.duration, lost.conceal) == (2 * FRAME, 3 * FRAME, 3 * FRAME)


def test_the_frame_behind_a_hole_can_be_seen_for_its_error_correction() -> None:
    buffer = JitterBuffer(CONFIG)
    for n in (0, 1, 3):
        buffer.push(frame(n, n * 0.02))
    *_, (_, lost) = pop_at(buffer, 0.11)
    assert isinstance(lost, Lost)
    behind = buffer.peek()
    assert behind is not None
    assert behind.sequence == lost.sequence + lost.packets == 3
    assert buffer.pop(0.12) is behind
    assert buffer.peek() is None


def test_what_comes_after_its_place_was_given_up_is_late() -> None:
    buffer = JitterBuffer(CONFIG)
    for n in (0, 1, 3, 4):
        buffer.push(frame(n, n * 0.02))
    assert numbers(pop_until(buffer, 0.11)) == [0, 1, (2, 1)]
    assert not buffer.push(frame(2, 0.11))
    assert numbers(pop_until(buffer, 1.0)) == [3, 4]
    assert buffer.stats().late == 1
    assert accounted(buffer)


def test_where_nothing_is_there_playout_waits_and_keeps_the_longer_delay() -> None:
    buffer = JitterBuffer(CONFIG)
    arrivals = [0.0, 0.02, 0.04, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]
    out = play(buffer, [frame(n, at) for n, at in enumerate(arrivals)])
    assert numbers(out) == list(range(10))
    assert times(out)[:5] == [0.06, 0.08, 0.1, 0.2, 0.22]
    stats = buffer.stats()
    assert (stats.underruns, stats.lost, stats.late) == (1, 0, 0)
    assert stats.stretched == pytest.approx(0.08)
    assert buffer.delay == pytest.approx(0.14)


def test_what_passed_while_nothing_was_there_is_not_to_be_concealed_again() -> None:
    """Frame 3 is lost and frame 4 late: whoever heard nothing in between has waited already."""
    buffer = JitterBuffer(CONFIG)
    out = play(buffer, [frame(0, 0), frame(1, 0.02), frame(2, 0.04), frame(4, 0.2)])
    assert numbers(out) == [0, 1, 2, (3, 1), 4]
    lost = out[3][1]
    assert isinstance(lost, Lost)
    assert lost.duration == FRAME
    assert lost.conceal <= 0.005 * 48_000  # the target is rounded up: frame 3 might still come
    assert times(out)[3:] == pytest.approx([0.2, 0.2], abs=0.0051)


def test_a_hole_waits_while_the_delay_is_below_the_target() -> None:
    """Frames that come 0.1 s late, out of order, teach it; then one that is late is waited for."""
    buffer = JitterBuffer(CONFIG)
    for n in range(100):
        buffer.push(frame(n, n * 0.02))
        pop_at(buffer, n * 0.02)
    for n in range(100, 200):
        late = n % 4 == 0
        if not late:
            buffer.push(frame(n, n * 0.02))
        if (n - 4) % 4 == 0:
            buffer.push(frame(n - 4, n * 0.02))
        pop_at(buffer, n * 0.02)
    dropped = buffer.stats().late
    assert dropped <= 3  # then the delay is long enough
    assert buffer.delay == pytest.approx(buffer.target, abs=0.01)
    assert buffer.target >= 0.08


def test_a_pause_is_not_loss() -> None:
    buffer = JitterBuffer(CONFIG)
    begin = [frame(n, n * 0.02) for n in range(3)]
    after = [frame(n, 5 + n * 0.02, rtp_time=5 * 48_000 + n * FRAME) for n in range(3, 6)]
    out = play(buffer, begin + after)
    assert numbers(out) == [0, 1, 2, 3, 4, 5]
    assert times(out)[3:] == [5.12, 5.14, 5.16]
    stats = buffer.stats()
    assert (stats.lost, stats.underruns, stats.spurts) == (0, 0, 2)


@pytest.mark.parametrize("pause", [0.1, 0.3, 0.6, 2.0, 100.0])
def test_a_sender_that_stops_its_clock_in_a_pause_is_not_late_after_it(pause: float) -> None:
    buffer = JitterBuffer(CONFIG)
    speech = [frame(n, n * 0.02) for n in range(50)]
    quiet = [silence(n, n * 0.02) for n in range(50, 55)]
    later = [frame(n, pause + n * 0.02) for n in range(55, 100)]
    out = play(buffer, speech + quiet + later)
    assert numbers(out) == list(range(100))
    assert buffer.stats().underruns == 0
    assert buffer.target < 0.1
    waits = [now - item.arrived for now, item in out if isinstance(item, AudioFrame)]
    assert max(waits) < 0.1


def test_the_marker_begins_a_talk_spurt_too() -> None:
    buffer = JitterBuffer(CONFIG)
    speech = [frame(n, n * 0.02) for n in range(50)]
    later = [frame(n, 0.3 + n * 0.02, marker=n == 50) for n in range(50, 100)]
    play(buffer, speech + later)
    assert buffer.target < 0.1
    assert buffer.stats().underruns == 0


@pytest.mark.parametrize("jump", [10 * 48_000, -10 * 48_000, 2**31, -(2**31)])
def test_a_sender_whose_clock_jumps_plays_on(jump: int) -> None:
    buffer = JitterBuffer(CONFIG)
    before = [frame(n, n * 0.02) for n in range(50)]
    after = [frame(n, n * 0.02, rtp_time=n * FRAME + jump) for n in range(50, 100)]
    out = play(buffer, before + after)
    assert numbers(out) == list(range(100))
    assert max(now - item.arrived for now, item in out) < 0.1  # type: ignore[union-attr]


def test_a_frame_that_was_overtaken_waits_for_no_time_far_ahead() -> None:
    odd = frame(1, 0.0, rtp_time=-40 * 48_000)  # and yet numbered behind the one of time 0
    out = play(JitterBuffer(CONFIG), [odd, frame(0, 0.0)])
    assert numbers(out) == [0, 1]
    assert max(times(out)) <= 2 * CONFIG.maximum


def test_frames_from_before_the_jump_that_come_behind_it_keep_their_time() -> None:
    frames = [frame(n, n * 0.02) for n in range(50)]
    frames += [frame(n, n * 0.02, rtp_time=n * FRAME + 2**31) for n in range(50, 100)]
    frames[49] = frame(49, 1.005)  # after frame 50
    out = play(JitterBuffer(CONFIG), frames)
    assert numbers(out) == list(range(100))
    assert times(out)[48:52] == pytest.approx([1.02, 1.04, 1.06, 1.08], abs=0.006)


def test_a_sender_that_counts_anew_has_lost_nothing() -> None:
    """The receiver extends its new numbers by up to 65536."""
    buffer = JitterBuffer(CONFIG)
    before = [frame(n, n * 0.02) for n in range(5)]
    after = [frame(n + 40_000, n * 0.02, rtp_time=n * FRAME) for n in range(15, 20)]
    out = play(buffer, before + after)
    assert numbers(out) == [*range(5), *range(40_015, 40_020)]
    assert buffer.stats().lost == 0


def test_a_long_loss_is_one_report() -> None:
    buffer = JitterBuffer(CONFIG)
    out = play(buffer, [frame(n, n * 0.02) for n in (0, 1, 2, 3000, 3001)])
    assert numbers(out)[:3] == [0, 1, 2]
    assert sum(item.packets for _, item in out if isinstance(item, Lost)) == 2997
    assert len(out) < 10
    assert sum(item.conceal for _, item in out if isinstance(item, Lost)) < 5 * FRAME


def test_loss_and_a_pause_are_told_apart() -> None:
    """Of 1 s of gap two numbers explain 40 ms: they are the beginning of what follows."""
    buffer = JitterBuffer(CONFIG)
    frames = [frame(0, 0.0), frame(1, 0.02)]
    frames += [frame(n, 1 + n * 0.02, rtp_time=48_000 + n * FRAME) for n in (4, 5)]
    out = play(buffer, frames)
    assert numbers(out) == [0, 1, (2, 1), (3, 1), 4, 5]
    assert times(out)[2:] == pytest.approx([1.1, 1.12, 1.14, 1.16])
    assert out[2][1].rtp_time == 48_000 + 2 * FRAME


def test_the_first_frame_of_a_talk_spurt_may_be_overtaken() -> None:
    frames = [frame(0, 0.0), frame(1, 0.02)]
    frames += [frame(3, 1.06, rtp_time=48_000 + 3 * FRAME)]
    frames += [frame(2, 1.07, rtp_time=48_000 + 2 * FRAME)]
    assert numbers(play(JitterBuffer(CONFIG), frames)) == [0, 1, 2, 3]


@pytest.mark.parametrize("milliseconds", [2.5, 5, 10, 20, 40, 60, 80, 100, 120])
def test_frames_of_every_length_are_played_one_length_apart(milliseconds: float) -> None:
    samples = round(48 * milliseconds)
    step = milliseconds / 1000
    gone = {4, 5}
    frames = [
        frame(n, n * step, rtp_time=n * samples, duration=samples)
        for n in range(12)
        if n not in gone
    ]
    buffer = JitterBuffer(JitterConfig(initial=0.25))
    out = play(buffer, frames)
    begin = out[0][0]
    for now, item in out:
        n = item.sequence
        assert now == pytest.approx(begin + n * step)
        if isinstance(item, Lost):
            assert n in gone
            assert item.duration == samples * item.packets
    assert buffer.stats().lost == 2


def test_a_sender_may_change_the_length_of_its_frames() -> None:
    frames, at = [], 0
    for n in range(60):
        duration = (960, 120, 2880, 480)[n // 15]
        frames.append(frame(n, at / 48_000, rtp_time=at, duration=duration))
        at += duration
    buffer = JitterBuffer(CONFIG)
    out = play(buffer, frames)
    assert numbers(out) == list(range(60))
    starts = [item.rtp_time / 48_000 for _, item in out]
    assert [now - out[0][0] for now, _ in out] == pytest.approx(starts)


def test_a_delay_that_is_no_longer_needed_goes_in_the_next_pause() -> None:
    buffer = JitterBuffer(CONFIG)
    storm = [frame(n, n * 0.02 + (0.12 if n % 5 == 0 else 0)) for n in range(500)]
    calm = [frame(n, n * 0.02) for n in range(500, 6000)]
    later = [frame(n, 1 + n * 0.02, rtp_time=48_000 + n * FRAME) for n in range(6000, 6100)]
    play(buffer, storm)
    long = buffer.delay
    assert long is not None
    assert long > 0.1
    play(buffer, calm + later)
    assert buffer.delay == pytest.approx(buffer.target, abs=0.001)
    assert buffer.delay < 0.06


def test_without_pauses_it_goes_one_frame_a_second_and_no_further_than_half() -> None:
    buffer = JitterBuffer(CONFIG)
    play(buffer, [frame(n, n * 0.02 + (0.3 if n % 5 == 0 else 0)) for n in range(500)])
    out = play(buffer, [frame(n, n * 0.02) for n in range(500, 6000)])
    played = {item.sequence for _, item in out}
    skipped = [n for n in range(500, 6000) if n not in played]
    assert 5 < len(skipped) < 20
    assert min(b - a for a, b in itertools.pairwise(skipped)) >= 49
    assert buffer.stats().skipped == len(skipped)
    assert 0.05 - 0.02 <= buffer.delay - buffer.target <= 0.1
    assert accounted(buffer)


def test_silence_is_left_out_at_once() -> None:
    buffer = JitterBuffer(CONFIG)
    play(buffer, [frame(n, n * 0.02 + (0.3 if n % 5 == 0 else 0)) for n in range(500)])
    n = 500
    while buffer.stats().skipped == 0:
        play(buffer, [frame(n, n * 0.02)])
        n += 1
    play(buffer, [silence(k, k * 0.02) for k in range(n, n + 25)])
    assert buffer.stats().skipped >= 3
    assert buffer.delay - buffer.target < 0.06


def test_a_hole_is_left_out_where_the_delay_is_too_long() -> None:
    buffer = JitterBuffer(JitterConfig(initial=0.11))
    play(buffer, [frame(n, n * 0.02) for n in range(3000)])
    before = buffer.delay
    assert before == pytest.approx(0.11, abs=0.001)
    assert buffer.target == pytest.approx(0.02)
    out = play(buffer, [frame(n, n * 0.02) for n in range(3001, 3010)])
    lost = out[0][1]
    assert isinstance(lost, Lost)
    assert (lost.duration, lost.conceal) == (FRAME, 0)
    assert buffer.delay == pytest.approx(before - 0.02)


def test_the_delay_never_stays_above_the_maximum() -> None:
    """A path that stands still for 2 s and then brings everything at once."""
    buffer = JitterBuffer(CONFIG)
    calm = [frame(n, n * 0.02) for n in range(100)]
    stopped = [frame(n, 4.0) for n in range(100, 200)]
    after = [frame(n, n * 0.02) for n in range(200, 400)]
    out = play(buffer, calm + stopped + after)
    assert [item.sequence for _, item in out] == sorted({item.sequence for _, item in out})
    assert max(now - item.arrived for now, item in out) < 0.45  # type: ignore[union-attr]
    assert accounted(buffer)


def test_packets_that_are_no_opus_leave_a_hole() -> None:
    buffer = JitterBuffer(CONFIG)
    broken = frame(1, 0.02, duration=0)
    out = play(buffer, [frame(0, 0.0), broken, frame(2, 0.04)])
    assert numbers(out) == [0, (1, 1), 2]
    assert buffer.stats().invalid == 1
    assert accounted(buffer)


def test_more_than_there_is_room_for_drops_the_oldest() -> None:
    buffer = JitterBuffer(JitterConfig(max_packets=10))
    for n in range(25):
        buffer.push(frame(n, 0.0))
        assert len(buffer) <= 10
    assert numbers([(0, item) for item in buffer.drain()]) == list(range(15, 25))
    assert buffer.stats().overflowed == 15
    assert accounted(buffer)


def test_draining_hands_out_all_that_waits_in_order() -> None:
    buffer = JitterBuffer(CONFIG)
    for n in (0, 1, 3, 6):
        buffer.push(frame(n, n * 0.02))
    assert numbers([(0, item) for item in buffer.drain()]) == [0, 1, (2, 1), 3, (4, 1), (5, 1), 6]
    assert buffer.drain() == []


def test_no_clock_is_read_and_any_may_be_used() -> None:
    shifted = []
    for begin in (-1e6, 0.0, 1e9):
        out = play(JitterBuffer(CONFIG), [frame(n, begin + n * 0.02) for n in range(20)])
        shifted.append([round(now - begin, 4) for now, _ in out])
    assert shifted[0] == shifted[1] == shifted[2]


def test_wrong_calls_are_refused() -> None:
    buffer = JitterBuffer()
    buffer.push(frame(0, 0.0))
    with pytest.raises(LocalProtocolError, match="SSRC 7"):
        buffer.push(AudioFrame(1, 8, PACKET, 1, FRAME))
    for now in (math.nan, math.inf, -math.inf):
        with pytest.raises(LocalProtocolError):
            buffer.pop(now)
        with pytest.raises(LocalProtocolError):
            buffer.push(frame(1, now))
    with pytest.raises(TypeError):
        buffer.push(b"opus")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        JitterBuffer(0.1)  # type: ignore[arg-type]
    assert accounted(buffer)


@pytest.mark.parametrize(
    "wrong",
    [
        {"minimum": 0.0},
        {"minimum": 0.1, "initial": 0.05},
        {"maximum": 0.05},
        {"maximum": math.inf},
        {"late_share": 1.0},
        {"late_share": 0.0},
        {"memory": -1.0},
        {"max_packets": 0},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)).split("_")[0]):
        JitterConfig(**wrong)  # type: ignore[arg-type]
