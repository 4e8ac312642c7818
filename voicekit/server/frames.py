"""What a frame of audio says of itself: end-to-end encrypted, silence, or in clear.

    interleaved | tag 8 | nonce ULEB128 | ranges ULEB128 pairs | size u8 | FA FA
                  └──────────── supplemental block of ``size`` bytes ──────────┘

Source: the DAVE protocol paper, "Payload Format" and "Protocol Frame Check".
"""

from enum import Enum

from ..codes import SILENCE_FRAME

__all__ = ["FrameKind", "frame_kind"]

MARKER = b"\xfa\xfa"
TAG_SIZE = 8
#: Tag, one byte of nonce, no ranges, size, marker.
MIN_SUPPLEMENTAL = 12
MAX_NONCE = 2**32 - 1
CONTINUES = 0x80


class FrameKind(Enum):
    """How `frame_kind` sorts the payload of a packet."""

    E2EE = "e2ee"
    SILENCE = "silence"  #: in clear, as servers and some clients send it in any call
    CLEAR = "clear"


def frame_kind(frame: bytes) -> FrameKind:
    """Sort one frame. A marker alone does not make it encrypted: Opus may end so, too."""
    if frame == SILENCE_FRAME:
        return FrameKind.SILENCE
    return FrameKind.E2EE if _has_supplemental(frame) else FrameKind.CLEAR


def _has_supplemental(frame: bytes) -> bool:
    if len(frame) < MIN_SUPPLEMENTAL or not frame.endswith(MARKER):
        return False
    size = frame[-3]
    if not MIN_SUPPLEMENTAL <= size <= len(frame):
        return False
    numbers = _uleb128s(frame[len(frame) - size + TAG_SIZE : -3])
    if not numbers or numbers[0] > MAX_NONCE or len(numbers) % 2 == 0:
        return False
    end = 0  # ranges come in order, and lie within the frame
    for offset, length in zip(numbers[1::2], numbers[2::2], strict=True):
        if offset < end:
            return False
        end = offset + length
    return end <= len(frame) - size


def _uleb128s(data: bytes) -> list[int]:
    """Return the numbers that ``data`` consists of; none if the last one is cut off."""
    numbers: list[int] = []
    value = shift = 0
    for byte in data:
        value |= (byte & ~CONTINUES) << shift
        shift += 7
        if not byte & CONTINUES:
            numbers.append(value)
            value = shift = 0
    return [] if shift else numbers
