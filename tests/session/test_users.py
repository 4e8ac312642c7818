"""SSRCs belong to users: as they are named, as they leave, as they come back."""

import pytest

from voicekit.events import SpeakingStarted, SpeakingStopped, SsrcChanged

from .peers import (
    ALICE,
    ALICES,
    BOB,
    BOBS,
    KEY,
    MODE,
    Server,
    drain,
    frames,
    ready_session,
    run_timers,
)


@pytest.fixture
def server():
    return Server()


def test_lookups_answer_both_ways():
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    session.map_ssrc(BOBS, BOB, 0.0)
    session.map_ssrc(7, ALICE, 0.0)
    assert session.user_of(ALICES) == ALICE
    assert session.user_of(8) is None
    assert session.ssrcs_of(ALICE) == (ALICES, 7)
    assert session.ssrcs_of(BOB) == (BOBS,)
    assert session.ssrcs_of(3) == ()


def test_an_ssrc_whose_packets_are_held_has_no_user(server):
    session = ready_session()
    session.receive(server.packet(ALICES, 1), 0.0)
    assert session.user_of(ALICES) is None
    assert session.ssrcs_of(0) == ()
    assert session.stream_stats()[ALICES].user_id is None


@pytest.mark.parametrize("user_id", [0, 1, 2**63, 2**64 - 1])
def test_any_snowflake_is_taken(server, user_id):
    session = ready_session()
    session.map_ssrc(0xFFFF_FFFF, user_id, 0.0)
    assert session.receive(server.packet(0xFFFF_FFFF, 1), 0.0).user_id == user_id


def test_late_packets_of_somebody_who_left_are_dropped(server):
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    session.receive(server.packet(ALICES, 1), 0.0)
    session.remove_user(ALICE, 0.1)
    assert session.receive(server.packet(ALICES, 2), 0.15) is None
    assert session.drops == {"user_left": 1}
    assert session.user_of(ALICES) is None
    assert session.ssrcs_of(ALICE) == ()
    assert drain(session) == [SpeakingStarted(ALICE, ALICES), SpeakingStopped(ALICE, ALICES)]
    assert run_timers(session) == pytest.approx(0.3)
    assert session.stream_stats() == {}
    assert session.next_timeout() is None


def test_a_duplicate_that_comes_after_they_left_is_not_delivered_either(server):
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    packet = server.packet(ALICES, 1)
    session.receive(packet, 0.0)
    session.remove_user(ALICE, 0.01)
    session.map_ssrc(ALICES, ALICE, 0.02)  # a server that gives the same SSRC again
    assert session.receive(packet, 0.03) is None
    assert session.drops == {"duplicate": 1}


def test_removing_a_user_leaves_others_alone(server):
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    session.map_ssrc(BOBS, BOB, 0.0)
    session.remove_user(ALICE, 0.0)
    session.remove_user(12345, 0.0)
    assert session.receive(server.packet(BOBS, 1), 0.0).user_id == BOB


def test_somebody_who_rejoins_has_a_new_ssrc(server):
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    session.receive(server.packet(ALICES, 1), 0.0)
    session.remove_user(ALICE, 1.0)
    assert session.receive(server.packet(77, 9), 1.01) is None  # before its Speaking
    session.speaking(77, ALICE, 1, 1.02)
    assert [frame.ssrc for frame in frames(drain(session))] == [77]
    assert session.ssrcs_of(ALICE) == (77,)


def test_an_ssrc_that_changes_hands(server):
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    session.receive(server.packet(ALICES, 1), 0.0)
    session.map_ssrc(ALICES, BOB, 0.1)
    assert session.receive(server.packet(ALICES, 2), 0.1).user_id == BOB
    assert drain(session) == [
        SpeakingStarted(ALICE, ALICES),
        SpeakingStopped(ALICE, ALICES),
        SpeakingStarted(BOB, ALICES),
    ]


@pytest.mark.parametrize("end", ["close", "reset"])
def test_the_end_of_a_session_forgets_everybody(server, end):
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    session.receive(server.packet(ALICES, 1), 0.0)
    session.receive(server.packet(5, 1), 0.0)
    if end == "close":
        session.close()
    else:
        session.reset(99)
        assert session.ssrc == 99
    assert drain(session) == [SpeakingStarted(ALICE, ALICES), SpeakingStopped(ALICE, ALICES)]
    assert session.drops == {"unknown_ssrc": 1}
    assert session.user_of(ALICES) is None
    assert session.stream_stats() == {}
    assert session.next_timeout() is None
    assert session.mode is None
    assert session.packets_received == 1
    session.set_key(MODE, KEY)
    session.map_ssrc(ALICES, ALICE, 1.0)
    assert session.receive(server.packet(ALICES, 1), 1.0).user_id == ALICE


def test_a_user_s_other_ssrc_is_reported_and_the_way_back_too():
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    session.map_ssrc(BOBS, BOB, 0.0)
    session.map_ssrc(ALICES, ALICE, 0.1)
    assert drain(session) == []
    session.map_ssrc(7, ALICE, 1.0)
    session.map_ssrc(7, ALICE, 1.1)
    assert drain(session) == [SsrcChanged(ALICE, 7, ALICES)]
    session.map_ssrc(ALICES, ALICE, 2.0)
    assert drain(session) == [SsrcChanged(ALICE, ALICES, 7)]


def test_the_change_is_told_before_what_was_held_of_the_new_stream(server):
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    session.receive(server.packet(7, 1), 0.1)
    session.speaking(7, ALICE, 1, 0.15)
    changed, *rest = drain(session)
    assert changed == SsrcChanged(ALICE, 7, ALICES)
    assert [frame.ssrc for frame in frames(rest)] == [7]


def test_who_left_or_lost_the_ssrc_to_somebody_has_none_that_changes():
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    session.remove_user(ALICE, 0.1)
    session.map_ssrc(7, ALICE, 0.2)  # came again
    session.map_ssrc(7, BOB, 0.3)  # and the server gave it away
    session.map_ssrc(8, ALICE, 0.4)
    assert drain(session) == []
    session.map_ssrc(9, BOB, 0.5)
    assert drain(session) == [SsrcChanged(BOB, 9, 7)]


def test_in_a_new_session_nobody_has_changed(server):
    session = ready_session(max_ssrcs=1)
    session.map_ssrc(ALICES, ALICE, 0.0)
    session.reset(0x0102_0305)
    session.set_key(MODE, KEY, nonce_start=0)
    session.map_ssrc(7, ALICE, 1.0)
    session.map_ssrc(8, BOB, 1.1)  # no room: hers is forgotten
    session.map_ssrc(9, ALICE, 1.2)
    assert drain(session) == []
