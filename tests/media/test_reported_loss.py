"""Receiver reports become the loss that the encoder expects: at once up, slowly down."""

import pytest

from voicekit.events import RtcpReceived
from voicekit.media.reported_loss import HALF_LIFE, MOST_REPORTERS, ReportedLoss
from voicekit.rtcp import Goodbye, ReceiverReport, ReportBlock, SenderReport

OURS, THEIRS = 77, 88


def block(fraction: float, ssrc: int = OURS) -> ReportBlock:
    return ReportBlock(ssrc, round(fraction * 256), 0, 0, 0, 0, 0)


def report(fraction: float, at: float, *, reporter: int = 5) -> RtcpReceived:
    return RtcpReceived((ReceiverReport(reporter, (block(fraction),)),), at)


def test_it_rises_at_once() -> None:
    loss = ReportedLoss()
    assert loss.receive(report(0.0, 0), OURS) == 0
    assert loss.receive(report(0.25, 5), OURS) == 0.25
    assert loss.receive(report(0.5, 10), OURS) == 0.5


def test_it_falls_by_half_in_the_half_life() -> None:
    loss = ReportedLoss()
    loss.receive(report(0.5, 0), OURS)
    assert loss.receive(report(0, HALF_LIFE), OURS) == pytest.approx(0.25)
    assert loss.receive(report(0.125, 2 * HALF_LIFE), OURS) == pytest.approx(0.1875)
    for n in range(3, 12):
        last = loss.receive(report(0.125, n * HALF_LIFE), OURS)
    assert last == pytest.approx(0.125, abs=0.001)


def test_how_often_it_is_reported_does_not_matter() -> None:
    often, seldom = ReportedLoss(), ReportedLoss()
    for at in range(31):
        every_second = often.receive(report(0.5 if at == 0 else 0, at), OURS)
    seldom.receive(report(0.5, 0), OURS)
    assert every_second == pytest.approx(seldom.receive(report(0, 30), OURS) or 0)


def test_what_is_about_others_says_nothing() -> None:
    loss = ReportedLoss()
    about_others = ReceiverReport(5, (block(0.5, THEIRS),))
    assert loss.receive(RtcpReceived((about_others, Goodbye((5,))), 0), OURS) is None
    assert loss.receive(RtcpReceived((), 0), OURS) is None
    assert loss.receive(report(0.5, 1), None) is None, "no stream yet"
    assert loss.receive(report(0, 2), OURS) == 0


def test_reports_come_with_sender_reports_too() -> None:
    sender = SenderReport(5, 0, 0, 0, 0, (block(0.9, THEIRS), block(0.25)))
    assert ReportedLoss().receive(RtcpReceived((sender,), 0), OURS) == 0.25


def test_the_worst_of_several_counts_until_it_is_old() -> None:
    loss = ReportedLoss()
    loss.receive(report(0.5, 0, reporter=1), OURS)
    assert loss.receive(report(0.125, 0, reporter=2), OURS) == 0.5
    assert loss.receive(report(0.125, HALF_LIFE, reporter=2), OURS) == pytest.approx(0.25)
    assert loss.receive(report(0.125, 9 * HALF_LIFE, reporter=2), OURS) == pytest.approx(0.125)


def test_a_new_session_begins_anew() -> None:
    loss = ReportedLoss()
    loss.receive(report(0.5, 0), OURS)
    again = RtcpReceived((ReceiverReport(5, (block(0.125, OURS + 1),)),), 1)
    assert loss.receive(again, OURS + 1) == 0.125


def test_invented_reporters_cost_no_memory() -> None:
    loss = ReportedLoss()
    for reporter in range(1000):
        loss.receive(report(0.1, 0, reporter=reporter), OURS)
    assert len(loss._reported) == MOST_REPORTERS


def test_time_that_goes_backwards_does_no_harm() -> None:
    loss = ReportedLoss()
    loss.receive(report(0.5, 100), OURS)
    assert loss.receive(report(0, 0), OURS) == 0.5
