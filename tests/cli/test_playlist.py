"""The list of `voicekit play`: opened one by one, as often as asked, without what is bad."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.measure import music
from tests.media.files import wav
from voicekit.cli.output import Report
from voicekit.cli.playlist import Playlist, Settings
from voicekit.errors import MediaError
from voicekit.media import EncoderOptions, FileSource


@pytest.fixture
def songs(tmp_path: Path) -> list[str]:
    """Three files of 1, 2 and 3 tenths of a second."""
    names = []
    for tenths in (1, 2, 3):
        path = tmp_path / f"{tenths}.wav"
        path.write_bytes(wav(music(tenths / 10)))
        names.append(str(path))
    return names


def playlist(names: list[str], **settings: Any) -> Playlist:
    return Playlist(names, Settings(encoder=EncoderOptions(), **settings), Report(json=True))


def frames_of(source: FileSource) -> int:
    with_end = sum(1 for _ in iter(source.read_pcm, None))
    source.close()
    return with_end


def test_one_after_the_other(songs: list[str]) -> None:
    files = playlist(songs)
    files.check()
    assert [frames_of(source) for source in files.sources()] == [5, 10, 15]
    assert files.failed == set()


def test_as_often_as_asked(songs: list[str]) -> None:
    assert [frames_of(source) for source in playlist(songs, times=2).sources()] == [5, 10, 15] * 2
    endless = playlist(songs, times=None).sources()
    assert [frames_of(next(endless)) for _ in range(7)] == [5, 10, 15, 5, 10, 15, 5]
    (single,) = playlist(songs[:1], times=3).sources()
    assert frames_of(single) == 15, "by itself, without a gap"


def test_it_begins_in_the_middle_once(songs: list[str]) -> None:
    files = playlist(songs[1:], times=2, seek=0.1)
    assert [frames_of(source) for source in files.sources()] == [5, 15, 10, 15]
    (single,) = playlist(songs[1:2], times=2, seek=0.1).sources()
    assert frames_of(single) == 5 + 10


def test_volume_and_loudness_are_those_of_each(songs: list[str], tmp_path: Path) -> None:
    loud = tmp_path / "loud.wav"
    loud.write_bytes(wav(music(0.5)))  # loudness needs 0.4 s
    short, measured = playlist([songs[0], str(loud)], volume=0.5, normalize=-30).sources()
    assert (short.volume, measured.volume) == (0.5, 0.5)
    assert short.gain == 0.5
    assert measured.gain < 0.3
    short.close()
    measured.close()


def test_the_bad_ones_are_named_and_left_out(
    songs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, none = str(tmp_path / "broken.mp3"), str(tmp_path / "none.ogg")
    Path(broken).write_bytes(b"no audio" * 100)
    files = playlist([broken, songs[0], none, songs[1]], times=2)
    files.check()
    assert not files.is_empty
    assert [frames_of(source) for source in files.sources()] == [5, 10, 5, 10]
    out, err = capsys.readouterr()
    assert [json.loads(line)["path"] for line in out.splitlines()] == [broken, none]
    assert [line.partition(":")[0] for line in err.splitlines()] == ["voicekit", "voicekit"]
    assert "broken.mp3" in err
    assert "none.ogg: No such file" in err
    assert files.failed == {broken, none}


def test_nothing_but_bad_ones_is_nothing(tmp_path: Path) -> None:
    files = playlist([str(tmp_path / "a"), str(tmp_path / "b")], times=None)
    files.check()
    assert files.is_empty
    assert list(files.sources()) == []
    with pytest.raises(MediaError, match="No such file"):
        playlist([str(tmp_path / "a")]).check()


def test_a_file_that_goes_bad_meanwhile_ends_a_loop(songs: list[str]) -> None:
    files = playlist(songs[:2], times=None)
    sources = files.sources()
    next(sources).close()
    for name in songs[:2]:
        os.remove(name)
    assert list(sources) == []
    assert files.failed == set(songs[:2])


def test_what_can_not_be_is_said(songs: list[str], tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"lasts 0\.1 s: --seek is beyond it"):
        playlist(songs[:1], seek=0.1).check()
    playlist(songs[:2], seek=0.05).check()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
def test_a_pipe_is_read_once(songs: list[str], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)  # so that nobody waits for the other end
    try:
        files = playlist([str(pipe)], times=2)
        files.check()  # does not look into it
        content = Path(songs[0]).read_bytes()
        os.write(reader, content)
        assert list(files.sources()) == []
        assert files.failed == {str(pipe)}
    finally:
        os.close(reader)


def test_urls_wait_for_their_turn(capsys: pytest.CaptureFixture[str]) -> None:
    files = playlist(["http://127.0.0.1:9/song.mp3", "https://127.0.0.1:9/other.mp3?key=secret"])
    files.check()
    assert files.failed == set()
    assert list(files.sources()) == []
    assert files.failed == {"http://127.0.0.1:9/song.mp3", "https://127.0.0.1:9/other.mp3"}
    assert "secret" not in "".join(capsys.readouterr())
