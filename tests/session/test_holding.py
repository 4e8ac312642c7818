"""Packets whose user is not known yet wait, for a while, in bounded memory."""

import tracemalloc

import pytest

from voicekit.events import SpeakingStarted, SpeakingStopped

from .peers import ALICE, ALICES, BOB, Server, drain, frames, ready_session, voice


@pytest.fixture
def server():
    return Server()


def test_they_are_released_in_order_once_the_user_is_known(server):
    session = ready_session()
    for number in range(5):
        now = number * 0.02
        assert session.receive(server.packet(ALICES, number, voice(number)), now) is None
    session.speaking(ALICES, ALICE, 1, 0.1)
    first, *released = drain(session)
    assert first == SpeakingStarted(ALICE, ALICES)
    assert [frame.opus for frame in released] == [voice(number) for number in range(5)]
    assert [frame.arrived for frame in released] == [0.0, 0.02, 0.04, 0.06, 0.08]
    assert {frame.user_id for frame in released} == {ALICE}
    assert session.receive(server.packet(ALICES, 5), 0.12).sequence == 5
    assert session.stream_stats()[ALICES].held == 5
    assert session.packets_received == 6
    assert session.drops == {}


def test_they_are_counted_only_when_they_become_frames(server):
    session = ready_session()
    data = server.packet(ALICES, 1)
    session.receive(data, 0.0)
    assert session.packets_received == session.bytes_received == 0
    session.map_ssrc(ALICES, ALICE, 0.0)
    assert (session.packets_received, session.bytes_received) == (1, len(data))


def test_they_expire_by_the_timer(server):
    session = ready_session(report_drops=True)
    session.receive(server.packet(ALICES, 1), 10.0)
    session.receive(server.packet(ALICES, 2), 10.05)
    assert session.next_timeout() == pytest.approx(10.2)
    session.handle_timeout(10.1)
    assert session.drops == {}
    session.handle_timeout(session.next_timeout())
    assert session.drops == {"unknown_ssrc": 1}
    assert session.next_timeout() == pytest.approx(10.25)
    session.handle_timeout(session.next_timeout())
    assert session.drops == {"unknown_ssrc": 2}
    assert session.next_timeout() is None
    assert [event.ssrc for event in drain(session)] == [ALICES, ALICES]


def test_a_mapping_after_a_late_timer_releases_only_what_is_fresh(server):
    session = ready_session()
    session.receive(server.packet(ALICES, 1, voice(1)), 0.0)
    session.receive(server.packet(ALICES, 2, voice(2)), 0.15)
    session.map_ssrc(ALICES, ALICE, 0.3)
    assert [frame.opus for frame in frames(drain(session))] == [voice(2)]
    assert session.drops == {"unknown_ssrc": 1}


def test_a_mapping_after_everything_expired_lets_the_rest_through(server):
    session = ready_session()
    session.receive(server.packet(ALICES, 1), 0.0)
    session.handle_timeout(1.0)
    session.map_ssrc(ALICES, ALICE, 2.0)
    assert frames(drain(session)) == []
    assert session.receive(server.packet(ALICES, 2), 2.1).user_id == ALICE


def test_the_oldest_give_way(server):
    session = ready_session(hold_packets=3)
    for number in range(5):
        session.receive(server.packet(ALICES, number, voice(number)), 0.0)
    assert session.drops == {"hold_overflow": 2}
    session.map_ssrc(ALICES, ALICE, 0.1)
    assert [frame.opus for frame in frames(drain(session))] == [voice(2), voice(3), voice(4)]


def test_holding_can_be_switched_off(server):
    session = ready_session(hold_packets=0)
    assert session.receive(server.packet(ALICES, 1), 0.0) is None
    assert session.drops == {"unknown_ssrc": 1}
    session.map_ssrc(ALICES, ALICE, 0.0)
    assert drain(session) == []


def test_duplicates_are_not_held_twice(server):
    session = ready_session()
    packet = server.packet(ALICES, 1)
    session.receive(packet, 0.0)
    session.receive(packet, 0.0)
    session.map_ssrc(ALICES, ALICE, 0.0)
    assert len(frames(drain(session))) == 1
    assert session.receive(packet, 0.0) is None
    assert session.drops == {"duplicate": 2}


def test_all_rings_together_are_bounded(server):
    session = ready_session(hold_bytes=10_000)
    for ssrc in range(1, 11):
        session.receive(server.packet(ssrc, 1, b"\xfc" + bytes(1999)), 0.0)
    assert session.drops == {"hold_overflow": 6}
    session.handle_timeout(1.0)
    session.receive(server.packet(99, 1, b"\xfc" + bytes(1999)), 2.0)
    assert session.drops == {"hold_overflow": 6, "unknown_ssrc": 4}


def test_five_thousand_ssrcs_fill_no_table(server):
    session = ready_session()
    for ssrc in range(1, 5001):
        session.receive(server.packet(ssrc, 1), 0.0)
    assert len(session.stream_stats()) == 1024
    assert session.drops == {"too_many_ssrcs": 5000 - 1024}
    # Known and unknown alike: those who came first are still served.
    session.map_ssrc(1, ALICE, 0.1)
    assert len(frames(drain(session))) == 1
    session.handle_timeout(0.2)
    assert session.next_timeout() is not None  # Alice speaks
    assert set(session.stream_stats()) == {1}
    assert session.receive(server.packet(4999, 2), 0.3) is None
    session.map_ssrc(4999, BOB, 0.3)
    assert len(frames(drain(session))) == 1


def test_five_thousand_mappings_fill_no_table(server):
    session = ready_session(max_ssrcs=100)
    session.map_ssrc(1, ALICE, 0.0)
    for ssrc in range(2, 5001):
        session.speaking(ssrc, ssrc, 1, ssrc * 0.001)
    assert session.user_of(1) is None  # the quietest gave way
    assert session.user_of(4900) is None
    assert [session.user_of(ssrc) for ssrc in range(4901, 5001)] == list(range(4901, 5001))
    events = drain(session)
    assert events.count(SpeakingStopped(4900, 4900)) == 1
    assert session.receive(server.packet(5000, 1), 5.0).user_id == 5000


def test_a_flood_of_ssrcs_leaves_no_memory_behind(server):
    def flood(start):
        for ssrc in range(start, start + 2000):
            session.receive(server.packet(ssrc, 1), float(start))
        session.handle_timeout(start + 1.0)
        drain(session)

    session = ready_session()
    flood(1)
    tracemalloc.start()
    try:
        flood(10_000)
        before = tracemalloc.get_traced_memory()[0]
        for start in range(20_000, 50_000, 10_000):
            flood(start)
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()
    assert session.stream_stats() == {}
    assert session.next_timeout() is None
