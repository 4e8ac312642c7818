"""The UDP side: discovery, keepalives, and audio from one client to the others.

Selective forwarding: a packet is opened with its sender's key, judged, and sealed anew for
each receiver with that one's key and nonces. SSRC, sequence and timestamp stay the sender's,
as on Discord, so that receivers see one stream per sender with its own losses.
"""

import ipaddress

from .._extensions import (
    abs_send_time_element,
    audio_level_element,
    read_audio_level,
    speaker_flags_element,
)
from .._rtcp import open_rtcp, parse_compound, seal_rtcp
from .._rtp import PacketKind, RtpPacket, demux, open_packet, seal_packet
from ..codes import DropReason, SpeakingFlags
from ..errors import DecryptionFailed, InvalidPacket, NonceExhausted
from ..link import Link
from .blind import is_media
from .judge import FORWARDED, SPEAKING_GRACE, BadReason
from .limits import TokenBucket
from .outputs import SendDatagram
from .session import Address, HeldPacket, Key, Session
from .switchboard import Switchboard

__all__ = ["Forwarding"]

#: Early packets held per client: `SPEAKING_GRACE` of 20 ms frames, and a burst.
MAX_HELD = 32

#: Where the SSRC of the sender is.
SSRC_OFFSET = {PacketKind.RTP: 8, PacketKind.RTCP: 4}

#: IP discovery, big-endian (the layout is drawn in voicekit/discovery.py).
DISCOVERY_SIZE = 74
DISCOVERY_REQUEST = b"\x00\x01\x00\x46"
DISCOVERY_REPLY = b"\x00\x02\x00\x46"
ADDRESS_SIZE = 64

#: The web client's ping `1337CAFE | u32` and its answer `1337F00D | u32`.
PING_REQUEST = b"\x13\x37\xca\xfe"
PING_REPLY = b"\x13\x37\xf0\x0d"
#: Keepalives have 8 bytes, or 9 (JDA); no sealed packet is that short.
LONGEST_KEEPALIVE = 9

#: Speaker flags in the header extension (id 9), from those of op 5.
_SPEAKER_FLAGS = (
    (SpeakingFlags.PRIORITY, 0x01),
    (SpeakingFlags.MICROPHONE, 0x02),
    (SpeakingFlags.SOUNDSHARE, 0x04),
)


class Forwarding:
    """What datagrams do."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        config = board.config
        self._strangers = TokenBucket(config.stranger_rate, config.stranger_burst, 0.0)

    # -- input ---------------------------------------------------------------

    def receive(self, data: bytes, address: Address, now: float) -> None:
        """Take one datagram, whatever it is."""
        known = self._board.by_address.get(address)
        if known is not None and not known.bucket.take(now):
            known.judge.count(BadReason.RATE_LIMITED)
            return
        if len(data) > self._board.config.max_datagram_size:
            self._drop(known, BadReason.TOO_LONG)
            return
        if self._board.blind is not None and known is not None and is_media(data):
            self._board.blind.receive(known, data)
            return
        kind = demux(data)
        if kind is PacketKind.RTP or kind is PacketKind.RTCP:
            self._receive_media(kind, data, address, known, now)
        elif kind is PacketKind.DISCOVERY:
            self._answer_discovery(data, address)
        elif 0 < len(data) <= LONGEST_KEEPALIVE:
            self._answer_keepalive(data, address, known)
        else:
            self._drop(known, BadReason.TOO_SHORT if not data else BadReason.BAD_VERSION)

    def _drop(self, session: Session | None, reason: str) -> None:
        counter = self._board.datagrams_dropped if session is None else session.judge.bad
        counter[reason] += 1

    def _answer_discovery(self, data: bytes, address: Address) -> None:
        """Tell a client its address: 74 bytes for 74, and only for an SSRC given out."""
        session = None
        if len(data) == DISCOVERY_SIZE and data.startswith(DISCOVERY_REQUEST):
            session = self._board.by_ssrc.get(int.from_bytes(data[4:8], "big"))
        if session is None:
            self._drop(None, DropReason.DISCOVERY)
            return
        session.observed = address
        host, port = address
        text = host.encode("ascii", "replace")[: ADDRESS_SIZE - 1].ljust(ADDRESS_SIZE, b"\0")
        reply = DISCOVERY_REPLY + data[4:8] + text + port.to_bytes(2, "big")
        self._board.outputs.append(SendDatagram(address, reply))

    def _answer_keepalive(self, data: bytes, address: Address, session: Session | None) -> None:
        if session is None:
            self._drop(None, DropReason.KEEPALIVE)
            return
        session.keepalives += 1
        if data.startswith(PING_REQUEST) and len(data) == 8:
            self._board.outputs.append(SendDatagram(address, PING_REPLY + data[4:]))
        elif self._board.config.echo_keepalives:
            self._board.outputs.append(SendDatagram(address, data))

    # -- whose address it is ---------------------------------------------------

    def claim_address(self, session: Session, host: str, port: int) -> None:
        """Take the address of op 1, if it is the one that discovery saw.

        Any other one is not believed: media would go to whoever it belongs to. Then the
        first authentic packet tells where the client is.
        """
        observed = session.observed
        if observed is not None and observed[1] == port and _same_host(observed[0], host):
            self._board.bind(session, observed)

    # -- media from a client ---------------------------------------------------

    def _receive_media(
        self, kind: PacketKind, data: bytes, address: Address, known: Session | None, now: float
    ) -> None:
        start = SSRC_OFFSET[kind]
        claimed = self._board.by_ssrc.get(int.from_bytes(data[start : start + 4], "big"))
        if claimed is not None and claimed is not known:
            # A client's network may change under it; only its key can tell.
            reason = self._receive_elsewhere(kind, claimed, data, address, now)
            if reason is None:
                return
            if known is None:
                # Nobody answers for it, unless the client has not been seen before.
                self._drop(claimed if claimed.address is None else None, reason)
                return
        if known is None:
            self._drop(None, DropReason.UNKNOWN_SSRC)
            return
        opened = _open(kind, known, data, now)
        if isinstance(opened, BadReason):
            known.judge.count(opened)
        else:
            self._accept(known, opened, data, address, now)

    def _receive_elsewhere(
        self, kind: PacketKind, session: Session, data: bytes, address: Address, now: float
    ) -> BadReason | None:
        """Take media from an address that is not the session's; say why it is not."""
        if not self._strangers.take(now):
            return BadReason.RATE_LIMITED
        opened = _open(kind, session, data, now)
        if isinstance(opened, BadReason):
            return opened
        self._accept(session, opened, data, address, now)
        return None

    def _accept(
        self, session: Session, opened: "_Opened", data: bytes, address: Address, now: float
    ) -> None:
        """Judge authentic media, and pass on what deserves it."""
        if self._board.blind is not None:  # from an address that is new to us
            self._board.bind(session, address)
            self._board.blind.receive(session, data)
            return
        content, key = opened
        if isinstance(content, bytes):
            reason = _judge_rtcp(session, content, data, key)
        else:
            reason = session.judge.judge(content, data, key.nonces, now)
        if reason is not None and reason not in FORWARDED:
            session.judge.count(reason)  # neither does a replayed packet tell an address
            return
        self._board.bind(session, address)
        if not isinstance(content, bytes):
            self._pass_gate(session, content, reason, now)
            return
        session.judge.rtcp_valid += 1
        if self._board.config.forward_rtcp:
            for member in session.others:
                self.send_rtcp(member, content, now)

    # -- speaking ---------------------------------------------------------------

    def speaking_changed(self, session: Session, now: float) -> None:
        """Take note of an op 5: what was held for it goes out."""
        if not session.speaking:
            return
        held, session.held = session.held, []
        for early in held:
            self._forward(session, early.packet, early.reason, now)

    def _pass_gate(
        self, session: Session, packet: RtpPacket, reason: BadReason | None, now: float
    ) -> None:
        if session.speaking or now < session.silent_since + SPEAKING_GRACE:
            self._forward(session, packet, reason, now)
        elif len(session.held) < MAX_HELD:
            session.held.append(HeldPacket(packet, reason, now))
            if session.hold_timer is None:
                self._await_speaking(session)
        else:
            session.judge.count(BadReason.AUDIO_BEFORE_SPEAKING)

    def _await_speaking(self, session: Session) -> None:
        def expire(now: float) -> None:
            session.hold_timer = None
            while session.held and now >= session.held[0].arrived + SPEAKING_GRACE:
                del session.held[0]
                session.judge.count(BadReason.AUDIO_BEFORE_SPEAKING)
            if session.held:
                self._await_speaking(session)

        due = session.held[0].arrived + SPEAKING_GRACE
        session.hold_timer = self._board.timers.call_at(due, expire)

    # -- media to the others ----------------------------------------------------

    def _forward(
        self, session: Session, packet: RtpPacket, reason: BadReason | None, now: float
    ) -> None:
        """Count a packet that is heard, and seal it for every listener."""
        config = self._board.config
        session.judge.count(reason)
        session.judge.count_frame(packet.payload)
        session.heard += 1
        if session.reports is not None:
            session.reports.heard(packet, now)
        extensions = self._extensions(session, packet, now)
        for member in session.others:
            if member.key is None or member.address is None:
                continue
            if config.receive_after_send and not member.heard:
                continue
            try:
                data = seal_packet(
                    member.key.cipher,
                    sequence=packet.sequence,
                    timestamp=packet.timestamp,
                    ssrc=packet.ssrc,
                    payload=packet.payload,
                    marker=packet.marker,
                    csrcs=packet.csrcs,
                    extensions=extensions,
                    padding=config.padding,
                )
            except NonceExhausted:
                self._board.new_key(member, member.key.mode, now)
                continue
            member.packets_sent += 1
            if member.network is None:
                self._board.outputs.append(SendDatagram(member.address, data))
            else:
                member.dropped_to += self._send_through(member, member.network, data, now)

    def send_rtcp(self, session: Session, compound: bytes, now: float) -> None:
        """Seal a compound packet for one client."""
        if session.key is None or session.address is None:
            return
        try:
            data = seal_rtcp(session.key.cipher, compound)
        except NonceExhausted:
            self._board.new_key(session, session.key.mode, now)
            return
        session.rtcp_sent += 1
        if session.network is None:
            self._board.outputs.append(SendDatagram(session.address, data))
        else:
            self._send_through(session, session.network, data, now)

    def _send_through(self, session: Session, network: Link, data: bytes, now: float) -> int:
        """Send over a bad network; return how many were lost on it (0 or 1)."""
        before = network.stats
        network.send(data, now)
        after = network.stats
        self._deliver(session, now)
        return after.lost + after.overflowed - before.lost - before.overflowed

    def _deliver(self, session: Session, now: float) -> None:
        """Send what has come out of the bad network, and wait for the rest."""
        network = session.network
        assert network is not None
        while (data := network.receive(now)) is not None:
            if session.address is not None:
                self._board.outputs.append(SendDatagram(session.address, data))
        due = network.next_timeout()
        timer = session.network_timer
        if timer is not None and (due is None or due != timer.when):
            timer.cancel()
            timer = None
        if timer is None and due is not None:
            timer = self._board.timers.call_at(due, lambda now: self._arrived(session, now))
        session.network_timer = timer

    def _arrived(self, session: Session, now: float) -> None:
        session.network_timer = None
        self._deliver(session, now)

    def _extensions(
        self, session: Session, packet: RtpPacket, now: float
    ) -> tuple[tuple[int, bytes], ...]:
        """The header extensions that are asked for, in Discord's order."""
        elements = []
        for name in self._board.config.extensions:
            if name == "abs_send_time":
                elements.append(abs_send_time_element(now))
            elif name == "audio_level":
                level, voice = read_audio_level(packet.extensions) or (
                    self._board.config.audio_level,
                    True,
                )
                elements.append(audio_level_element(level, voice))
            else:
                spoken = session.speaking or 0
                elements.append(
                    speaker_flags_element(sum(bit for flag, bit in _SPEAKER_FLAGS if spoken & flag))
                )
        return tuple(elements)


#: What came out of a datagram, and the key that opened it. bytes: a compound RTCP packet.
_Opened = tuple[RtpPacket | bytes, Key]


def _open(kind: PacketKind, session: Session, data: bytes, now: float) -> _Opened | BadReason:
    """Open media with the key of a session, or with the one before it for a while."""
    keys = [session.key]
    if now < session.previous_key_until:
        keys.append(session.previous_key)
    open_media = open_packet if kind is PacketKind.RTP else open_rtcp
    reason = BadReason.NO_KEY
    for key in keys:
        if key is None:
            continue
        try:
            return open_media(key.cipher, data), key
        except DecryptionFailed:
            reason = BadReason.UNDECRYPTABLE
        except InvalidPacket as error:
            return BadReason(error.reason)
    return reason


def _judge_rtcp(session: Session, compound: bytes, data: bytes, key: Key) -> BadReason | None:
    nonce = int.from_bytes(data[-4:], "big")
    reason = session.judge.judge_nonce(nonce, data, key.nonces)
    if int.from_bytes(compound[4:8], "big") != session.ssrc:
        return BadReason.WRONG_SSRC
    try:
        parse_compound(compound)
    except InvalidPacket:
        return reason or BadReason.BAD_RTCP
    return reason


def _same_host(one: str, other: str) -> bool:
    """Whether two texts name one IP address; IPv6 has many spellings."""
    try:
        return _address(one) == _address(other)
    except ValueError:
        return one == other


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
