"""`voicekit record` in other formats, its manifest, and `voicekit report`, over real sockets."""

import json
import signal
from pathlib import Path

import av
import pytest

from voicekit.media import read_manifest

from .processes import call_flags, finish, served, start, wait_recorded
from .tunes import write_tune

PLAYER, LISTENER = 11, 12


@pytest.mark.parametrize("file_format", ["mka", "flac"])
def test_a_recording_with_a_mix_and_its_report(file_format: str, tmp_path: Path) -> None:
    tune = write_tune(tmp_path / "tune.ogg", 2.0)
    out = tmp_path / "out"
    with served() as server:
        recorder = start(
            *("record", out, *call_flags(server.url, LISTENER), "--seconds", 300),
            *("--format", file_format, "--mix"),
        )
        try:
            assert recorder.stdout is not None
            assert json.loads(recorder.stdout.readline())["event"] == "ready"
            played = finish(start("play", tune, *call_flags(server.url, PLAYER)))[-1]
            wait_recorded(out, PLAYER, played["frames_sent"] + 5)
            recorder.send_signal(signal.SIGINT)
            done = finish(recorder, code=130)[-1]
        finally:
            if recorder.poll() is None:
                recorder.kill()
                recorder.wait()
    track, mix = done["tracks"]
    assert (track["user_id"], track["error"], track["lost"]) == (PLAYER, None, 0)
    assert (mix["user_id"], mix["path"]) == (None, str(out / f"mix.{file_format}"))
    for path in (track["path"], mix["path"]):
        with av.open(path) as container:
            heard = sum(frame.samples for frame in container.decode(audio=0))
        assert heard / 48_000 > 1.9
    manifest = read_manifest(out)
    assert (manifest.state, manifest.format) == ("complete", file_format)
    assert manifest.began is not None
    ((begin, end),) = manifest.tracks[0].spurts
    assert end - begin == pytest.approx(2.0, abs=0.1)
    (drawn,) = finish(start("report", out, "--json"))
    assert drawn == {"event": "done", "path": str(out / "report.html"), "tracks": 2}


def test_a_format_that_is_none_is_one_line(tmp_path: Path) -> None:
    flags = call_flags("ws://127.0.0.1:9", LISTENER)
    process = start("record", tmp_path, *flags, "--seconds", 1, "--format", "mp9")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "mp9" in err
    assert err.count("\n") == 1
