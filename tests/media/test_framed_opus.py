"""Opus behind lengths: disgo's u32 streams, and both kinds of DCA."""

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.measure import music
from tests.media.frames import decoded, encoded
from voicekit.errors import MediaError
from voicekit.media import FramedOpusReader, FramedOpusWriter, open_source, probe

PACKETS = encoded(music(1))
FRAMED = b"".join(struct.pack("<I", len(packet)) + packet for packet in PACKETS)
DCA0 = b"".join(struct.pack("<h", len(packet)) + packet for packet in PACKETS)
HEADER = {
    "dca": {"version": 1, "tool": {"name": "dca-encoder", "version": "1.0.0"}},
    "opus": {"mode": "music", "sample_rate": 48000, "frame_size": 960, "channels": 2},
    "info": {"title": "Ode an die Freude", "artist": "Beethoven", "cover": None, "genre": ""},
}


def dca1(header: bytes) -> bytes:
    return b"DCA1" + struct.pack("<i", len(header)) + header + DCA0


DCA1 = dca1(json.dumps(HEADER).encode())
KINDS = {"framed-opus": FRAMED, "dca": DCA0, None: DCA1}


class Pipe(io.RawIOBase):
    """Gives bytes a few at a time, and can not seek."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._content.read(min(size, 7) if size >= 0 else 7)


@pytest.mark.parametrize("format", KINDS)
@pytest.mark.parametrize("piped", [False, True])
def test_it_passes_through_byte_for_byte(format: str | None, piped: bool) -> None:
    content = KINDS[format]
    source = open_source(Pipe(content) if piped else content, format=format)  # type: ignore[arg-type]
    assert source.passthrough
    assert source.duration == (None if piped else pytest.approx(1))
    assert source.seekable is not piped
    assert list(iter(source.read, None)) == PACKETS
    source.close()


@pytest.mark.parametrize("format", KINDS)
def test_it_is_sought_to_the_packet(format: str | None) -> None:
    source = open_source(KINDS[format], format=format, start=0.5)
    assert source.position == pytest.approx(0.5)
    assert list(iter(source.read, None)) == PACKETS[25:]
    source.seek(0.119)
    assert source.position == pytest.approx(0.1)
    assert source.read() == PACKETS[5]
    source.seek(0)
    assert source.read() == PACKETS[0]
    source.seek(5)
    assert source.read() is None
    source.close()


@pytest.mark.parametrize("format", KINDS)
def test_probing_counts(format: str | None) -> None:
    info = probe(KINDS[format], format=format)
    assert info.container == (format or "dca")
    assert (info.codec, info.sample_rate, info.channels) == ("opus", 48_000, 2)
    assert info.duration == pytest.approx(1)
    assert info.bit_rate == sum(map(len, PACKETS)) * 8
    assert info.metadata == (
        {"title": "Ode an die Freude", "artist": "Beethoven"} if format is None else {}
    )


@pytest.mark.parametrize("format", KINDS)
def test_probing_leaves_a_file_object_where_it_was(format: str | None) -> None:
    file = io.BytesIO(b"1234" + KINDS[format])
    file.seek(4)
    assert probe(file, format=format).codec == "opus"
    assert file.tell() == 4


def test_dca1_has_its_header() -> None:
    reader = FramedOpusReader(DCA1, dca=True)
    assert reader.header == HEADER
    assert list(reader) == PACKETS
    reader.rewind()
    assert reader.read() == PACKETS[0]
    reader.close()


@pytest.mark.parametrize("header", [b"", b"{", b"[" * 100_000, b"\xff\xfe"])
def test_a_dca_header_that_is_no_json(header: bytes) -> None:
    with pytest.raises(MediaError, match="DCA1 with JSON that is none"):
        FramedOpusReader(dca1(header), dca=True)


@pytest.mark.parametrize("header", [b"[1, 2]", b'"x"', b"{}", b'{"info": [1]}'])
def test_a_dca_header_that_says_nothing(header: bytes) -> None:
    reader = FramedOpusReader(dca1(header), dca=True)
    assert reader.metadata == {}
    assert list(reader) == PACKETS


@pytest.mark.parametrize("length", [-1, 2**31 - 1])
def test_a_dca_header_of_an_impossible_length(length: int) -> None:
    with pytest.raises(MediaError, match="bytes of JSON"):
        open_source(b"DCA1" + struct.pack("<i", length) + bytes(50))


@pytest.mark.parametrize("cut", [1, 3, 40])
def test_what_is_cut_off_plays_up_to_the_cut(cut: int) -> None:
    for format, content in (("framed-opus", FRAMED), ("dca", DCA0)):
        source = open_source(content[:-cut], format=format)
        assert list(iter(source.read, None)) == PACKETS[:-1]
        source.close()


def test_a_length_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.opus"
    for content, format in (
        (FRAMED[:200] + b"\xff" * 400, "framed-opus"),
        (DCA0[: 2 + len(PACKETS[0])] + b"\x00\x00" + bytes(50), "dca"),
        (b"\xff\xff" + bytes(50), "dca"),
        (b"these are just words", "framed-opus"),
    ):
        path.write_bytes(content)
        with pytest.raises(MediaError, match=r"a\.opus is damaged at byte \d+") as raised:
            open_source(path, format=format)
        assert "\n" not in str(raised.value)
    path.write_bytes(b"")
    with pytest.raises(MediaError, match="is empty"):
        open_source(path, format="dca")
    path.write_bytes(b"\1\0\0")
    with pytest.raises(MediaError, match="holds no audio"):
        open_source(path, format="framed-opus")


def test_the_writer_writes_what_the_reader_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.opus"
    writer = FramedOpusWriter(path)
    assert all(writer.write(packet) for packet in PACKETS)
    assert writer.samples == 48_000
    writer.close()
    writer.close()
    assert path.read_bytes() == FRAMED
    with path.open("rb") as file:
        assert list(FramedOpusReader(file)) == PACKETS
        assert not file.closed, "it is the caller's"


def test_the_writer_leaves_out_other_users() -> None:
    file = io.BytesIO()
    writer = FramedOpusWriter(file, users={1, 3})
    written = [
        writer.write(packet, user) for user, packet in zip((1, 2, 3, None), PACKETS, strict=False)
    ]
    assert written == [True, False, True, False]
    assert list(FramedOpusReader(file.getvalue())) == [PACKETS[0], PACKETS[2]]


@pytest.mark.parametrize("packet", [b"", b"\xff\x00", bytes([0xFC]) + bytes(61_300)])
def test_the_writer_refuses_what_is_not_opus(packet: bytes) -> None:
    file = io.BytesIO()
    with pytest.raises(ValueError, match="no Opus packet"):
        FramedOpusWriter(file).write(packet)
    assert not file.getvalue()


def test_the_writers_file_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"can not write .*missing"):
        FramedOpusWriter(tmp_path / "missing" / "a.opus")


def test_its_samples_are_the_decoders() -> None:
    source = open_source(DCA1)
    pcm = b"".join(iter(source.read_pcm, None))
    assert np.array_equal(np.frombuffer(pcm, np.int16).reshape(-1, 2), decoded(PACKETS))
    source.close()
