"""Files as sources: untouched where they hold Opus, encoded where not, named when they are bad."""

import io
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.measure import SAMPLE_RATE, measure, music
from tests.media.files import made_by_ffmpeg, video, wav
from tests.media.frames import decoded, encoded
from tests.reference import ogg
from voicekit._rtp import opus_duration
from voicekit.errors import MediaError
from voicekit.media import (
    EncoderOptions,
    OggOpusWriter,
    Source,
    open_source,
    read_opus_packets,
)
from voicekit.opus import Encoder

ROOT = Path(__file__).resolve().parents[2]
PCM = music(3)
PACKETS = encoded(PCM)


def ogg_of(packets: list[bytes], **settings: Any) -> bytes:
    file = io.BytesIO()
    writer = OggOpusWriter(file, **settings)
    for packet in packets:
        writer.write(packet)
    writer.close()
    return file.getvalue()


def read_all(source: Source) -> list[bytes]:
    frames = list(iter(source.read, None))
    assert source.read() is None, "the end stays the end"
    source.close()
    return frames


# -- untouched -----------------------------------------------------------------


def test_ogg_opus_passes_through_byte_for_byte() -> None:
    source = open_source(ogg_of(PACKETS))
    assert source.passthrough
    assert source.duration == pytest.approx(3, abs=0.02)
    assert read_all(source) == PACKETS


@pytest.mark.parametrize("container", ["webm", "matroska", "ogg", "mp4"])
def test_opus_of_ffmpeg_passes_through_in_any_container(container: str) -> None:
    file = made_by_ffmpeg(PCM, container, "libopus", b="128000")
    source = open_source(file)
    assert source.passthrough
    frames = read_all(source)
    assert frames == read_opus_packets(file)
    assert {opus_duration(frame) for frame in frames} == {960}
    assert measure(PCM, decoded(frames)).faithful


def test_mono_opus_passes_through() -> None:
    encoder = Encoder(SAMPLE_RATE, 1)
    packets = [encoder.encode(PCM[at : at + 960, 0].copy()) for at in range(0, 9600, 960)]
    assert read_all(open_source(ogg_of(packets, channels=1))) == packets


def test_what_only_fills_gaps_in_a_recording_passes_too() -> None:
    file = io.BytesIO()
    writer = OggOpusWriter(file)
    writer.write(PACKETS[0])
    writer.conceal(960)
    writer.write(PACKETS[1])
    writer.close()
    assert len(read_all(open_source(file.getvalue()))) == 3
    assert read_opus_packets(file.getvalue()) == PACKETS[:2]


def test_a_volume_other_than_1_is_heard() -> None:
    half = read_all(open_source(ogg_of(PACKETS), volume=0.5))
    assert not open_source(ogg_of(PACKETS), volume=0.5).passthrough
    assert measure(PCM // 2, decoded(half)).faithful


def test_a_gain_in_the_header_is_applied() -> None:
    """RFC 7845 section 5.1: 'the gain to be applied when decoding', in 1/256 dB."""
    file = ogg_of(PACKETS)
    head = file.index(b"OpusHead")
    changed = file[: head + 16] + struct.pack("<h", round(-6.02 * 256)) + file[head + 18 :]
    first_page = changed[:22] + bytes(4) + changed[26 : head + 19]
    changed = changed[:22] + struct.pack("<I", ogg.crc(first_page)) + changed[26:]
    source = open_source(changed)
    assert not source.passthrough
    assert measure(PCM // 2, decoded(read_all(source))).faithful


# -- encoded -------------------------------------------------------------------


def test_surround_and_mono_become_stereo() -> None:
    mono = np.repeat(PCM[:, :1], 2, axis=1)
    frames = read_all(open_source(wav(PCM[:, :1])))
    out = decoded(frames)
    assert np.abs(out[:, 0].astype(int) - out[:, 1]).max() < 100
    assert measure(mono, out).faithful
    assert np.std(out) == pytest.approx(np.std(mono), rel=0.02), "as loud as it was"
    surround = read_all(open_source(made_by_ffmpeg(PCM, "flac", "flac", layout="5.1")))
    assert decoded(surround).any()


@pytest.mark.parametrize("samples", [1, 959, 960, 961, 48_000, 48_001])
def test_the_last_frame_is_filled_not_dropped(samples: int) -> None:
    assert len(read_all(open_source(wav(PCM[:samples])))) == -(-samples // 960)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 96_000])
def test_a_minute_is_3000_frames_at_any_rate(rate: int) -> None:
    silence = np.zeros((60 * rate, 2), np.int16)
    assert len(read_all(open_source(wav(silence, rate)))) == 3000


def test_the_bitrate_is_kept() -> None:
    sizes = [
        sum(map(len, read_all(open_source(wav(PCM), encoder=EncoderOptions(bitrate=rate)))))
        for rate in (32_000, 192_000)
    ]
    assert sizes[0] == pytest.approx(32_000 / 8 * 3, rel=0.15)
    assert sizes[1] == pytest.approx(192_000 / 8 * 3, rel=0.15)


def test_the_format_may_change_in_the_middle() -> None:
    """ADTS has the rate and the channels in each frame."""
    first = made_by_ffmpeg(PCM, "adts", "aac", rate=48_000)
    second = made_by_ffmpeg(PCM, "adts", "aac", rate=24_000, layout="mono")
    frames = read_all(open_source(first + second))
    assert len(frames) == pytest.approx(300, abs=8)
    out = decoded(frames)
    assert measure(PCM, out).snr > 10
    # FFmpeg mixes floats down by 0.7 each.
    mono = np.repeat(PCM.mean(axis=1, dtype=np.float64)[:, None], 2, axis=1) * np.sqrt(2)
    assert measure(mono[24_000:96_000], out[144_000 + 24_000 :]).snr > 10


# -- where it comes from -------------------------------------------------------


def test_a_path_bytes_and_a_file_object_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    path.write_bytes(ogg_of(PACKETS))
    assert read_all(open_source(path)) == read_all(open_source(str(path))) == PACKETS
    with path.open("rb") as file:
        assert read_all(open_source(file)) == PACKETS
        assert not file.closed, "it is the caller's"


def test_close_is_idempotent_and_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(PCM))
    source = open_source(path)
    source.read()
    source.close()
    source.close()
    assert source.read() is None
    path.rename(tmp_path / "b.wav")


def test_a_path_object_is_never_a_url() -> None:
    with pytest.raises(MediaError, match=r"can not read http:.*a\.mp3: No such"):
        open_source(Path("http://127.0.0.1:9/a.mp3"))
    with pytest.raises(MediaError, match=r"can not read file:///etc/passwd: No such"):
        open_source("file:///etc/passwd")


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{name}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{name}'\n",
    ],
    ids=["hls", "concat"],
)
def test_a_playlist_makes_ffmpeg_open_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, playlist: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret.mp3").write_bytes(made_by_ffmpeg(PCM, "mp3", "libmp3lame"))
    Path("list").write_text(playlist.format(name="secret.mp3"))
    with pytest.raises(MediaError):
        open_source("list")


# -- bad files -----------------------------------------------------------------

BAD = {
    "empty": (b"", "is empty"),
    "text": (b"these are just words\n" * 50, "not a media file"),
    "noise": (os.urandom(4096), "not a media file|holds no audio"),
    "cut in the header": (wav(PCM)[:30], "not a media file"),
    "video only": (video(), "holds no audio, only video"),
    "nothing but a header": (wav(PCM)[:44], "holds no audio that can be decoded|not Opus"),
}


@pytest.mark.parametrize(("content", "why"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_one_line_that_names_it(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "song.bin"
    path.write_bytes(content)
    for read in (open_source, read_opus_packets):
        with pytest.raises(MediaError, match=why) as raised:
            read(path)
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)
    path.unlink()  # on Windows an open file could not be


def test_what_can_not_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"can not read .*missing\.mp3: No such file"):
        open_source(tmp_path / "missing.mp3")
    with pytest.raises(MediaError, match=r"Is a directory|Permission denied"):
        open_source(tmp_path)


@pytest.mark.skipif(
    sys.platform == "win32" or (hasattr(os, "geteuid") and os.geteuid() == 0),
    reason="root may read everything",
)
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(PCM))
    path.chmod(0)
    with pytest.raises(MediaError, match="Permission denied"):
        open_source(path)


def test_opus_is_asked_for_and_something_else_is_there() -> None:
    with pytest.raises(MediaError, match="holds pcm_s16le, not Opus"):
        read_opus_packets(wav(PCM))


def test_damage_in_the_middle_costs_only_what_is_damaged() -> None:
    file = bytearray(made_by_ffmpeg(PCM, "flac", "flac"))
    middle = len(file) // 2
    file[middle : middle + 3000] = bytes(3000)
    frames = read_all(open_source(bytes(file)))
    assert 120 < len(frames) <= 152
    assert measure(PCM[:48_000], decoded(frames)[:48_000]).faithful


def test_a_cut_off_file_plays_up_to_the_cut() -> None:
    whole = wav(PCM)
    assert len(read_all(open_source(whole[: len(whole) // 2]))) == pytest.approx(75, abs=3)
    opus = ogg_of(PACKETS)
    frames = read_all(open_source(opus[: len(opus) * 2 // 3]))
    assert frames == PACKETS[: len(frames)]
    assert len(frames) >= 50


WRONG: list[dict[str, Any]] = [
    {"volume": -1},
    {"volume": float("nan")},
    {"volume": float("inf")},
    {"start": -0.1},
    {"start": float("nan")},
    {"loop": -1},
    {"normalize": 0.0},
    {"normalize": float("nan")},
]


@pytest.mark.parametrize("settings", WRONG, ids=str)
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        open_source(wav(PCM), **settings)


def test_without_pyav_the_error_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['av'] = None\n"
        "from voicekit.media import open_source\n"
        "try: open_source(b'x')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert run.stdout.startswith("MediaError reading media files needs PyAV: pip install")


def test_passing_through_needs_no_libopus(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['opuslib'] = None\n"
        "from voicekit.media import *\n"
        "source = open_source(sys.stdin.buffer.read())\n"
        "print(source.passthrough, len(list(iter(source.read, None))))\n"
        "packets = iter([b'\\xfc\\xff\\xfe'] * 3)\n"
        "provided = open_opus_provider(lambda: next(packets, None))\n"
        "print(len(list(iter(provided.next_packet, None))), provided.next_pcm())\n"
        "try: open_source(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    path = tmp_path / "a.wav"
    path.write_bytes(wav(PCM[:4800]))
    run = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        input=ogg_of(PACKETS),
        capture_output=True,
        timeout=60,
        cwd=ROOT,
    )
    assert run.stdout.decode().split() == ["True", "150", "3", "None", "OpusNotFound"], (
        run.stderr.decode()
    )
