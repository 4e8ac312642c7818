"""interactions.py#1642: silence between two words was allocated, multiplied, and 25 GB were full.

Gaps are numbers: what a day of silence takes is counted in bytes.
"""

import tracemalloc
from pathlib import Path

import pytest

from tests.media.recording.calls import speech
from voicekit.media import Recorder

PACKETS = [b"\xfc" + bytes([n]) * 60 for n in range(100)]
DAY = 86_400.0


@pytest.mark.parametrize("file_format", ["mka", "wav", "ogg"])
def test_a_day_of_silence(file_format: str, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, file_format)
    silent = 3600.0 if file_format == "ogg" else DAY  # in Ogg it is packets: 17 bytes a second
    for frame in speech(PACKETS, at=0.0):
        recorder.write(frame)
    tracemalloc.start()
    for frame in speech(PACKETS, at=silent, ssrc=8):
        recorder.write(frame)
    (track,) = recorder.close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert track.error is None
    assert track.seconds == pytest.approx(silent + 2, abs=0.1)
    assert track.path is not None
    on_disk = track.path.stat().st_blocks * 512
    assert on_disk < 1_000_000
