"""Sequence numbers wrap after 22 minutes, timestamps after 25 hours.

discord.py PR#9288 ("rolls over at 65535"), home-assistant#175718 (uint16 overflow); several
libraries set the timestamp to 0 instead of wrapping it: 960 does not divide 2**32.
Item 28 of the list of what users suffer from.
"""

from hypothesis import given
from hypothesis import strategies as st

from voicekit._reception import Reception, Verdict
from voicekit._rtp import build_packet, parse_packet

FRAME = 960
#: A few frames before either counter wraps, and both at once.
STARTS = [(65530, 0), (0, 2**32 - FRAME), (65530, 2**32 - FRAME), (65530, 2**32 - FRAME - 1)]

starts = st.tuples(st.integers(65500, 65535), st.integers(2**32 - 30 * FRAME, 2**32 - 1))


@given(st.one_of(st.sampled_from(STARTS), starts), st.data())
def test_a_stream_over_the_wraps_is_one_stream(start, data):
    sequence, timestamp = start
    reception = Reception()
    lost = data.draw(st.sets(st.integers(1, 58), max_size=10))
    missing = 0
    for n in range(60):
        if n in lost:
            missing += 1
            continue
        packet = parse_packet(
            build_packet(
                sequence=(sequence + n) % 2**16,
                timestamp=(timestamp + n * FRAME) % 2**32,
                ssrc=1,
                payload=b"opus",
            )
        )
        arrival = reception.update(packet.sequence, packet.timestamp, n * 0.02)
        assert arrival == (Verdict.NEXT, sequence + n, timestamp + n * FRAME, missing)
        missing = 0
    assert (reception.expected, reception.lost) == (60, len(lost))
    assert reception.report_block(2.0).highest_sequence == sequence + 59


@given(st.one_of(st.sampled_from(STARTS), starts), st.permutations(range(40)))
def test_order_does_not_matter_over_the_wraps(start, order):
    sequence, timestamp = start
    reception = Reception()
    reception.update(sequence, timestamp, 1.0)
    found = []
    for n in [*(n + 1 for n in order), 41]:
        arrival = reception.update((sequence + n) % 2**16, (timestamp + n * FRAME) % 2**32, 1.0)
        found.append((arrival.sequence, arrival.timestamp))
    assert sorted(found) == [(sequence + n, timestamp + n * FRAME) for n in range(1, 42)]
    assert (reception.received, reception.lost, reception.duplicates) == (42, 0, 0)


def test_six_days_of_audio():
    # The sequence number wraps 396 times, the timestamp almost six times.
    reception = Reception()
    for n in range(65530, 65530 + 26_000_000, 2000):  # the rest is lost
        arrival = reception.update(n % 2**16, n * FRAME % 2**32, n * 0.02)
        assert (arrival.sequence, arrival.timestamp) == (n, n * FRAME)
    assert reception.restarts == 0
