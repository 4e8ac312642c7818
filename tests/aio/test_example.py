"""examples/aio_play.py, run as a user would."""

import os
import subprocess
import sys
from pathlib import Path

from tests.media.files import wav
from voicekit.testing.loopback import LoopbackServer

from ..drivers.players import tone
from .test_calls import ended

ROOT = Path(__file__).parents[2]


def test_it_plays_a_file_to_its_end(tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    song.write_bytes(wav(tone(0.5)))
    with LoopbackServer() as server:
        run = subprocess.run(
            [sys.executable, str(ROOT / "examples" / "aio_play.py"), str(song), server.url],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            timeout=60,
            check=True,
        )
        assert (run.stdout, run.stderr) == (b"", b"")
        (said,) = ended(server)
    # Silence in between, too, where the machine was late.
    assert (said.frames_clear, said.packets_bad, said.close_code) == (25, {}, 1000)
    assert said.frames_silence >= 5
