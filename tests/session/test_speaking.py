"""Who speaks: derived from packets, from op 5, and from silence."""

import pytest

from voicekit.codes import SILENCE_FRAME
from voicekit.events import SpeakingStarted, SpeakingStopped

from .peers import ALICE, ALICES, BOB, BOBS, Server, drain, ready_session

STARTED, STOPPED = SpeakingStarted(ALICE, ALICES), SpeakingStopped(ALICE, ALICES)


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def session():
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    return session


def test_the_first_packet_starts_and_quiet_stops(server, session):
    for number in range(50):
        session.receive(server.packet(ALICES, number), number * 0.02)
    assert drain(session) == [STARTED]
    session.handle_timeout(1.17)
    assert drain(session) == []
    assert session.next_timeout() == pytest.approx(0.98 + 0.2)
    session.handle_timeout(session.next_timeout())
    assert drain(session) == [STOPPED]
    assert session.next_timeout() is None


def test_every_talk_spurt_is_told(server, session):
    for spurt in range(5):
        now = spurt * 10.0
        session.receive(server.packet(ALICES, spurt), now)
        session.handle_timeout(now + 1.0)
        assert drain(session) == [STARTED, STOPPED]


def test_silence_starts_nothing(server, session):
    frame = session.receive(server.silence(ALICES, 1), 0.0)
    assert frame.opus == SILENCE_FRAME
    assert drain(session) == []
    assert session.next_timeout() is None


def test_silence_does_not_keep_a_spurt_alive(server, session):
    session.receive(server.packet(ALICES, 0), 0.0)
    for number in range(1, 20):
        session.receive(server.silence(ALICES, number), number * 0.02)
        session.handle_timeout(number * 0.02)
    assert drain(session) == [STARTED, STOPPED]


def test_op_5_comes_first_and_the_packets_add_nothing(server, session):
    session.speaking(ALICES, ALICE, 1, 0.0)
    assert drain(session) == [STARTED]
    session.receive(server.packet(ALICES, 1), 0.01)
    assert drain(session) == []


def test_op_5_without_any_packet_stops_by_itself(session):
    session.speaking(ALICES, ALICE, 1, 5.0)
    session.handle_timeout(session.next_timeout())
    assert drain(session) == [STARTED, STOPPED]


def test_op_5_with_zero_stops_at_once(server, session):
    session.receive(server.packet(ALICES, 1), 0.0)
    session.speaking(ALICES, ALICE, 0, 0.05)
    assert drain(session) == [STARTED, STOPPED]
    session.handle_timeout(10.0)
    assert drain(session) == []


def test_op_5_with_zero_for_somebody_quiet_says_nothing(session):
    session.speaking(ALICES, ALICE, 0, 0.0)
    session.speaking(BOBS, BOB, 0, 0.0)
    assert drain(session) == []
    assert session.user_of(BOBS) == BOB


@pytest.mark.parametrize("flags", [1, 2, 4, 5, 255])
def test_any_flag_is_speaking(session, flags):
    session.speaking(ALICES, ALICE, flags, 0.0)
    assert drain(session) == [STARTED]


def test_two_people_are_told_apart(server, session):
    session.map_ssrc(BOBS, BOB, 0.0)
    session.receive(server.packet(ALICES, 1), 0.0)
    session.receive(server.packet(BOBS, 1), 0.1)
    assert session.next_timeout() == pytest.approx(0.2)
    session.handle_timeout(0.2)
    assert session.next_timeout() == pytest.approx(0.3)
    session.handle_timeout(session.next_timeout())
    assert drain(session) == [
        STARTED,
        SpeakingStarted(BOB, BOBS),
        STOPPED,
        SpeakingStopped(BOB, BOBS),
    ]


def test_an_early_timeout_does_nothing(server, session):
    session.receive(server.packet(ALICES, 1), 0.0)
    for now in (0.0, 0.1, 0.199):
        session.handle_timeout(now)
    assert drain(session) == [STARTED]


def test_the_timeout_is_configured(server):
    session = ready_session(speaking_timeout=2.0)
    session.speaking(ALICES, ALICE, 1, 1.0)
    assert session.next_timeout() == pytest.approx(3.0)
