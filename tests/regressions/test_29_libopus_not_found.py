"""users.md item 29: libopus not found, and an error that leaves one alone with it.

hermes-agent PR#30733 (NixOS, Homebrew), opuslib-next#1 and PR#2 (Alpine, Apple silicon),
discord.py#2551 and #783, MusicBot#1270: a bare "could not find Opus library" from an import,
or silence until the first frame is to be encoded.
"""

import io
import os
import subprocess
import sys
from pathlib import Path

from voicekit.media import OggOpusWriter

ROOT = Path(__file__).resolve().parents[2]

#: A machine without libopus and without PyAV.
BARE = """
import ctypes.util, importlib.util, sys
sys.modules["av"] = None
ctypes.util.find_library = lambda name: None
import voicekit.opus_library
voicekit.opus_library._SYSTEM_NAMES = ("libopus-nowhere.so",)
"""


def run(script: str, stdin: bytes = b"") -> str:
    environment = {k: v for k, v in os.environ.items() if k != "VOICEKIT_OPUS_LIBRARY"}
    done = subprocess.run(
        [sys.executable, "-c", BARE + script],
        input=stdin,
        capture_output=True,
        timeout=60,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def test_the_core_never_needs_opus() -> None:
    assert run("import voicekit.connection, voicekit.media; print('fine')") == "fine"


def test_recording_packets_needs_no_opus(tmp_path: Path) -> None:
    script = (
        "import io\n"
        "from voicekit.media import OggOpusWriter\n"
        "file = io.BytesIO()\n"
        "writer = OggOpusWriter(file, serial=1)\n"
        "writer.write(bytes([0xFC, 0xFF, 0xFE]))\n"
        "writer.conceal(960)\n"
        "writer.close()\n"
        "print(file.getvalue().hex())\n"
    )
    file = io.BytesIO()
    writer = OggOpusWriter(file, serial=1)
    writer.write(b"\xfc\xff\xfe")
    writer.conceal(960)
    writer.close()
    assert run(script) == file.getvalue().hex()


def test_the_error_is_one_line_with_the_remedies_and_every_place_looked_at() -> None:
    script = (
        "from voicekit.errors import VoicekitError\n"
        "from voicekit.media import open_sample\n"
        "try: open_sample()\n"
        "except VoicekitError as error: print(error)\n"
    )
    text = run(script)
    assert "\n" not in text
    for remedy in ("pip install av", "apt install libopus0", "brew install opus"):
        assert remedy in text
    for place in ("find_library('opus')", "libopus-nowhere.so", "PyAV's wheel"):
        assert place in text
    assert "VOICEKIT_OPUS_LIBRARY" in text


def test_setting_the_variable_and_trying_again_is_enough() -> None:
    from voicekit.opus_library import load_library

    script = (
        "import os\n"
        "from voicekit.media import open_sample\n"
        "try: open_sample()\n"
        "except Exception: pass\n"
        f"os.environ['VOICEKIT_OPUS_LIBRARY'] = {os.path.abspath(load_library().path)!r}\n"
        "print(len(open_sample().read()) > 10)\n"
    )
    if Path(load_library().path).is_file():
        assert run(script) == "True"
