"""Ogg Opus files: their pages by the RFC, read back by FFmpeg, intact at any time."""

import errno
import io
import struct
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.measure import music
from tests.media.frames import encoded
from tests.reference import ogg
from voicekit._rtp import opus_duration
from voicekit.codes import SILENCE_FRAME
from voicekit.errors import MediaError
from voicekit.media import OggOpusWriter, read_opus_packets
from voicekit.media.ogg import PRE_SKIP, is_filler, page_checksum
from voicekit.opus import Decoder, Encoder

PACKETS = encoded(music(3))


def write(packets: list[bytes], *, length: int | None = None) -> bytes:
    file = io.BytesIO()
    writer = OggOpusWriter(file, serial=1)
    for packet in packets:
        writer.write(packet)
    writer.close(length)
    return file.getvalue()


def audio_pages(data: bytes) -> list[ogg.Page]:
    return ogg.parse(data)[2:]


def played(data: bytes, codec: str = "opus") -> int:
    """Samples that one of FFmpeg's decoders makes of a file."""
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        context = av.CodecContext.create(codec, "r")
        context.extradata = stream.codec_context.extradata
        packets = [packet for packet in container.demux(stream) if packet.size]
        return sum(frame.samples for packet in packets for frame in context.decode(packet))


def test_the_packets_come_back_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "call.ogg"
    path.write_bytes(write(PACKETS))
    assert read_opus_packets(path) == PACKETS
    assert [packet for page in audio_pages(write(PACKETS)) for packet in page.packets] == PACKETS


def test_the_headers() -> None:
    file = io.BytesIO()
    OggOpusWriter(file, channels=1, pre_skip=120, tags=["TITLE=Größe", "A=b"], serial=9).close()
    head, tags, end = ogg.parse(file.getvalue())
    assert (head.flags, head.granule, head.serial) == (ogg.BEGIN, 0, 9)
    assert head.packets == [
        b"OpusHead\x01\x01" + struct.pack("<HIhB", 120, 48_000, 0, 0),
    ]
    assert (tags.flags, tags.granule) == (0, 0)
    title = "TITLE=Größe".encode()
    assert tags.packets == [
        b"OpusTags\x08\0\0\0voicekit\x02\0\0\0"
        + struct.pack("<I", len(title)) + title + b"\x03\0\0\0A=b"
    ]  # fmt: skip
    assert (end.flags, end.packets) == (ogg.END, [])


def test_granule_positions_count_samples_and_no_page_is_longer_than_a_second() -> None:
    position = 0
    pages = audio_pages(write(PACKETS))
    assert len(pages) == 3
    for page in pages:
        samples = sum(map(opus_duration, page.packets))
        assert samples <= 48_000
        position += samples
        assert page.granule == position
    assert [page.flags for page in pages] == [0, 0, ogg.END]


def test_the_end_can_be_cut_to_the_sample() -> None:
    data = write(PACKETS, length=100_001)
    assert audio_pages(data)[-1].granule == 100_001 + PRE_SKIP
    assert played(write(PACKETS, length=142_345)) == 142_345


def test_a_cut_goes_no_further_than_the_last_page() -> None:
    assert audio_pages(write(PACKETS, length=0))[-1].granule == 96_000
    assert audio_pages(write(PACKETS, length=10**9))[-1].granule == 144_000


def test_the_file_is_whole_up_to_its_last_page_at_any_time() -> None:
    file = io.BytesIO()
    writer = OggOpusWriter(file)
    size = len(file.getvalue())
    on_disk = 0
    for n, packet in enumerate(PACKETS, 1):
        writer.write(packet)
        if len(file.getvalue()) != size:
            size = len(file.getvalue())
            on_disk = sum(len(page.packets) for page in audio_pages(file.getvalue()))
            assert read_opus_packets(file.getvalue()) == PACKETS[:on_disk]
        assert n - on_disk <= 50, "at most a second is missing"
    assert on_disk == 100


@pytest.mark.parametrize("codec", ["opus", "libopus"])
@pytest.mark.parametrize("fill", ["conceal", "pause"])
@pytest.mark.parametrize("gap", [120, 960, 4800, 5760, 144_480])
def test_a_gap_takes_its_time_and_any_decoder_plays_it(codec: str, fill: str, gap: int) -> None:
    file = io.BytesIO()
    writer = OggOpusWriter(file)
    for n, packet in enumerate(PACKETS):
        if n == 60:
            getattr(writer, fill)(gap)
        writer.write(packet)
    assert writer.samples == len(PACKETS) * 960 + gap - PRE_SKIP
    writer.close()
    assert played(file.getvalue(), codec) == writer.samples
    assert read_opus_packets(file.getvalue()) == PACKETS
    assert sum(map(len, audio_pages(file.getvalue())[-1].packets)) < 20_000


def test_an_hour_of_silence_takes_little_room() -> None:
    file = io.BytesIO()
    writer = OggOpusWriter(file)
    writer.write(PACKETS[0])
    writer.pause(3600 * 48_000)
    writer.write(PACKETS[1])
    assert writer.samples == 3600 * 48_000 + 1920 - PRE_SKIP
    writer.close()
    assert len(file.getvalue()) < 600_000


def test_a_pause_is_silent_even_behind_a_loud_tone() -> None:
    file = io.BytesIO()
    writer = OggOpusWriter(file)
    for packet in PACKETS:
        writer.write(packet)
    writer.pause(48_000)
    writer.close()
    decoder = Decoder()
    pcm = [
        decoder.decode(packet) for page in audio_pages(file.getvalue()) for packet in page.packets
    ]
    assert set(pcm[-1]) == {0}


@given(st.lists(st.integers(0, 20_000), max_size=20))
def test_what_is_too_short_for_a_frame_is_not_lost_but_owed(gaps: list[int]) -> None:
    writer = OggOpusWriter(io.BytesIO(), pre_skip=0)
    for n, gap in enumerate(gaps, 1):
        (writer.conceal if n % 2 else writer.pause)(gap)
        assert -60 <= sum(gaps[:n]) - writer.samples < 60
    writer.close()


@pytest.mark.parametrize("milliseconds", [2.5, 5, 10, 20, 40, 60])
def test_concealment_keeps_the_configuration_of_the_packet_before(milliseconds: float) -> None:
    samples = round(48 * milliseconds)
    packet = Encoder(48_000, 1, "voip").encode(bytes(samples * 2))
    file = io.BytesIO()
    writer = OggOpusWriter(file)
    writer.write(packet)
    writer.conceal(samples)
    writer.close()
    _, filler = audio_pages(file.getvalue())[0].packets
    assert filler[0] >> 2 == packet[0] >> 2
    assert opus_duration(filler) == samples
    assert len(filler) == 2
    assert is_filler(filler)


@pytest.mark.parametrize(
    "packet", [SILENCE_FRAME, b"\xfc\xff\xfe", b"\xfc", b"\xf8", b"", b"\xff", b"\xff\x41\x01"]
)
def test_what_senders_send_is_no_filler(packet: bytes) -> None:
    assert not is_filler(packet)


@pytest.mark.parametrize("packet", [b"", b"\xff", b"\x03\x00", b"\xfb\x3f", bytes(61_299)])
def test_what_is_no_opus_does_not_get_into_the_file(packet: bytes) -> None:
    file = io.BytesIO()
    writer = OggOpusWriter(file)
    before = file.getvalue()
    with pytest.raises(ValueError, match="no Opus packet"):
        writer.write(packet)
    writer.close()
    assert audio_pages(file.getvalue())[0].packets == []
    assert file.getvalue().startswith(before)


@pytest.mark.parametrize("size", [1, 2, 254, 255, 256, 509, 510, 511, 1275])
def test_lacing_around_multiples_of_255(size: int) -> None:
    packets = [b"\xfc" + bytes(size - 1)] * 120
    data = write(packets)
    assert [packet for page in audio_pages(data) for packet in page.packets] == packets


def test_large_packets_end_a_page_before_it_is_a_second_long() -> None:
    encoder = Encoder()
    encoder.bitrate, encoder.vbr = "max", False
    packets = [encoder.encode(bytes(3840)) for _ in range(60)]
    assert len(packets[0]) > 1200
    assert max(len(page.lacing) for page in audio_pages(write(packets))) <= 255
    assert read_opus_packets(write(packets)) == packets


@given(st.binary(max_size=300))
def test_the_checksum_is_that_of_the_reference(data: bytes) -> None:
    assert page_checksum(data) == ogg.crc(data)


def test_close_is_idempotent_and_leaves_a_file_object_of_the_caller_open(tmp_path: Path) -> None:
    file = io.BytesIO()
    writer = OggOpusWriter(file)
    writer.close()
    writer.close()
    assert not file.closed
    written = OggOpusWriter(tmp_path / "a.ogg")
    written.close()
    assert ogg.parse((tmp_path / "a.ogg").read_bytes())[-1].flags == ogg.END


def test_a_file_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"can not write .*nowhere.a\.ogg: No such file"):
        OggOpusWriter(tmp_path / "nowhere" / "a.ogg")


def test_a_full_disk_names_the_file() -> None:
    class Full(io.BytesIO):
        name = "full.ogg"

        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(MediaError, match=r"can not write full.ogg: No space left"):
        OggOpusWriter(Full())


def test_wrong_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="channels"):
        OggOpusWriter(tmp_path / "a.ogg", channels=6)
    with pytest.raises(ValueError, match="tags"):
        OggOpusWriter(tmp_path / "a.ogg", tags=["A=" + "x" * 70_000])
    assert not (tmp_path / "a.ogg").exists()
