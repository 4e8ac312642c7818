"""Is what a client sends over UDP what the protocol asks for?

The judge of one session. It knows no socket and no clock: it is handed decrypted packets
with their time of arrival, and counts them as valid, or as bad under one reason:

    short           no room for header, tag and nonce
    header          not RTP version 2, payload type not 120, or CSRCs past the end
    wrong_ssrc      not the SSRC that Ready gave
    no_key          before the session description
    bad_tag         does not decrypt
    nonce_reuse     this nonce was used under this key before
    extension       extension body longer than the plaintext
    padding         padding length 0 or longer than what there is
    opus            empty, or not an Opus packet
    sequence        not one more than the last
    timestamp       not the last plus its duration plus whole 20 ms frames
    plaintext       in clear, no silence, and op 22 said to encrypt
    not_speaking    audio while the client had not announced it with a non-zero op 5
    keepalive       not a little-endian counter, one more than the last, and four zeros
"""

import struct
from collections import Counter, deque
from dataclasses import dataclass, field

from ciphers import NONCE_SIZE, TAG_SIZE, Cipher

HEADER = struct.Struct(">BBHII")
PAYLOAD_TYPE = 120
FRAME = 960  # samples of 20 ms at 48 kHz
SILENCE = b"\xf8\xff\xfe"
VERSION_MASK, VERSION_2 = 0xC0, 0x80
PADDING_BIT, EXTENSION_BIT, CSRC_MASK = 0x20, 0x10, 0x0F
#: Op 5 travels by TCP and audio by UDP: they may overtake each other by this much.
GRACE = 0.5

#: What an encrypted frame ends with, and its least: tag, nonce, size and marker.
MARKER, LEAST_ENCRYPTED = b"\xfa\xfa", 12


def encrypted(frame: bytes) -> bool:
    """Whether a frame has the marker and a size before it that fits."""
    return frame.endswith(MARKER) and LEAST_ENCRYPTED <= frame[-3] <= len(frame)


# Frame size in samples at 48 kHz by the configuration number, RFC 6716 table 2.
_SILK, _HYBRID, _CELT = (480, 960, 1920, 2880), (480, 960), (120, 240, 480, 960)
_FRAME_SIZES = _SILK * 3 + _HYBRID * 2 + _CELT * 4


def opus_duration(packet: bytes) -> int:
    """Return the samples in an Opus packet, 0 where it is none (RFC 6716 §3)."""
    if not packet:
        return 0
    toc = packet[0]
    if toc & 3 == 3:
        count = packet[1] & 0x3F if len(packet) > 1 else 0
    else:
        count = (1, 2, 2)[toc & 3]
    duration = count * _FRAME_SIZES[toc >> 3]
    return duration if duration <= 5760 else 0


@dataclass
class Audio:
    """What one good packet carries."""

    sequence: int
    timestamp: int
    opus: bytes


@dataclass
class Judge:
    """The packets of one session."""

    ssrc: int
    valid: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    rtcp: int = 0
    keepalives: int = 0
    e2ee: int = 0  # packets that are end-to-end encrypted, silence in clear, and others
    silence: int = 0
    clear: int = 0
    encrypts_from: float = float("inf")
    _nonces: set[bytes] = field(default_factory=set)
    _last: Audio | None = None
    _keepalive: int | None = None
    _speaking: bool = False
    _speaking_until: float = float("-inf")
    _unannounced: deque[float] = field(default_factory=deque)

    def new_key(self) -> None:
        """Nonces may come again, with another key."""
        self._nonces.clear()

    def speaking(self, flags: int, now: float) -> None:
        """Take an op 5 with this session's SSRC."""
        if flags:
            while self._unannounced:
                self._count("not_speaking" if self._unannounced.popleft() < now - GRACE else None)
        elif self._speaking:
            self._speaking_until = now + GRACE
        self._speaking = bool(flags)

    def keepalive(self, data: bytes) -> None:
        """Take an 8-byte datagram of this session."""
        counter, zeros = struct.unpack("<II", data)
        last, self._keepalive = self._keepalive, counter
        if zeros or (last is not None and counter != last + 1 & 0xFFFF_FFFF):
            self.bad["keepalive"] += 1
        else:
            self.keepalives += 1

    def control(self, data: bytes, cipher: Cipher | None) -> None:
        """Take an RTCP packet: 8 bytes clear, the rest encrypted."""
        if len(data) < 8 + TAG_SIZE + NONCE_SIZE:
            reason: str | None = "short"
        elif int.from_bytes(data[4:8], "big") != self.ssrc:
            reason = "wrong_ssrc"
        else:
            _, reason = self._decrypt(data, 8, cipher)
        if reason:
            self.bad[reason] += 1
        else:
            self.rtcp += 1

    def audio(self, data: bytes, cipher: Cipher | None, now: float) -> Audio | None:
        """Take an RTP packet; return its audio where it can be forwarded."""
        packet, reason = self._open(data, cipher)
        if packet is None:
            self._count(reason)
            return None
        last, self._last = self._last, packet
        if encrypted(packet.opus):
            self.e2ee += 1
        elif packet.opus == SILENCE:
            self.silence += 1
        else:
            self.clear += 1
            if now > self.encrypts_from + GRACE:
                reason = "plaintext"
        if last is not None:
            reason = reason or self._follows(last, packet)
        if reason or packet.opus == SILENCE or self._speaking or now <= self._speaking_until:
            self._count(reason)
        else:
            self._unannounced.append(now)
        return packet

    def totals(self) -> dict[str, object]:
        """Return the counters; audio that was never announced counts as bad."""
        bad = Counter(self.bad)
        bad["not_speaking"] += len(self._unannounced)
        return {
            "packets_valid": self.valid,
            "packets_bad": {reason: count for reason, count in bad.items() if count},
            "rtcp": self.rtcp,
            "frames_e2ee": self.e2ee,
            "frames_clear": self.clear,
            "frames_silence": self.silence,
            "keepalives": self.keepalives,
        }

    def _count(self, reason: str | None) -> None:
        if reason:
            self.bad[reason] += 1
        else:
            self.valid += 1

    def _open(self, data: bytes, cipher: Cipher | None) -> tuple[Audio | None, str | None]:
        if len(data) < HEADER.size + TAG_SIZE + NONCE_SIZE:
            return None, "short"
        first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        size = HEADER.size + 4 * (first & CSRC_MASK)
        words = 0
        if first & EXTENSION_BIT:
            # The four bytes that announce the extension are clear, its body is not.
            words = int.from_bytes(data[size + 2 : size + 4], "big")
            size += 4
        if (
            first & VERSION_MASK != VERSION_2
            or second & 0x7F != PAYLOAD_TYPE
            or size + TAG_SIZE + NONCE_SIZE > len(data)
        ):
            return None, "header"
        if ssrc != self.ssrc:
            return None, "wrong_ssrc"
        plain, reason = self._decrypt(data, size, cipher)
        if reason:
            return None, reason
        if 4 * words > len(plain):
            return None, "extension"
        payload = plain[4 * words :]
        if first & PADDING_BIT:
            padding = payload[-1] if payload else 0
            if not 0 < padding <= len(payload):
                return None, "padding"
            payload = payload[:-padding]
        if not encrypted(payload) and not opus_duration(payload):
            return None, "opus"
        return Audio(sequence, timestamp, payload), None

    def _decrypt(self, data: bytes, size: int, cipher: Cipher | None) -> tuple[bytes, str | None]:
        if cipher is None:
            return b"", "no_key"
        plain = cipher.open(data, size)
        if plain is None:
            return b"", "bad_tag"
        nonce = data[-NONCE_SIZE:]
        if nonce in self._nonces:
            return b"", "nonce_reuse"
        self._nonces.add(nonce)
        return plain, None

    @staticmethod
    def _follows(last: Audio, packet: Audio) -> str | None:
        if packet.sequence != last.sequence + 1 & 0xFFFF:
            return "sequence"
        if encrypted(last.opus):  # nobody knows how long it is
            return (
                None
                if 0 < packet.timestamp - last.timestamp & 0xFFFF_FFFF < 1 << 31
                else "timestamp"
            )
        pause = packet.timestamp - last.timestamp - opus_duration(last.opus) & 0xFFFF_FFFF
        # The clock runs on over pauses in whole frames; half of its range would be backwards.
        return "timestamp" if pause % FRAME or pause >= 1 << 31 else None
