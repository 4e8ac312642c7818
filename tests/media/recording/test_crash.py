"""kill -9 in the middle of a recording: at most the last second is lost, in every format."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.media.recording.calls import RATE, audio_of
from tests.media.recording.test_formats import sound_of
from voicekit.media import read_manifest, read_opus_packets
from voicekit.media.recording import FORMATS

ROOT = Path(__file__).parents[3]
#: What may not be lost any more when the process is killed.
SECONDS = 1.6


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9")
def test_a_kill_costs_at_most_the_last_second(tmp_path: Path) -> None:
    """All formats at once, so that it takes as long as one."""
    killed = {}
    running = {}
    for file_format in FORMATS:
        command = [sys.executable, "-m", "tests.media.recording.recording_process"]
        running[file_format] = subprocess.Popen(
            [*command, str(tmp_path / file_format), file_format],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    try:
        for file_format, process in running.items():
            assert process.stdout is not None
            line = "0"
            while float(line) < SECONDS:
                line = process.stdout.readline()
                assert line, f"{file_format} ended by itself"
            process.kill()
            rest = process.stdout.read().splitlines()  # what it had said by then
            killed[file_format] = float(rest[-1] if rest else line)
    finally:
        for process in running.values():
            process.kill()
            process.wait(timeout=30)
            assert process.stdout is not None
            process.stdout.close()
    for file_format, seconds in killed.items():
        directory = tmp_path / file_format
        manifest = read_manifest(directory)
        assert manifest.state == "recording"
        entry, mix = manifest.tracks
        assert entry.file is not None
        assert mix.file is not None
        assert entry.state == "recording"
        length = len(sound_of(directory / entry.file, file_format)) / RATE
        assert length >= seconds, f"{file_format}: {length} of {seconds}"
        length = len(sound_of(directory / mix.file, file_format)) / RATE
        assert length >= seconds, f"mix, {file_format}: {length} of {seconds}"
    assert len(read_opus_packets(tmp_path / "ogg" / "42.ogg")) >= round(killed["ogg"] * 50)
    assert len(audio_of(tmp_path / "ogg" / "42.ogg")) > 0
