"""users.md 11: no jitter buffer in Python; listeners get packets as the network brings them.

songbird#146, songbird PR#156, voice-recv#35. In a whole call over a path that reorders, repeats,
delays and loses, the jitter buffer hands each frame out once, in order and a frame apart; what
does not come is named. The frames themselves still come raw, for who wants them so.
"""

import itertools

import pytest

from voicekit import AudioFrame, JitterBuffer, Lost
from voicekit.link import Burst, Link
from voicekit.testing import Pair
from voicekit.testing.client import opus_frame

FRAMES = 1000


def bad_path(number: int) -> Link:
    return Link(
        delay=0.02,
        jitter=0.06,
        reorder=0.02,
        duplicate=0.02,
        burst=Burst(enter=0.0175, leave=1 / 3),
        seed=number,
    )


@pytest.fixture(scope="module")
def received() -> list[AudioFrame]:
    """What the listener of a call got, in the order in which it came."""
    pair = Pair(clients=2, downlink=bad_path)
    pair.connect()
    speaker, listener = pair.clients
    pair.play(speaker, FRAMES)
    pair.drive(25.0)
    return listener.frames


def play(frames: list[AudioFrame]) -> tuple[list[tuple[float, AudioFrame | Lost]], JitterBuffer]:
    buffer = JitterBuffer()
    out: list[tuple[float, AudioFrame | Lost]] = []
    times = [frame.arrived for frame in frames[1:]] + [float("inf")]
    for frame, until in zip(frames, times, strict=True):
        buffer.push(frame)
        now = frame.arrived
        while (due := buffer.next_timeout()) is not None and due < until:
            now = max(now, due)
            item = buffer.pop(now)
            if item is not None:
                out.append((now, item))
    return out, buffer


def test_the_network_was_as_bad_as_that(received: list[AudioFrame]) -> None:
    numbers = [frame.sequence for frame in received]
    assert numbers != sorted(numbers)
    assert 0.9 * FRAMES < len(numbers) < 0.98 * FRAMES


def test_frames_come_out_in_order_once_and_the_missing_are_named(
    received: list[AudioFrame],
) -> None:
    out, buffer = play(received)
    played = [item.sequence for _, item in out if isinstance(item, AudioFrame)]
    assert played == sorted(set(played))
    lost = [
        n
        for _, item in out
        if isinstance(item, Lost)
        for n in range(item.sequence, item.sequence + item.packets)
    ]
    assert sorted(played + lost) == list(range(played[0], played[-1] + 1))
    assert len(played) == len(received) - buffer.stats().late
    assert buffer.stats().late <= 3
    first = played[0]
    for _, item in out:
        if isinstance(item, AudioFrame):
            assert item.opus == opus_frame(item.sequence - first)


def test_once_the_delay_is_found_frames_come_out_one_length_apart(
    received: list[AudioFrame],
) -> None:
    out, _ = play(received)
    settled = [now - item.rtp_time / 48_000 for now, item in out[len(out) // 2 :]]
    moved = sum(abs(b - a) > 0.001 for a, b in itertools.pairwise(settled))
    assert moved <= 5  # of 500: the rare ones that come 0.1 s late are waited for
