"""users.md item 44: audioop left the standard library in Python 3.13 and took the import along.

discord.py#10049 and pycord#2763: `import discord` failed on 3.13, for a module that only
changed the volume.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: PEP 594: gone since Python 3.13.
GONE = {
    *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "mailcap", "msilib", "nis"),
    *("nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"),
}
SOURCES = sorted((ROOT / "voicekit").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_a_module_that_is_gone(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        assert not GONE & {name.partition(".")[0] for name in names}


def test_voicekit_imports_without_audioop() -> None:
    script = (
        "import sys\n"
        "if sys.version_info < (3, 13): import wave  # the library's own may use it\n"
        "sys.modules['audioop'] = None\n"
        "import voicekit, voicekit.connection, voicekit.media, voicekit.opus\n"
        "print(voicekit.media.open_sample().passthrough)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert run.stdout.strip() == "False", run.stderr


def test_the_volume_is_changed_without_it() -> None:
    script = (
        "import io, sys, wave\n"
        "sys.modules['audioop'] = None\n"
        "from voicekit.media import open_source\n"
        "file = io.BytesIO()\n"
        "with wave.open(file, 'wb') as out:\n"
        "    out.setparams((2, 2, 48000, 0, 'NONE', ''))\n"
        "    out.writeframes(bytes(range(256)) * 150)\n"
        "print(len(list(iter(open_source(file.getvalue(), volume=0.5).read, None))))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert run.stdout.strip() == "10", run.stderr
