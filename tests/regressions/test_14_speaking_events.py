"""Speaking events that come once, never, or without a user.

discord.js#4364 (5 to 10 % of them are missing), #3524; DSharpPlus#951; Discord.Net PR#3204
("only sends a user's status when they send the first packet"); nextcord PR#1275; disco
PR#57. Item 14 of the list of what users suffer from.
"""

from tests.session.peers import ALICE, ALICES, Server, drain, frames, ready_session
from voicekit.events import SpeakingStarted, SpeakingStopped

STARTED, STOPPED = SpeakingStarted(ALICE, ALICES), SpeakingStopped(ALICE, ALICES)
NEW_SSRC = 0xA12CE


def test_discord_net_3204_every_talk_spurt_is_told_although_op_5_comes_once():
    server, session = Server(), ready_session()
    session.speaking(ALICES, ALICE, 1, 0.0)
    events, sequence = [], 0
    for spurt in range(20):
        start = spurt * 5.0
        for index in range(50):
            now = start + index * 0.02
            assert session.receive(server.packet(ALICES, sequence), now)
            session.handle_timeout(now)
            sequence += 1
        for _ in range(5):
            now += 0.02
            assert session.receive(server.silence(ALICES, sequence), now)
            session.handle_timeout(now)
            sequence += 1
        session.handle_timeout(start + 2.0)
        events += drain(session)
    assert events == [STARTED, STOPPED] * 20


def test_discord_js_4364_op_5_that_is_lost_costs_no_event():
    server, session = Server(), ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)  # known from op 12, or from an earlier op 5
    session.receive(server.packet(ALICES, 1), 0.0)
    assert drain(session) == [STARTED]


def test_nextcord_1275_an_event_always_has_its_user():
    server, session = Server(), ready_session()
    session.receive(server.packet(ALICES, 1), 0.0)
    assert drain(session) == []
    session.map_ssrc(ALICES, ALICE, 0.1)
    assert drain(session)[0] == STARTED


def test_disco_57_a_rejoin_while_old_packets_are_still_on_their_way():
    server, session = Server(), ready_session()
    session.speaking(ALICES, ALICE, 1, 0.0)
    session.receive(server.packet(ALICES, 1), 0.0)
    # The packets of the new call overtake both messages, an old one comes after them.
    session.receive(server.packet(NEW_SSRC, 1), 1.00)
    session.remove_user(ALICE, 1.01)
    session.receive(server.packet(ALICES, 2), 1.02)
    session.speaking(NEW_SSRC, ALICE, 1, 1.03)
    events = drain(session)
    assert [event for event in events if event not in frames(events)] == [
        STARTED,
        STOPPED,
        SpeakingStarted(ALICE, NEW_SSRC),
    ]
    assert [frame.ssrc for frame in frames(events)] == [NEW_SSRC]
    assert session.ssrcs_of(ALICE) == (NEW_SSRC,)
    assert session.drops == {"user_left": 1}
