"""What waits to be polled is bounded; a host that never polls loses audio first."""

from voicekit.events import PacketDropped, RtcpReceived, SpeakingStarted, SpeakingStopped
from voicekit.rtcp import Goodbye

from .peers import ALICE, ALICES, Server, drain, frames, ready_session, voice


def test_frames_give_way_oldest_first():
    server, session = Server(), ready_session(max_pending=4, hold_packets=10)
    for number in range(10):
        session.receive(server.packet(ALICES, number, voice(number)), 0.0)
    session.map_ssrc(ALICES, ALICE, 0.0)
    items = drain(session)
    assert items[0] == SpeakingStarted(ALICE, ALICES)
    assert [frame.opus for frame in frames(items)] == [voice(7), voice(8), voice(9)]
    assert session.drops == {"queue_overflow": 7}


def test_reports_of_drops_give_way_too():
    session = ready_session(max_pending=3, report_drops=True)
    session.speaking(ALICES, ALICE, 1, 0.0)
    for _ in range(5):
        session.receive(b"", 0.0)
    first, *rest = drain(session)
    assert first == SpeakingStarted(ALICE, ALICES)
    assert [type(item) for item in rest] == [PacketDropped, PacketDropped]
    assert session.drops == {"too_short": 5, "queue_overflow": 3}


def test_memory_is_bounded_whatever_happens():
    session = ready_session(max_pending=5)
    for turn in range(100):
        session.speaking(ALICES, ALICE, turn % 2 == 0, 0.0)
    items = drain(session)
    assert len(items) == 5
    assert items[-1] == SpeakingStopped(ALICE, ALICES)


def test_everything_comes_in_the_order_in_which_it_happened():
    server, session = Server(), ready_session(report_drops=True)
    session.receive(b"", 0.0)
    session.speaking(ALICES, ALICE, 1, 0.0)
    session.receive(b"", 0.0)
    session.receive(server.rtcp(Goodbye((ALICES,))), 0.0)
    session.speaking(ALICES, ALICE, 0, 0.0)
    assert [type(item) for item in drain(session)] == [
        PacketDropped,
        SpeakingStarted,
        PacketDropped,
        RtcpReceived,
        SpeakingStopped,
    ]


def test_has_pending_tells_whether_poll_has_something():
    session = ready_session()
    assert not session.has_pending
    session.speaking(ALICES, ALICE, 1, 0.0)
    assert session.has_pending
    drain(session)
    assert not session.has_pending
