"""What the server thinks of one client's packets: valid, or bad for one reason.

The rules that are not in an RFC:

*Sequence.* Every packet takes one nonce, RTP and RTCP alike. A gap in the sequence that the
nonces share is loss; a gap that they do not share is a number the client skipped. So is a
jump beyond what RFC 3550 A.1 takes for loss.

*Timestamp.* It is a media clock of 48 kHz. The next packet is ahead by the duration of the
one before it, or, after a pause, by that and whole frames more (multiples of its duration,
at most 20 ms), but never by more than the time that has passed since.

*Speaking.* Op 5 travels by TCP and audio by UDP: either may overtake the other. Audio is
held for `SPEAKING_GRACE` before it is called early, and welcome that long after Speaking 0.
"""

from collections import Counter
from enum import StrEnum

from .._rtp import SAMPLE_RATE, RtpPacket, opus_duration
from ..codes import DropReason
from .frames import FrameKind, frame_kind
from .nonces import NonceLog, NonceOutcome

__all__ = ["FORWARDED", "SPEAKING_GRACE", "BadReason", "Judge"]

#: How far op 5 and the audio around it may be apart, in seconds: two jitter buffers.
SPEAKING_GRACE = 0.2

#: RFC 3550 A.1: a larger step forward is a restart, not loss (a minute of audio).
MAX_DROPOUT = 3000
#: Packets that may come later than the newest one, and are known by number. RFC 3550 has 100.
REORDER_WINDOW = 128
#: Datagrams remembered whole, to tell a duplicate from a nonce that was used again.
RECENT_DATAGRAMS = 512

#: The shortest and the longest Opus packet, in samples (2.5 ms and 120 ms), and 20 ms.
SHORTEST_PACKET = 120
LONGEST_PACKET = 5760
FRAME = 960
#: How far the media clock may run ahead of arrivals, in seconds: what networks delay.
CLOCK_SLACK = 1.0


class BadReason(StrEnum):
    """Why a client's packet is bad. Keys of ``SessionStats.packets_bad``."""

    # What can not be read; the names are those of `voicekit.codes.DropReason`.
    TOO_SHORT = DropReason.TOO_SHORT
    TOO_LONG = "too_long"  # over ServerConfig.max_datagram_size
    BAD_VERSION = DropReason.BAD_VERSION
    NO_KEY = DropReason.NO_KEY  # before op 4
    PAYLOAD_TYPE = DropReason.PAYLOAD_TYPE
    BAD_HEADER = DropReason.BAD_HEADER
    UNDECRYPTABLE = DropReason.UNDECRYPTABLE  # the tag does not fit
    BAD_EXTENSION = DropReason.BAD_EXTENSION
    BAD_PADDING = DropReason.BAD_PADDING
    EMPTY = DropReason.EMPTY  # nothing but padding
    BAD_FRAME = DropReason.BAD_FRAME  # neither Opus nor a DAVE frame
    BAD_RTCP = DropReason.BAD_RTCP
    RATE_LIMITED = "rate_limited"  # over ServerConfig.datagram_rate
    # What can be read but must not be.
    WRONG_SSRC = "wrong_ssrc"  # not the SSRC that op 2 gave
    DUPLICATE = DropReason.DUPLICATE  # the very same datagram again
    NONCE_REUSE = "nonce_reuse"  # another datagram under a used nonce: breaks the encryption
    NONCE_SCATTERED = "nonce_scattered"  # nonces that do not count, so that reuse can't be told
    SEQUENCE_REUSE = "sequence_reuse"  # another packet of the same number
    AUDIO_BEFORE_SPEAKING = "audio_before_speaking"
    # What is passed on all the same.
    PLAINTEXT = "plaintext"  # neither encrypted nor silence, after op 22 said to encrypt
    SEQUENCE_JUMP = "sequence_jump"
    TIMESTAMP_JUMP = "timestamp_jump"


#: Bad packets that are forwarded: receivers have to cope with them, as with real servers'.
FORWARDED = frozenset({BadReason.PLAINTEXT, BadReason.SEQUENCE_JUMP, BadReason.TIMESTAMP_JUMP})

_NONCE_REASONS = {
    NonceOutcome.FRESH: None,
    NonceOutcome.USED: BadReason.NONCE_REUSE,
    NonceOutcome.SCATTERED: BadReason.NONCE_SCATTERED,
}


class Judge:
    """The order and the clocks of one client's stream, and the count of what it sent."""

    def __init__(self, ssrc: int) -> None:
        self.valid = 0  #: RTP packets
        self.rtcp_valid = 0
        self.bad: Counter[str] = Counter()
        self.reordered = 0
        self.frames: Counter[FrameKind] = Counter()  #: passed on
        self.encrypting = False  #: whether op 22 said to encrypt
        self._encrypts_from: float | None = None
        self._missing = 0
        self._ssrc = ssrc
        self._recent: dict[int, int] = {}  # nonce → hash of its datagram, oldest first
        self._nonces: NonceLog | None = None  # of the key that the newest packet came under
        self._nonce = 0  # of the newest packet, like the following
        self._sequence = -1
        self._timestamp = 0
        self._duration = 0  # samples; 0: not known
        self._arrived = 0.0
        self._seen = 0  # bit n: sequence - n was received

    @property
    def missing(self) -> int:
        """Packets that were sent but lost on the way to the server."""
        return self._missing

    def count(self, reason: BadReason | None) -> None:
        """Count one RTP packet as valid (None) or bad."""
        if reason is None:
            self.valid += 1
        else:
            self.bad[reason] += 1

    def count_frame(self, frame: bytes) -> None:
        """Count one frame that is passed on by what it says of itself."""
        self.frames[frame_kind(frame)] += 1

    def allow_plaintext(self) -> None:
        """Frames may be in clear from now on."""
        self.encrypting = False

    def expect_encryption(self, since: float | None) -> None:
        """Frames in clear are bad from ``since`` on; None: op 22 has yet to reach the client."""
        self.encrypting = True
        self._encrypts_from = since

    def judge_nonce(self, nonce: int, datagram: bytes, nonces: NonceLog) -> BadReason | None:
        """Record the nonce of an authentic packet of either kind."""
        reason = _NONCE_REASONS[nonces.add(nonce)]
        digest = hash(datagram)
        if reason is BadReason.NONCE_REUSE and self._recent.get(nonce) == digest:
            return BadReason.DUPLICATE
        self._recent[nonce] = digest
        if len(self._recent) > RECENT_DATAGRAMS:
            del self._recent[next(iter(self._recent))]
        return reason

    def judge(
        self, packet: RtpPacket, datagram: bytes, nonces: NonceLog, now: float
    ) -> BadReason | None:
        """Return what is wrong with an authentic packet, the gravest first; None: nothing."""
        nonce = packet.nonce
        assert nonce is not None
        reason = self.judge_nonce(nonce, datagram, nonces)
        if packet.ssrc != self._ssrc:
            return BadReason.WRONG_SSRC
        if reason is not None:
            return reason
        duration = opus_duration(packet.payload)
        kind = frame_kind(packet.payload)
        if not packet.payload:
            reason = BadReason.EMPTY
        elif kind is FrameKind.E2EE:
            duration = 0  # it can not be read
        elif not duration:
            reason = BadReason.BAD_FRAME
        elif kind is FrameKind.CLEAR and self._must_encrypt(now):
            reason = BadReason.PLAINTEXT
        if self._sequence >= 0 and (self._sequence - packet.sequence) & 0xFFFF < REORDER_WINDOW:
            return reason or self._judge_late(packet)
        order = self._judge_next(packet, duration, nonces, now)
        return reason or order

    def _must_encrypt(self, now: float) -> bool:
        since = self._encrypts_from
        return self.encrypting and since is not None and now >= since

    def _judge_late(self, packet: RtpPacket) -> BadReason | None:
        bit = 1 << ((self._sequence - packet.sequence) & 0xFFFF)
        if self._seen & bit:
            return BadReason.SEQUENCE_REUSE
        self._seen |= bit
        self.reordered += 1
        self._missing = max(0, self._missing - 1)
        return None

    def _judge_next(
        self, packet: RtpPacket, duration: int, nonces: NonceLog, now: float
    ) -> BadReason | None:
        assert packet.nonce is not None
        step = (packet.sequence - self._sequence) & 0xFFFF
        reason: BadReason | None = None
        if self._sequence < 0:
            step = 1
        elif step > MAX_DROPOUT or (
            # Under a new key there is no telling how many nonces were lost with the old one.
            nonces is self._nonces and step > nonces.distance(self._nonce, packet.nonce)
        ):
            reason = BadReason.SEQUENCE_JUMP
            step = 1
            self._seen = 0
        elif not self._clock_fits(packet.timestamp, step, now):
            reason = BadReason.TIMESTAMP_JUMP
        self._missing += step - 1
        self._seen = (self._seen << step | 1) & ((1 << REORDER_WINDOW) - 1)
        self._nonces, self._nonce = nonces, packet.nonce
        self._sequence, self._timestamp = packet.sequence, packet.timestamp
        self._duration, self._arrived = duration, now
        return reason

    def _clock_fits(self, timestamp: int, step: int, now: float) -> bool:
        """Whether the media clock may have come from the newest packet to this one.

        Durations of the ``step - 1`` packets lost in between are not known.
        """
        least = (self._duration or SHORTEST_PACKET) + (step - 1) * SHORTEST_PACKET
        beyond = (timestamp - self._timestamp - least) & 0xFFFF_FFFF
        if beyond == 0:
            return True
        whole = min(self._duration, FRAME) if step == 1 and self._duration else SHORTEST_PACKET
        passed = now - self._arrived + CLOCK_SLACK
        most = passed * SAMPLE_RATE + (step - 1) * LONGEST_PACKET
        # A step back is a huge step forward.
        return beyond % whole == 0 and beyond <= most and beyond < 0x8000_0000
