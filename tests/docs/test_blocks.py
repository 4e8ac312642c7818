"""The Python blocks of the documentation run: each page is one program, from top to bottom.

The README's find a call to join, ``info``, and a file to play, ``song.ogg``.
"""

import re
from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from voicekit.media import OggOpusWriter
from voicekit.server_info import VoiceServerInfo

from ..independent.process import ServerProcess

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks_of(page: Path) -> list[tuple[int, str]]:
    """Return the line and the text of each block."""
    text = page.read_text(encoding="utf-8")
    return [(text.count("\n", 0, m.start(1)) + 1, m[1]) for m in BLOCK.finditer(text)]


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=page.name) for page in PAGES if page.exists() and blocks_of(page)],
)
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page.stem}
    with ServerProcess() if page.name == "README.md" else nullcontext() as server:
        if server is not None:
            names["info"] = call_on(server)
            write_song(tmp_path / "song.ogg")
        for line, block in blocks_of(page):
            # Blank lines in front, so that a traceback shows the page's own line numbers.
            exec(compile("\n" * (line - 1) + block, str(page), "exec"), names)


def call_on(server: ServerProcess) -> VoiceServerInfo:
    return VoiceServerInfo(
        endpoint=server.url, server_id=1, channel_id=2, user_id=3, session_id="s", token="t"
    )


def write_song(path: Path) -> None:
    with closing(OggOpusWriter(path)) as writer:
        for n in range(25):
            writer.write(b"\xfc" + n.to_bytes(4, "big") + bytes(75))


def test_the_guide_for_embedding_has_blocks():
    assert len(blocks_of(ROOT / "docs" / "embedding.md")) >= 8
