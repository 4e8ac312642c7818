"""Drift: a timer that is set anew from the actual time adds up every delay.

discordrb PR#457 and discordjs/voice#53. Here the schedule is absolute: a frame that is late
moves neither the next one nor the RTP clock.

Item 27 of the list of what users suffer from.
"""

import random

import pytest

from voicekit._crypto import TransportCipher
from voicekit._rtcp import open_rtcp, parse_compound
from voicekit.rtcp import SenderReport
from voicekit.testing import Pair

from ..session.peers import KEY, MODE, VOICE, ready_session

HOUR = 180_000  # frames
FRAME = 0.02


def lateness() -> list[float]:
    """How late each frame of an hour is: never early, at most 15 ms."""
    chance = random.Random(27)
    return [chance.uniform(0.0, 0.015) for _ in range(HOUR)]


def test_an_hour_of_small_delays_moves_the_rtp_clock_by_nothing() -> None:
    session = ready_session(timestamp=0)
    session.set_wall_clock(0.0, 1_000_000.0)
    cipher = TransportCipher(MODE, KEY)
    delays = lateness()
    for number, late in enumerate(delays):
        now = number * FRAME + late
        session.seal_audio(VOICE, now)
        if number % 20_000 == 0:
            report = parse_compound(open_rtcp(cipher, session.sender_report(now)))[0]
            assert isinstance(report, SenderReport)
            assert report.rtp_time == pytest.approx((now - delays[0]) * 48_000, abs=2)
    assert session.last_timestamp == (HOUR - 1) * 960


def test_silence_keeps_the_rhythm_of_the_audio_however_late_its_timers_are() -> None:
    pair = Pair(clients=1)
    pair.connect()
    (client,) = pair.clients
    connection, begin = client.connection, pair.now
    assert connection.seal_audio(VOICE, begin) is not None
    connection.stop_audio(begin + 0.001)
    dues = []
    for number in range(1, 6):
        while (connection.poll()) is not None:
            pass
        due = begin + number * FRAME
        assert connection.next_timeout() == pytest.approx(due)
        dues.append(due)
        connection.handle_timeout(due + 0.008)
    assert connection.stats().packets_sent == 6
