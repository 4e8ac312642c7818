"""The counters of a whole session wrap: ours, everybody else's, and never the nonce.

discord.py PR#9288 ("rolls over at 65535"), home-assistant#175718 (uint16 overflow). Item 28
of the list of what users suffer from.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.session.peers import ALICE, ALICES, KEY, MODE, OURS, VOICE, Server, ready_session
from voicekit._session import RtpSession

FRAME = 960


@pytest.mark.parametrize("sequence", [0, 65530, 65535])
@pytest.mark.parametrize("timestamp", [0, 2**32 - FRAME, 2**32 - FRAME - 1, 2**32 - 1])
def test_what_is_sent_wraps_and_what_is_received_goes_on(sequence, timestamp):
    one = ready_session(sequence=sequence, timestamp=timestamp)
    other = RtpSession(ALICES)
    other.set_key(MODE, KEY)
    other.map_ssrc(OURS, ALICE, 0.0)
    for index in range(20):
        now = index * 0.02
        frame = other.receive(one.seal_audio(VOICE, now), now)
        assert one.last_sequence == (sequence + index) % 2**16
        assert one.last_timestamp == (timestamp + index * FRAME) % 2**32
        assert frame.sequence == sequence + index
        assert frame.rtp_time == timestamp + index * FRAME
    assert other.stream_stats()[OURS].lost == 0


@given(st.lists(st.integers(1, 60), min_size=1, max_size=60), st.integers(65_500, 65_535))
def test_losses_across_the_wrap_are_counted_exactly(steps, start):
    server, session = Server(), ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    number = start
    session.receive(server.packet(ALICES, number), 0.0)
    for step in steps:
        number += step
        frame = session.receive(server.packet(ALICES, number), 0.0)
        assert (frame.sequence, frame.lost_before) == (number, step - 1)
    assert session.stream_stats()[ALICES].lost == sum(steps) - len(steps)


def test_the_nonce_never_wraps():
    session = RtpSession(OURS)
    session.set_key(MODE, KEY, nonce_start=2**32 - 2)
    sealed = [session.seal_audio(VOICE, index * 0.02) for index in range(4)]
    assert [data and data[-4:].hex() for data in sealed] == ["fffffffe", "ffffffff", None, None]
    assert session.is_exhausted
