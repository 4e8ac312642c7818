"""Opus of any frame size is played untouched where it can be, and live volume comes and goes."""

import io
import struct

import numpy as np
import pytest

from tests.measure import measure, music
from tests.media.frames import decoded, encoded
from voicekit._rtp import opus_duration
from voicekit.media import EncoderOptions, FileSource, OggOpusWriter, open_source
from voicekit.opus import Encoder
from voicekit.opus_frames import split_frames

PCM = music(2)


def ogg_of(packets: list[bytes]) -> bytes:
    file = io.BytesIO()
    writer = OggOpusWriter(file)
    for packet in packets:
        writer.write(packet)
    writer.close()
    return file.getvalue()


def read_all(source: FileSource) -> list[bytes]:
    frames = list(iter(source.read, None))
    assert source.read() is None, "the end stays the end"
    source.close()
    return frames


def speech(frame: int) -> list[bytes]:
    """Packets of one SILK frame, which can not be cut."""
    encoder = Encoder(48_000, 2, "voip")
    encoder.bandwidth = "wideband"
    encoder.bitrate = 24_000
    encoder.signal = "voice"
    encoder.inband_fec, encoder.packet_loss_perc = 1, 20  # leaves libopus no choice
    return [encoder.encode(PCM[at : at + frame]) for at in range(0, len(PCM) - frame, frame)]


@pytest.mark.parametrize("size", [120, 240, 480, 1920, 2880, 3840, 4800, 5760])
def test_opus_in_packets_of_another_length_is_regrouped(size: int) -> None:
    packets = encoded(PCM, frame=size)
    source = open_source(ogg_of(packets))
    assert source.passthrough
    frames = read_all(source)
    assert source.passthrough
    assert {opus_duration(frame) for frame in frames} == {960}
    before = [frame for packet in packets for frame in split_frames(packet)]
    after = [frame for packet in frames for frame in split_frames(packet)]
    assert after[: len(before)] == before
    assert {len(frame) for frame in after[len(before) :]} <= {1}, "the end is filled with nothing"
    played, wanted = decoded(frames), decoded(packets)
    assert np.array_equal(played[: len(wanted)], wanted)


@pytest.mark.parametrize("size", [1920, 2880])
def test_frames_that_can_not_be_cut_are_encoded_anew(size: int) -> None:
    packets = speech(size)
    assert len(split_frames(packets[0])) == 1
    source = open_source(ogg_of(packets))
    assert not source.passthrough
    frames = read_all(source)
    assert {opus_duration(frame) for frame in frames} == {960}
    assert len(frames) == -(-len(packets) * size // 960)
    assert measure(decoded(packets), decoded(frames)).snr > 10


def test_a_frame_that_can_not_be_cut_changes_over_in_the_middle() -> None:
    packets, longer = encoded(PCM)[:50], speech(1920)[:20]
    source = open_source(ogg_of(packets + longer))
    assert source.passthrough
    frames = read_all(source)
    assert not source.passthrough
    assert frames[:50] == packets
    assert len(frames) == 90
    assert {opus_duration(frame) for frame in frames} == {960}
    out, wanted = decoded(frames), decoded(packets + longer)
    # Neither silence nor a step where it changes over: 6.5 ms of what was before come again.
    around = out[50 * 960 - 480 : 50 * 960 + 1440].astype(int)
    assert np.abs(np.diff(around, axis=0)).max() < 2 * np.abs(np.diff(wanted, axis=0)).max()
    assert measure(wanted[52 * 960 :], out[52 * 960 :]).snr > 8


def test_a_shift_by_half_a_frame_is_encoded_anew() -> None:
    packets = encoded(PCM, frame=480)[:1] + encoded(PCM)[:20]
    source = open_source(ogg_of(packets))
    assert not source.passthrough
    frames = read_all(source)
    assert {opus_duration(frame) for frame in frames} == {960}
    assert len(frames) == 21


def test_a_damaged_packet_is_left_out() -> None:
    packets = encoded(PCM)[:10]
    framed = b"".join(
        struct.pack("<I", len(packet)) + packet
        for packet in [*packets[:5], b"\xff\x00", b"\xfd\x01\x02\x03", *packets[5:]]
    )
    assert read_all(open_source(framed, format="framed-opus")) == packets
    halved = read_all(open_source(framed, format="framed-opus", volume=0.5))
    assert len(halved) == 10


def test_volume_changes_between_untouched_and_encoded() -> None:
    packets = encoded(PCM)
    source = open_source(ogg_of(packets), encoder=EncoderOptions(bitrate=256_000))
    frames = [source.read() for _ in range(20)]
    source.volume = 0.25
    assert not source.passthrough
    frames += [source.read() for _ in range(30)]
    source.volume = 1
    assert source.passthrough
    frames += list(iter(source.read, None))
    assert len(frames) == len(packets)
    assert frames[:20] == packets[:20]
    assert frames[20:51] != packets[20:51]
    assert frames[51:] == packets[51:], "one frame to get back to 1, then untouched"
    out = decoded([frame for frame in frames if frame is not None])
    wanted = decoded(packets)
    # Encoded frames come 6.5 ms later.
    quiet, same = out[22 * 960 + 312 : 49 * 960 + 312], wanted[22 * 960 : 49 * 960]
    assert np.std(quiet) == pytest.approx(0.25 * np.std(same), rel=0.02)
    assert measure(same / 4, quiet).snr > 15
    assert np.abs(np.diff(out.astype(int), axis=0)).max() <= (
        1.2 * np.abs(np.diff(wanted.astype(int), axis=0)).max()
    ), "no click"
    assert measure(wanted[54 * 960 :], out[54 * 960 :]).snr > 30


def test_opus_is_given_as_samples_too() -> None:
    packets = encoded(PCM)
    source = open_source(ogg_of(packets))
    pcm = b"".join(iter(source.read_pcm, None))
    assert np.array_equal(np.frombuffer(pcm, np.int16).reshape(-1, 2), decoded(packets))
    assert source.passthrough, "nothing was encoded"
    source.seek(0)
    assert read_all(source) == packets
