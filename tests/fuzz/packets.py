"""Datagrams that are nearly right: valid ones, and ones that only a key holder could make.

Damage before sealing passes the authentication, and so reaches the code behind it; damage
after sealing tests the code in front of it.
"""

import struct
from random import Random

from tests.fuzz.mutate import EDGES_8, EDGES_16, EDGES_32, mutate_bytes
from voicekit._crypto import TransportCipher
from voicekit._rtcp import build_compound
from voicekit._rtp import build_extensions, build_keepalive
from voicekit.rtcp import (
    AppPacket,
    Feedback,
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SdesChunk,
    SenderReport,
    SourceDescription,
    UnknownRtcp,
)

#: TOC bytes of every kind of frame count code (RFC 6716 section 3.2), and silence.
OPUS_SEEDS = (
    b"\xf8\xff\xfe",
    b"\xfc" + bytes(79),
    b"\xfd" + bytes(80),
    b"\xfe\x10" + bytes(40),
    b"\xff\x02" + bytes(40),
    b"\xff\x82\x10" + bytes(60),
    b"\xff\x42\x08" + bytes(60),
    b"\x78\x01\x02",
    b"\x00",
    b"",
)


class PacketMaker:
    """Makes datagrams of one direction: sealed under one key, from a pool of SSRCs."""

    def __init__(self, cipher: TransportCipher, ssrcs: tuple[int, ...], random: Random) -> None:
        self.cipher = cipher
        self.ssrcs = ssrcs
        self.random = random
        self.sequence = random.getrandbits(16)
        self.timestamp = random.getrandbits(32)

    def make(self) -> bytes:
        """Return one datagram; about a third are valid."""
        random = self.random
        kind = random.random()
        if kind < 0.55:
            data = self._rtp(damaged=random.random() < 0.5)
        elif kind < 0.75:
            data = self._rtcp(damaged=random.random() < 0.5)
        elif kind < 0.82:
            data = self._discovery()
        elif kind < 0.87:
            data = build_keepalive(random.getrandbits(32))
        elif kind < 0.9:
            data = random.choice((b"\x13\x37\xca\xfe", b"\x13\x37\xf0\x0d")) + random.randbytes(4)
        elif kind < 0.95:
            data = random.randbytes(random.choice((0, 1, 7, 8, 11, 12, 31, 32, 33, 74, 1500)))
        else:
            data = bytes([0x80 | random.getrandbits(6), 0x78]) + random.randbytes(
                random.choice((0, 10, 29, 30, 31, 65505))
            )
        return mutate_bytes(data, random) if random.random() < 0.4 else data

    def good(self, opus: bytes) -> bytes:
        """Return the next packet of the first SSRC, valid in every respect."""
        self._advance()
        header = struct.pack(">BBHII", 0x80, 0x78, self.sequence, self.timestamp, self.ssrcs[0])
        return self.cipher.seal(header, opus)

    def _advance(self) -> None:
        self.sequence = self.sequence + 1 & 0xFFFF
        self.timestamp = self.timestamp + 960 & 0xFFFFFFFF

    def _rtp(self, *, damaged: bool) -> bytes:
        random = self.random
        self._advance()
        sequence, timestamp = self.sequence, self.timestamp
        if random.random() < 0.1:
            sequence = sequence + random.choice((-1, -30, -200, 2, 1000, 30000)) & 0xFFFF
        if random.random() < 0.05:
            timestamp = random.choice(EDGES_32)
        ssrc = random.choice(self.ssrcs) if random.random() < 0.9 else random.getrandbits(32)
        first, second = 0x80, 0x78
        csrcs = b""
        if random.random() < 0.2:
            count = random.randint(1, 15)
            first |= count
            csrcs = random.randbytes(4 * count)
        preamble = body = b""
        if random.random() < 0.4:
            first |= 0x10
            profile, body = self._extensions()
            words = len(body) // 4
            if damaged and random.random() < 0.4:
                words = random.choice((0, words + 1, max(0, words - 1), 20, 0xFFFF))
            if damaged and random.random() < 0.3:
                body = mutate_bytes(body, random)
            preamble = struct.pack(">HH", profile, words)
        plain = body + random.choice(OPUS_SEEDS)
        if random.random() < 0.3:
            first |= 0x20
            plain += bytes(random.randint(0, 20))
            plain += bytes([random.choice(EDGES_8) if damaged else len(plain) % 8 + 1])
        if damaged and random.random() < 0.3:
            plain = mutate_bytes(plain, random)
        if damaged and random.random() < 0.2:
            first, second = random.choice(((first ^ 0x40, second), (first, random.choice(EDGES_8))))
        header = struct.pack(">BBHII", first, second, sequence, timestamp, ssrc) + csrcs + preamble
        return self.cipher.seal(header, plain)

    def _extensions(self) -> tuple[int, bytes]:
        random = self.random
        profile = random.choice((0xBEDE, 0x1000, random.choice(EDGES_16)))
        if profile not in (0xBEDE, 0x1000):
            return profile, random.randbytes(4 * random.randint(0, 5))
        elements = [
            (random.choice((1, 3, 9, 14)), random.randbytes(random.randint(1, 16)))
            for _ in range(random.randint(0, 4))
        ]
        return profile, build_extensions(elements, profile)

    def _rtcp(self, *, damaged: bool) -> bytes:
        random = self.random
        compound = build_compound([self._report() for _ in range(random.randint(1, 4))])
        if damaged:
            compound = mutate_bytes(compound, random)
        if len(compound) < 8:
            return compound
        return self.cipher.seal(compound[:8], compound[8:])

    def _report(self) -> RtcpPacket:
        random = self.random
        ssrc = random.choice(self.ssrcs)

        def word() -> int:
            return random.choice(EDGES_32)

        blocks = tuple(
            ReportBlock(
                random.choice(self.ssrcs),
                random.choice(EDGES_8),
                random.choice((-(2**23), -1, 0, 2**23 - 1)),
                word(),
                word(),
                word(),
                word(),
            )
            for _ in range(random.choice((0, 0, 1, 2, 31)))
        )
        choices: tuple[RtcpPacket, ...] = (
            SenderReport(ssrc, random.getrandbits(64), word(), word(), word(), blocks),
            ReceiverReport(ssrc, blocks, random.randbytes(4 * random.randint(0, 2))),
            SourceDescription(
                tuple(
                    SdesChunk(ssrc, ((1, b"x" * random.choice((0, 1, 255))), (7, b"note")))
                    for _ in range(random.randint(0, 3))
                )
            ),
            Goodbye((ssrc,) * random.randint(0, 31), random.choice((b"", b"bye", b"x" * 255))),
            AppPacket(random.randint(0, 31), ssrc, b"test", bytes(4 * random.randint(0, 3))),
            Feedback(random.choice((205, 206)), random.randint(0, 31), ssrc, word(), bytes(8)),
            UnknownRtcp(random.randint(207, 222), random.randint(0, 31), bytes(8)),
        )
        return random.choice(choices)

    def _discovery(self) -> bytes:
        random = self.random
        address = random.choice(
            (b"203.0.113.9", b"2001:db8::7", b"", b"x" * 64, b"1.2.3", b"\xff\xfe", b"256.1.1.1")
        )
        ssrc = random.choice((*self.ssrcs, 0))
        head = struct.pack(">HHI", random.choice((1, 2)), 70, ssrc)
        return head + address.ljust(64, b"\0") + struct.pack(">H", random.choice(EDGES_16))
