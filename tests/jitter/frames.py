"""Frames of one stream, as a jitter buffer gets them."""

import math

from voicekit import AudioFrame, JitterBuffer, Lost
from voicekit.codes import SILENCE_FRAME

FRAME = 960
PACKET = b"\xfc" + bytes(80)

Item = AudioFrame | Lost


def frame(
    n: int,
    arrived: float,
    *,
    rtp_time: int | None = None,
    duration: int = FRAME,
    opus: bytes = PACKET,
    marker: bool = False,
) -> AudioFrame:
    """Frame ``n`` of a stream without pauses, unless ``rtp_time`` says otherwise."""
    at = n * FRAME if rtp_time is None else rtp_time
    return AudioFrame(1, 7, opus, n, at, duration, marker, arrived=arrived)


def silence(n: int, arrived: float, *, rtp_time: int | None = None) -> AudioFrame:
    return frame(n, arrived, rtp_time=rtp_time, opus=SILENCE_FRAME)


def play(buffer: JitterBuffer, frames: list[AudioFrame]) -> list[tuple[float, Item]]:
    """Push each frame when it arrives and pop what is due when it is due, to the end."""
    out: list[tuple[float, Item]] = []
    for arriving in sorted(frames, key=lambda f: f.arrived):
        out += pop_until(buffer, arriving.arrived)
        buffer.push(arriving)
        out += pop_at(buffer, arriving.arrived)
    return out + pop_until(buffer, math.inf)


def pop_until(buffer: JitterBuffer, end: float) -> list[tuple[float, Item]]:
    """Sleep until `next_timeout`, pop, and again."""
    out: list[tuple[float, Item]] = []
    while (due := buffer.next_timeout()) is not None and due < end:
        out += pop_at(buffer, due)
    return out


def pop_at(buffer: JitterBuffer, now: float) -> list[tuple[float, Item]]:
    out: list[tuple[float, Item]] = []
    while (item := buffer.pop(now)) is not None:
        out.append((now, item))
    return out


def numbers(out: list[tuple[float, Item]]) -> list[int | tuple[int, int]]:
    """Return the sequence numbers; of what was lost, the first and how many."""
    return [
        (item.sequence, item.packets) if isinstance(item, Lost) else item.sequence
        for _, item in out
    ]


def times(out: list[tuple[float, Item]]) -> list[float]:
    return [round(now, 6) for now, _ in out]


def accounted(buffer: JitterBuffer) -> bool:
    """Whether each frame that was pushed was popped or is counted."""
    s = buffer.stats()
    ends = s.played + s.late + s.duplicates + s.invalid + s.skipped + s.overflowed + s.waiting
    return s.pushed == ends and s.waiting == len(buffer)
