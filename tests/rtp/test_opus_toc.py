"""Durations of Opus packets: RFC 6716 §3.1 and §3.2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import opus as reference
from voicekit._rtp import opus_duration
from voicekit.codes import SILENCE_FRAME

MS = 48


@pytest.mark.parametrize("toc", range(256))
def test_every_toc_byte_with_one_and_two_frames_and_a_count(toc):
    for packet in (bytes([toc]), bytes([toc, 0]), bytes([toc, 0x02, 1]), bytes([toc, 0xFF])):
        assert opus_duration(packet) == reference.duration(packet)


@pytest.mark.parametrize(
    ("packet", "milliseconds"),
    [
        (SILENCE_FRAME, 20),  # CELT fullband, 20 ms, one frame
        (bytes([0b11100_0_00]), 2.5),
        (bytes([0b11101_0_00]), 5),
        (bytes([0b11110_0_00]), 10),
        (bytes([0b11110_0_01]), 20),  # two frames of equal size
        (bytes([0b11110_1_10]), 20),  # two frames of different size, stereo
        (bytes([0b00011_0_00]), 60),  # SILK narrowband
        (bytes([0b00011_0_01]), 120),
        (bytes([0b01101_0_00]), 20),  # hybrid
        (bytes([0b11111_0_11, 6]), 120),
        (bytes([0b11100_0_11, 48]), 120),
        (bytes([0b11111_0_11, 0b1100_0011]), 60),  # v and p are not part of the count
    ],
)
def test_known_packets(packet, milliseconds):
    assert opus_duration(packet) == milliseconds * MS


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes([0b11111_0_11]), id="no frame count"),
        pytest.param(bytes([0b11111_0_11, 0]), id="no frame"),
        pytest.param(bytes([0b11111_0_11, 7]), id="140 ms"),
        pytest.param(bytes([0b00011_0_11, 3]), id="180 ms"),
        pytest.param(bytes([0b11100_0_11, 49]), id="122.5 ms"),
        pytest.param(bytes([0b11100_0_11, 63]), id="63 frames"),
    ],
)
def test_what_no_decoder_takes_has_no_duration(packet):
    assert opus_duration(packet) == 0


@given(st.binary(max_size=4))
def test_agrees_with_the_reference(packet):
    assert opus_duration(packet) == reference.duration(packet)
