"""Packets taken apart and put together decode to the same: RFC 6716 section 3.2."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.measure import music
from tests.media.frames import decoded, encoded
from voicekit._rtp import opus_duration
from voicekit.opus_frames import join_frames, split_frames

PCM = music(1)
# CELT, fullband, stereo: 2.5, 5, 10 and 20 ms.
TOCS = [config << 3 | 4 for config in (28, 29, 30, 31)]
frame_bodies = st.one_of(st.binary(max_size=300), st.binary(min_size=250, max_size=1275))


@given(st.sampled_from(TOCS), st.lists(frame_bodies, min_size=1, max_size=6))
@settings(deadline=None)
def test_what_is_joined_comes_apart_the_same(toc: int, bodies: list[bytes]) -> None:
    frames = [bytes([toc]) + body for body in bodies]
    packet = join_frames(frames)
    assert opus_duration(packet) == len(frames) * opus_duration(frames[0])
    assert split_frames(packet) == frames


@given(st.binary(min_size=1, max_size=60))
@settings(deadline=None)
def test_any_bytes_come_apart_or_are_refused(packet: bytes) -> None:
    try:
        frames = split_frames(packet)
    except ValueError:
        return
    assert sum(map(opus_duration, frames)) == opus_duration(packet)
    assert sum(len(frame) - 1 for frame in frames) < len(packet)
    assert split_frames(join_frames(frames)) == frames


@pytest.mark.parametrize(("size", "group"), [(120, 8), (240, 4), (480, 2), (960, 3)])
def test_joined_packets_decode_to_the_same_samples(size: int, group: int) -> None:
    packets = encoded(PCM, frame=size)
    packets = packets[: len(packets) // group * group]
    joined = [join_frames(packets[n : n + group]) for n in range(0, len(packets), group)]
    assert {opus_duration(packet) for packet in joined} == {size * group}
    assert np.array_equal(decoded(packets), decoded(joined))
    assert [frame for packet in joined for frame in split_frames(packet)] == packets


@pytest.mark.parametrize("size", [1920, 2880, 5760])
def test_frames_of_a_long_packet_decode_to_the_same_samples(size: int) -> None:
    packets = encoded(PCM, frame=size)
    frames = [frame for packet in packets for frame in split_frames(packet)]
    assert {opus_duration(frame) for frame in frames} == {960}
    assert np.array_equal(decoded(packets), decoded(frames))


def test_padding_goes() -> None:
    frame = encoded(PCM)[0]
    padded = bytes([frame[0] | 3, 0x41, 255, 20]) + frame[1:] + bytes(254 + 20)
    assert opus_duration(padded) == 960
    assert split_frames(padded) == [frame]


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\xff",  # no count
        b"\xff\x00",  # no frames: R5
        b"\xfd\x01\x02\x03",  # two of one size in three bytes: R3
        b"\xfe",  # no length: R4
        b"\xfe\xfc",  # half a length: R4
        b"\xfe\x05\x01",  # shorter than it says: R4
        b"\xff\x07" + bytes(7),  # 140 ms: R5
        b"\xff\x02\x00",  # two of one size in one byte: R6
        b"\xff\x41\xff",  # endless padding: R6
        b"\xff\x41\x09\x00",  # more padding than packet: R6
        b"\xff\x82",  # no length: R7
        b"\xfc" + bytes(1276),  # too long: R2
    ],
)
def test_a_packet_against_the_rules_is_refused(packet: bytes) -> None:
    with pytest.raises(ValueError, match=f"^{len(packet)} bytes that are no Opus packet"):
        split_frames(packet)


def test_only_what_fits_together_is_joined() -> None:
    frame = encoded(PCM)[0]
    mono = bytes([frame[0] & ~4]) + frame[1:]
    for frames, why in (
        ([], "one configuration"),
        ([frame, mono], "one configuration"),
        ([join_frames([frame, frame])] * 2, "split them first"),
        ([frame] * 7, "at most 120 ms"),
    ):
        with pytest.raises(ValueError, match=why):
            join_frames(frames)
