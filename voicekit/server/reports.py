"""RTCP of the server's own: how each client is heard, and what each speaker sent."""

from .._reception import Reception
from .._rtcp import build_compound
from .._rtp import SAMPLE_RATE, RtpPacket
from ..rtcp import ReceiverReport, SenderReport
from .forwarding import Forwarding
from .session import Session
from .switchboard import Switchboard

__all__ = ["Reporter", "Reports"]

#: Seconds from 1900, where NTP time begins, to 1970.
NTP_EPOCH = 2_208_988_800


class Reports:
    """What reports about one client's stream are made of."""

    def __init__(self, ssrc: int) -> None:
        self.reception = Reception(ssrc)
        self.octets = 0
        self.timestamp = 0

    def heard(self, packet: RtpPacket, now: float) -> None:
        """Count one packet of the stream."""
        self.reception.update(packet.sequence, packet.timestamp, now)
        self.octets += len(packet.payload)
        self.timestamp = packet.timestamp


class Reporter:
    """Sends every client reports at an interval (RFC 3550 §6.4).

    A receiver report about its own stream, and a sender report of each other member that has
    spoken. ``wall`` is Unix time at ``now``; sender reports carry it.
    """

    def __init__(self, board: Switchboard, forwarding: Forwarding) -> None:
        self._board = board
        self._forwarding = forwarding
        self._wall_offset = 0.0

    def set_wall_clock(self, now: float, wall: float) -> None:
        """Tell which Unix time ``now`` is."""
        self._wall_offset = wall - now

    def begin(self, session: Session, now: float) -> None:
        """Report to ``session`` from now on."""
        session.reports = Reports(session.ssrc)
        self._await_turn(session, now)

    def _await_turn(self, session: Session, now: float) -> None:
        due = now + self._board.config.rtcp_interval
        session.report_timer = self._board.timers.call_at(
            due, lambda now: self._report(session, now)
        )

    def _report(self, session: Session, now: float) -> None:
        self._await_turn(session, now)
        own = session.reports
        if own is not None and own.reception.received:
            report = ReceiverReport(session.ssrc, (own.reception.report_block(now),))
            self._forwarding.send_rtcp(session, build_compound([report]), now)
        for member in session.others:
            stream = member.reports
            if stream is not None and stream.reception.received:
                compound = build_compound([self._sender_report(member, stream, now)])
                self._forwarding.send_rtcp(session, compound, now)

    def _sender_report(self, session: Session, stream: Reports, now: float) -> SenderReport:
        ntp = round((now + self._wall_offset + NTP_EPOCH) * 2**32) & 0xFFFF_FFFF_FFFF_FFFF
        since = round((now - stream.reception.last_arrival) * SAMPLE_RATE)
        return SenderReport(
            ssrc=session.ssrc,
            ntp=ntp,
            rtp_time=(stream.timestamp + since) & 0xFFFF_FFFF,
            packets=stream.reception.received & 0xFFFF_FFFF,
            octets=stream.octets & 0xFFFF_FFFF,
        )
