"""ARCHITECTURE.md shows the true tree: every source, and no other."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def drawn() -> set[str]:
    """The files in the tree of ARCHITECTURE.md, as paths below voicekit/."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    block = re.search(r"^```\nvoicekit/\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    files, folder = set(), ""
    for line in block[1].splitlines():
        indent, name = len(line) - len(line.lstrip()), line.split()[0]
        if name.endswith("/"):
            folder = name
        else:
            files.add((folder if indent == 4 else "") + name)
    return files


def present() -> set[str]:
    package = ROOT / "voicekit"
    try:
        listing = subprocess.run(
            ["git", "ls-files", "voicekit"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = [Path(path).relative_to("voicekit") for path in listing]
    return {
        path.as_posix()
        for path in paths
        if path.suffix in (".py", ".pyx", ".h")
        or (path.suffix == ".pxd" and not (package / path.with_suffix(".pyx")).exists())
    }


def test_the_tree_is_the_true_one() -> None:
    assert drawn() == present()
