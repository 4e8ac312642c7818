"""The Python blocks of the documentation run: each page is one program, from top to bottom."""

import re
from pathlib import Path

import pytest

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
    for line, block in blocks_of(page):
        # Blank lines in front, so that a traceback shows the page's own line numbers.
        exec(compile("\n" * (line - 1) + block, str(page), "exec"), names)


def test_the_guide_for_embedding_has_blocks():
    assert len(blocks_of(ROOT / "docs" / "embedding.md")) >= 8
