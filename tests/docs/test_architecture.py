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
    files: set[str] = set()
    folders: list[str] = []
    for line in block[1].splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2 - 1, line.split()[0]
        del folders[depth:]
        if name.endswith("/"):
            folders.append(name)
        else:
            files.add("".join(folders) + name)
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
