"""What an Opus packet says of itself: its mode, and whether it repeats the frame before it.

Read from the first bytes, without libopus. Durations: `voicekit._rtp.opus_duration`.

RFC 6716 section 3.1: the five high bits of the first byte are the configuration.

    0 to 11    SILK only    speech, up to 12 kHz
    12 to 15   hybrid       SILK below 8 kHz, CELT above
    16 to 31   CELT only    music, any bandwidth
"""

from typing import Literal

from ._rtp import SAMPLE_RATE, opus_duration

__all__ = ["Mode", "opus_has_fec", "opus_mode"]

Mode = Literal["silk", "hybrid", "celt"]

_FIRST_HYBRID = 12
_FIRST_CELT = 16
_STEREO = 0x04
_COUNT_CODE = 0x03
_FRAMES = 0x3F
_PADDED = 0x40
_VARIABLE = 0x80
#: Lengths from here on have a second byte, worth four times as much (section 3.2.1).
_LONG_LENGTH = 252
#: A SILK frame lasts 20 ms, or 10 in packets of 10.
_SILK_FRAME = SAMPLE_RATE // 50


def opus_mode(packet: bytes) -> Mode:
    """Return which coder made the packet. Raises ``ValueError`` if it is not Opus."""
    if not opus_duration(packet):
        raise ValueError(f"{len(packet)} bytes that are no Opus packet")
    config = packet[0] >> 3
    if config < _FIRST_HYBRID:
        return "silk"
    return "hybrid" if config < _FIRST_CELT else "celt"


def opus_has_fec(packet: bytes) -> bool:
    """Whether the packet repeats the frame before it, coarsely (in-band FEC).

    Only SILK does, in its low bit-rate redundancy (LBRR): then `Decoder.decode` with
    ``fec=True`` gives back a lost packet instead of a guess. Section 4.2.4: one LBRR flag per
    channel, behind a flag of voice activity for each SILK frame. False for what is not Opus.
    """
    duration = opus_duration(packet)
    if not duration or opus_mode(packet) == "celt":
        return False
    frames, at = _first_frame(packet)
    if at >= len(packet):
        return False
    flags = packet[at]
    silk_frames = max(1, duration // frames // _SILK_FRAME)
    mid = flags >> (7 - silk_frames) & 1
    side = flags >> (6 - 2 * silk_frames) & 1 if packet[0] & _STEREO else 0
    return bool(mid or side)


def _first_frame(packet: bytes) -> tuple[int, int]:
    """Return how many frames the packet has, and where the data of the first begins.

    Section 3.2; beyond the end if the packet is cut off.
    """
    code = packet[0] & _COUNT_CODE
    if code == 0:
        return 1, 1
    if code == 1:
        return 2, 1
    if code == 2:
        return 2, _after_length(packet, 1)
    frames = packet[1] & _FRAMES
    at = 2
    if packet[1] & _PADDED:
        while packet[at : at + 1] == b"\xff":  # 254 more, and another byte
            at += 1
        at += 1
    if packet[1] & _VARIABLE:
        for _ in range(frames - 1):
            at = _after_length(packet, at)
    return frames, at


def _after_length(packet: bytes, at: int) -> int:
    return at + (2 if at < len(packet) and packet[at] >= _LONG_LENGTH else 1)
