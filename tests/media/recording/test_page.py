"""`voicekit report`: one page, without anything from elsewhere."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.measure import music
from tests.media.frames import encoded
from tests.media.recording.calls import speech, together
from voicekit.cli import app
from voicekit.media import Recorder
from voicekit.media.recording.page import read_levels

PCM = music(2)
PACKETS = encoded(PCM)


class Well(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.outside += [f"{name}={value}" for name, value in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("file_format", ["ogg", "mka", "wav", "pcm"])
def test_a_recording_is_drawn(
    file_format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder(tmp_path, file_format, mix=True)
    late = speech(PACKETS, user_id=43, ssrc=8, at=1004.0, lose={30, 31}, e2ee=True)
    for frame in together(speech(PACKETS), late):
        recorder.write(frame)
    recorder.close()
    assert app.run(["report", str(tmp_path), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done == {"event": "done", "path": str(tmp_path / "report.html"), "tracks": 3}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    parser = Well()
    parser.feed(page)
    assert parser.open == []
    assert parser.outside == []
    assert not re.search(r"https?://|@import|url\(", page)
    assert "user 42" in page
    assert "everybody" in page
    assert page.count('class="spurt"') == 2
    assert page.count('class="loss"') == 1
    assert page.count("<path") == 3


def test_levels_are_those_of_the_sound(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "wav", sync_start=True, begin=1000.0)
    for frame in speech(PACKETS, at=1002.0, path=0.0):
        recorder.write(frame)
    (track,) = recorder.close()
    assert track.path is not None
    levels = read_levels(track.path, track.seconds, columns=4)
    assert levels[0] == -120.0
    assert levels[1] < -20, "a block of the file may reach over the edge"
    assert all(-30 < level < -5 for level in levels[2:])


def test_what_is_no_recording_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["report", str(tmp_path)]) == 1
    assert "recording.json" in capsys.readouterr().err


def test_a_damaged_file_costs_its_own_levels_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder(tmp_path)
    for frame in together(speech(PACKETS), speech(PACKETS, user_id=43, ssrc=8)):
        recorder.write(frame)
    recorder.close()
    (tmp_path / "42.ogg").write_bytes(b"no")
    assert app.run(["report", str(tmp_path)]) == 0
    assert "42.ogg" in capsys.readouterr().err
    assert (tmp_path / "report.html").read_text().count("<path") == 1
