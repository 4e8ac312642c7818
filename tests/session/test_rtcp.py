import pytest

from voicekit._rtcp import build_compound, open_rtcp, parse_compound
from voicekit._session import RtpSession
from voicekit.errors import LocalProtocolError
from voicekit.events import RtcpReceived
from voicekit.rtcp import Goodbye, ReceiverReport, SenderReport, SourceDescription

from .peers import ALICE, ALICES, KEY, MODE, OURS, VOICE, Server, drain, ready_session


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def session():
    session = ready_session(timestamp=0)
    session.map_ssrc(ALICES, ALICE, 0.0)
    return session


def read(server, datagram):
    return parse_compound(open_rtcp(server.cipher, datagram))


def sender_report(**values):
    return SenderReport(
        **{"ssrc": ALICES, "ntp": 0, "rtp_time": 0, "packets": 0, "octets": 0, **values}
    )


def test_a_received_compound_is_an_event(server, session):
    packets = (sender_report(packets=5), Goodbye((ALICES,), b"bye"))
    assert session.receive(server.rtcp(*packets), 3.0) is None
    assert drain(session) == [RtcpReceived(packets, 3.0)]
    assert session.rtcp_received == 1
    assert session.packets_received == 0


def test_a_receiver_report_tells_how_a_stream_is_received(server, session):
    for number in (10, 11, 13, 14):
        session.receive(server.packet(ALICES, number), number * 0.02)
    session.receive(server.rtcp(sender_report(ntp=0x1122_3344_5566_7788)), 1.0)
    report, description = read(server, session.receiver_report(1.5))
    assert isinstance(report, ReceiverReport)
    assert report.ssrc == OURS
    (block,) = report.reports
    assert (block.ssrc, block.lost, block.fraction_lost) == (ALICES, 1, 256 // 5)
    assert block.highest_sequence == 14
    assert block.last_sr == 0x3344_5566
    assert block.delay == 65536 // 2
    assert isinstance(description, SourceDescription)
    assert description.chunks[0].ssrc == OURS


def test_a_stream_is_reported_once_per_activity(server, session):
    session.receive(server.packet(ALICES, 1), 0.0)
    assert len(read(server, session.receiver_report(1.0))[0].reports) == 1
    assert read(server, session.receiver_report(2.0))[0].reports == ()
    session.receive(server.packet(ALICES, 2), 2.5)
    assert len(read(server, session.receiver_report(3.0))[0].reports) == 1


def test_more_streams_than_fit_take_turns(server, session):
    for ssrc in range(1, 71):
        session.map_ssrc(ssrc, ssrc, 0.0)
    reported = []
    for turn in range(3):
        now = float(turn)
        for ssrc in range(1, 71):
            session.receive(server.packet(ssrc, turn), now + 0.5)
        blocks = read(server, session.receiver_report(now + 0.9))[0].reports
        assert len(blocks) == 31
        reported += [block.ssrc for block in blocks]
    assert set(reported) == set(range(1, 71))


def test_a_sender_report_tells_both_clocks_and_the_counts(server, session):
    session.set_wall_clock(100.0, 1_700_000_000.25)
    for index in range(3):
        session.seal_audio(VOICE, 100.0 + index * 0.02)
    report = read(server, session.sender_report(100.54))[0]
    assert isinstance(report, SenderReport)
    assert report.ntp >> 32 == 1_700_000_000 + 2_208_988_800
    assert (report.ntp & 0xFFFF_FFFF) / 2**32 == pytest.approx(0.79)
    # 60 ms were sent, of which the last ended at 100.06; 480 ms went by since.
    assert report.rtp_time == pytest.approx(0.54 * 48_000, abs=2)
    assert (report.packets, report.octets) == (3, 3 * len(VOICE))


def test_a_sender_report_wants_the_wall_clock(session):
    with pytest.raises(LocalProtocolError, match="set_wall_clock"):
        session.sender_report(0.0)
    assert session.sender_report(0.0, 1e9)


def test_the_report_of_the_moment(server, session):
    assert session.build_report(0.0) is None  # nothing happened
    session.receive(server.packet(ALICES, 1), 0.0)
    assert isinstance(read(server, session.build_report(1.0))[0], ReceiverReport)
    session.seal_audio(VOICE, 1.0)
    assert isinstance(read(server, session.build_report(2.0))[0], ReceiverReport)  # no wall clock
    session.set_wall_clock(2.0, 1e9)
    assert isinstance(read(server, session.build_report(3.0))[0], SenderReport)
    assert session.rtcp_sent == 3
    session.close()
    assert session.build_report(4.0) is None


def test_rtcp_and_audio_share_one_nonce_counter(session):
    sealed = [
        session.seal_audio(VOICE, 0.0),
        session.receiver_report(0.1),
        session.seal(VOICE),
        session.seal_rtcp(build_compound((Goodbye((OURS,)),))),
    ]
    assert [int.from_bytes(datagram[-4:], "big") for datagram in sealed] == [0, 1, 2, 3]


def test_the_first_eight_bytes_of_rtcp_stay_clear(session):
    plain = build_compound((ReceiverReport(OURS),))
    assert session.seal_rtcp(plain)[:8] == plain[:8]


def test_rtcp_of_a_stranger_makes_no_stream(server, session):
    session.receive(server.rtcp(sender_report(ssrc=999)), 0.0)
    assert session.user_of(999) is None
    assert session.stream_stats() == {}


def test_rtcp_before_the_key_is_dropped(server):
    session = RtpSession(OURS)
    session.receive(server.rtcp(Goodbye((1,))), 0.0)
    assert session.drops == {"no_key": 1}
    session.set_key(MODE, KEY)
    session.receive(server.rtcp(Goodbye((1,))), 0.0)
    assert session.rtcp_received == 1
