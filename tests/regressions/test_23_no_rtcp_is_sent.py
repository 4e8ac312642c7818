"""Item 23, geeksville/ripcord-community-fix#34 and Discord-video-stream#50, PR#55.

Listeners hear a second late because the sender sends no RTCP: nothing tells them how its
timestamps relate to time. Sender reports do, and are off until it is known to be welcome.
"""

from voicekit.config import Config
from voicekit.events import RtcpReceived
from voicekit.rtcp import ReceiverReport, SenderReport
from voicekit.server import ServerConfig
from voicekit.testing import Pair
from voicekit.testing.pair import WALL

NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970 (RFC 868)


def reports_of(pair: Pair, kind: type) -> list[SenderReport | ReceiverReport]:
    """The reports of the second client, which the server passes on to the first."""
    listener, speaker = pair.clients[:2]
    found = [p for event in listener.events_of(RtcpReceived) for p in event.packets]
    return [p for p in found if isinstance(p, kind) and p.ssrc == speaker.connection.ssrc]


def off(timestamp: int, expected: int) -> int:
    """How far a 32-bit timestamp is from an extended one, around the wrap too."""
    return min((timestamp - expected) % 2**32, (expected - timestamp) % 2**32)


def call(*, rtcp: bool) -> Pair:
    pair = Pair(
        clients=2,
        config=[Config(), Config(rtcp=rtcp)],
        server_config=ServerConfig(forward_rtcp=True),
    )
    pair.connect()
    pair.play(pair.clients[1], 1500)
    pair.drive(30.0)
    return pair


def test_sender_reports_tell_when_each_timestamp_was() -> None:
    pair = call(rtcp=True)
    listener = pair.clients[0]
    reports = reports_of(pair, SenderReport)
    assert len(reports) >= 5
    first = listener.frames[0]
    for report in reports:
        assert isinstance(report, SenderReport)
        wall = report.ntp / 2**32 - NTP_EPOCH
        # Where the media clock stood at that moment, by the frames that arrived.
        elapsed = wall - (WALL + first.arrived)
        expected = first.rtp_time + elapsed * 48000
        assert off(report.rtp_time, round(expected)) <= 960
        assert 0 < report.packets <= 1500
        assert report.octets == report.packets * len(first.opus)


def test_none_are_sent_unless_asked_for() -> None:
    pair = call(rtcp=False)
    assert reports_of(pair, SenderReport) == []
    assert pair.clients[1].connection.stats().rtcp_sent == 0


def test_a_listener_reports_what_it_has_received() -> None:
    pair = Pair(
        clients=3,
        config=[Config(), Config(rtcp=True), Config()],
        server_config=ServerConfig(forward_rtcp=True),
    )
    pair.connect()
    watcher, listener, speaker = pair.clients
    pair.play(watcher, 1)  # servers tell newcomers' ears nothing before
    pair.play(speaker, 500)
    pair.drive(12.0)
    assert len(listener.frames) == 501
    blocks = [
        block
        for report in reports_of(pair, ReceiverReport)
        for block in report.reports
        if block.ssrc == speaker.connection.ssrc
    ]
    assert blocks
    assert all(block.lost == 0 and block.fraction_lost == 0 for block in blocks)
