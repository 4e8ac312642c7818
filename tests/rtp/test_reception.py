"""Reception of one stream: order, duplicates, loss (RFC 3550 A.1, A.3) and jitter (A.8)."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import reception as reference
from voicekit._reception import Arrival, Reception, Verdict
from voicekit.errors import LocalProtocolError
from voicekit.rtcp import ReportBlock, SenderReport

NEXT, REORDERED, RESTARTED, DUPLICATE, STALE = Verdict
FRAME = 960


def feed(reception: Reception, numbers) -> list[Arrival]:
    """Packet n carries the audio of frame n and comes on time."""
    return [reception.update(n % 2**16, n * FRAME % 2**32, n * 0.02) for n in numbers]


def verdicts(arrivals) -> list[Verdict]:
    return [arrival.verdict for arrival in arrivals]


def test_a_clean_stream_over_both_wraps():
    reception = Reception(ssrc=1)
    first = (2**32 - FRAME) // FRAME  # its timestamp wraps in the next frame
    arrivals = feed(reception, range(first, first + 140_000))
    assert {arrival.verdict for arrival in arrivals} == {NEXT}
    assert [a.sequence - arrivals[0].sequence for a in arrivals] == list(range(140_000))
    assert [a.timestamp for a in arrivals] == [n * FRAME for n in range(first, first + 140_000)]
    assert (reception.received, reception.expected, reception.lost) == (140_000, 140_000, 0)
    assert reception.jitter == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("start", [65530, 0, 1, 65535])
def test_loss_reordering_and_duplicates_around_the_wrap(start):
    reception = Reception()
    offsets = [0, 1, 3, 2, 3, 7, 7, 4, 8]
    arrivals = [reception.update((start + n) % 2**16, 0, 0.0) for n in offsets]
    assert verdicts(arrivals) == [
        NEXT, NEXT, NEXT, REORDERED, DUPLICATE, NEXT, DUPLICATE, REORDERED, NEXT,
    ]  # fmt: skip
    assert [a.sequence - start for a in arrivals] == offsets
    assert [a.missing for a in arrivals] == [0, 0, 1, 0, 0, 3, 0, 0, 0]
    assert (reception.received, reception.duplicates, reception.reordered) == (7, 2, 2)
    assert (reception.expected, reception.lost) == (9, 2)
    assert (reception.first_sequence, reception.highest_sequence) == (start, start + 8)


def test_a_packet_from_before_the_first_moves_the_first_back():
    reception = Reception()
    assert verdicts(feed(reception, [5, 4, 2, 6])) == [NEXT, REORDERED, REORDERED, NEXT]
    assert (reception.first_sequence, reception.expected, reception.lost) == (2, 5, 1)


def test_a_late_packet_is_told_from_a_duplicate_within_the_whole_window():
    for distance in range(1, 100):
        reception = Reception()
        feed(reception, range(100 - distance))
        feed(reception, range(101 - distance, 101))
        late = 100 - distance
        assert verdicts(feed(reception, [late, late])) == [REORDERED, DUPLICATE]
        assert reception.lost == 0


def test_what_is_later_than_the_window_is_stale():
    reception = Reception()
    feed(reception, [0, *range(2, 102)])
    assert verdicts(feed(reception, [1])) == [STALE]
    assert (reception.duplicates, reception.lost) == (1, 1)


@pytest.mark.parametrize("gap", [1, 63, 64, 65, 127, 128, 129, 2998])
def test_the_window_survives_a_gap(gap):
    reception = Reception()
    feed(reception, range(10))
    arrival = feed(reception, [10 + gap])[0]
    assert (arrival.verdict, arrival.missing) == (NEXT, gap)
    for n in range(10 + gap, max(-1, 10 + gap - 100), -1):
        expected = DUPLICATE if n < 10 or n == 10 + gap else REORDERED
        assert verdicts(feed(reception, [n])) == [expected]


@pytest.mark.parametrize("jump", [3000, 10_000, 32_768, 50_000, 65_000])
def test_two_packets_in_a_row_after_a_jump_are_a_new_count(jump):
    reception = Reception()
    feed(reception, [*range(10), 11])
    arrivals = [reception.update((11 + jump + n) % 2**16, 0, 1.0) for n in range(3)]
    assert verdicts(arrivals) == [STALE, RESTARTED, NEXT]
    assert arrivals[1].sequence % 2**16 == (12 + jump) % 2**16
    assert 11 < arrivals[1].sequence <= 11 + 2**16
    assert reception.restarts == 1
    assert (reception.received, reception.lost) == (13, 1)
    assert reception.first_sequence == arrivals[1].sequence


def test_stragglers_are_no_new_count():
    reception = Reception()
    feed(reception, range(200))
    arrivals = feed(reception, [10, 12, 11, 200, 12, 201, 13])
    assert verdicts(arrivals) == [STALE, STALE, STALE, NEXT, STALE, NEXT, STALE]
    assert reception.restarts == 0


def test_a_long_silence_takes_the_timestamp_half_way_round():
    reception = Reception()
    reception.update(0, 0, 0.0)
    hours = 3600 * 48000
    assert reception.update(1, 13 * hours % 2**32, 13 * 3600.0).timestamp == 13 * hours
    assert reception.update(2, 38 * hours % 2**32, 38 * 3600.0 - 60).timestamp != 38 * hours, (
        "a whole turn can not be seen"
    )


def test_a_timestamp_that_goes_back_in_a_live_stream_stays_back():
    reception = Reception()
    reception.update(0, 100_000, 0.0)
    assert reception.update(1, 99_040, 0.02).timestamp == 99_040


# -- jitter -----------------------------------------------------------------------


def test_jitter_follows_the_formula():
    reception = Reception()
    reception.update(0, 0, 10.0)
    assert reception.jitter == 0
    reception.update(1, 960, 10.02 + 0.008)  # 8 ms late
    assert reception.jitter == pytest.approx(0.008 / 16)
    reception.update(2, 1920, 10.04)  # in time, so 8 ms closer
    assert reception.jitter == pytest.approx(0.0005 + (0.008 - 0.0005) / 16)


def test_jitter_of_a_steady_stream_with_alternating_delay_settles_at_the_difference():
    reception = Reception()
    for n in range(500):
        reception.update(n, n * 960, n * 0.02 + 0.005 * (n % 2))
    assert reception.jitter == pytest.approx(0.005, rel=1e-6)


def test_duplicates_and_restarts_do_not_count_as_jitter():
    reception = Reception()
    feed(reception, range(10))
    reception.update(9, 9 * 960, 5.0)
    reception.update(30_000, 77, 5.0)
    reception.update(30_001, 77 + 960, 5.02)
    assert reception.restarts == 1
    assert reception.jitter == pytest.approx(0, abs=1e-9)


# -- report blocks ------------------------------------------------------------------


def test_a_report_block_of_a_lossy_interval():
    reception = Reception(ssrc=0xABCD)
    reception.receive_sender_report(SenderReport(0xABCD, 0x1111_2222_3333_4444, 0, 0, 0), 0.0)
    feed(reception, [n for n in range(65_436, 65_536) if n % 4])
    assert reception.report_block(1.5) == ReportBlock(
        ssrc=0xABCD,
        fraction_lost=24 * 256 // 99,
        lost=24,
        highest_sequence=65_535,
        jitter=0,
        last_sr=0x2222_3333,
        delay=3 * 65536 // 2,
    )
    feed(reception, range(65_536, 65_586))
    second = reception.report_block(2.5)
    assert (second.fraction_lost, second.lost) == (0, 24)
    assert second.highest_sequence == 1 << 16 | 49


def test_late_packets_of_the_last_interval_do_not_make_the_fraction_negative():
    reception = Reception()
    feed(reception, [0, 1, 5])
    assert reception.report_block(0.0).fraction_lost == 3 * 256 // 6
    feed(reception, [2, 3, 6])
    block = reception.report_block(0.0)
    assert (block.fraction_lost, block.lost) == (0, 1)


def test_nothing_new_since_the_last_report_is_no_loss():
    reception = Reception()
    feed(reception, [0, 2])
    reception.report_block(0.0)
    assert reception.report_block(0.0).fraction_lost == 0


def test_a_fraction_of_nearly_everything_stays_below_256():
    reception = Reception()
    feed(reception, [0])
    reception.report_block(0.0)
    feed(reception, [2999])
    assert reception.report_block(0.0).fraction_lost == 255


def test_without_a_sender_report_its_fields_are_zero():
    reception = Reception()
    feed(reception, [0])
    block = reception.report_block(100.0)
    assert (block.last_sr, block.delay) == (0, 0)


def test_nothing_received_is_nothing_to_report():
    reception = Reception()
    assert (reception.expected, reception.lost, reception.received) == (0, 0, 0)
    with pytest.raises(LocalProtocolError):
        reception.report_block(0.0)


# -- against the reference ----------------------------------------------------------


def check(packets) -> None:
    reception, oracle = Reception(), reference.Reception()
    for sequence, timestamp, now, report in packets:
        arrival = reception.update(sequence, timestamp, now)
        expected = oracle.update(sequence, timestamp, now)
        assert (arrival.verdict.name, *arrival[1:]) == expected
        assert reception.received == oracle.received
        assert reception.duplicates == oracle.duplicates
        assert reception.reordered == oracle.reordered
        assert reception.restarts == oracle.restarts
        assert reception.expected == oracle.expected
        assert reception.lost == oracle.expected - oracle.received >= 0
        assert reception.jitter == pytest.approx(oracle.jitter, abs=1e-9)
        if report:
            block = reception.report_block(now)
            assert (block.fraction_lost, block.lost) == oracle.report()


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.integers(0, 2**16 - 1),
                st.integers(0, 20),
                st.integers(65520, 65535),
                st.sampled_from([2999, 3000, 3001, 32767, 32768, 32769, 62536, 65436, 65437]),
            ),
            st.integers(0, 2**32 - 1),
            st.floats(0, 1e6),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_any_packets_count_as_the_reference_counts_them(packets):
    check(packets)


@given(
    st.sampled_from([0, 65530, 2**32 // 960 - 1]),
    st.lists(
        st.tuples(st.integers(-130, 130), st.floats(0, 0.2), st.booleans()),
        min_size=20,
        max_size=150,
    ),
)
@settings(max_examples=50)
def test_a_stream_on_a_bad_network_counts_as_the_reference_counts_it(start, steps):
    sent = [max(0, start + n + shift) for n, (shift, _, _) in enumerate(steps)]
    check(
        (n % 2**16, n * FRAME % 2**32, max(0.0, n * 0.02) + delay, report)
        for n, (_, delay, report) in zip(sent, steps, strict=True)
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_long_stream_with_five_percent_loss_reports_exactly_what_was_dropped(seed):
    rng = random.Random(seed)
    reception = Reception()
    survivors = [n for n in range(65_000, 85_000) if rng.random() >= 0.05]
    order = sorted(survivors, key=lambda n: n + rng.uniform(0, 4))
    feed(reception, order)
    assert reception.received == len(survivors)
    assert reception.lost == max(survivors) - min(survivors) + 1 - len(survivors)
    assert reception.duplicates == 0
