"""The other end of an `RtpSession`: what a voice server would send to it."""

from collections.abc import Iterator

from voicekit._crypto import TransportCipher
from voicekit._frame import AudioFrame
from voicekit._rtcp import build_compound, seal_rtcp
from voicekit._rtp import RtpPacket, open_packet, seal_packet
from voicekit._session import RtpSession
from voicekit.codes import SILENCE_FRAME
from voicekit.config import Config
from voicekit.events import Event
from voicekit.rtcp import RtcpPacket

MODE = "aead_xchacha20_poly1305_rtpsize"
KEY = bytes(range(32))
OURS = 0x0102_0304
ALICE, BOB = 1001, 1002
ALICES, BOBS = 0xA11CE, 0xB0B

#: 20 ms of CELT, recognisable.
VOICE = b"\xfc" + b"voice" * 20


def voice(number: int) -> bytes:
    return b"\xfc" + number.to_bytes(4, "big")


class Server:
    """Seals what other people send, and opens what the session sends."""

    def __init__(self, key: bytes = KEY) -> None:
        self.cipher = TransportCipher(MODE, key, nonce_start=2**31)

    def packet(
        self,
        ssrc: int,
        sequence: int,
        payload: bytes = VOICE,
        timestamp: int | None = None,
        **options: object,
    ) -> bytes:
        if timestamp is None:
            timestamp = sequence * 960 & 0xFFFF_FFFF
        return seal_packet(
            self.cipher,
            ssrc=ssrc,
            sequence=sequence & 0xFFFF,
            timestamp=timestamp,
            payload=payload,
            **options,
        )

    def silence(self, ssrc: int, sequence: int) -> bytes:
        return self.packet(ssrc, sequence, SILENCE_FRAME)

    def rtcp(self, *packets: RtcpPacket) -> bytes:
        return seal_rtcp(self.cipher, build_compound(packets))

    def open(self, datagram: bytes) -> RtpPacket:
        return open_packet(self.cipher, datagram)


def ready_session(**options: object) -> RtpSession:
    """A session with a key; options of `Config` or of `RtpSession`."""
    own = {name: options.pop(name) for name in list(options) if name in _SESSION_OPTIONS}
    session = RtpSession(OURS, config=Config(**options), **own)
    session.set_key(MODE, KEY, nonce_start=0)
    return session


_SESSION_OPTIONS = ("dave", "random", "sequence", "timestamp")


def run_timers(session: RtpSession) -> float:
    """Handle every timeout until none is left; the time of the last one."""
    now = 0.0
    for _ in range(10_000):
        due = session.next_timeout()
        if due is None:
            return now
        now = due
        session.handle_timeout(now)
    raise AssertionError("the timers never end")


def drain(session: RtpSession) -> list[Event]:
    return list(_polled(session))


def _polled(session: RtpSession) -> Iterator[Event]:
    while (item := session.poll()) is not None:
        yield item


def frames(items: list[Event]) -> list[AudioFrame]:
    return [item for item in items if isinstance(item, AudioFrame)]
