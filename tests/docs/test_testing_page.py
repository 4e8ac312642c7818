"""The pytest examples of docs/testing.md run as what they are: test files with the plugin."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ..interop.compatibility.libraries import LIBRARIES, requirements
from ..interop.environment import python_with

DISCORDPY = LIBRARIES[0]

ROOT = Path(__file__).parents[2]


def run_example(number: int, folder: Path, python: str | Path = sys.executable) -> str:
    """Run one of the page's examples with pytest and return what that said."""
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (folder / "test_example.py").write_text(blocks[number])
    # Autoload would find the plugin twice where voicekit is installed.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [str(python), "-m", "pytest", "-p", "voicekit.testing.plugin", "-q", "."]
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_example_for_voice_clients_passes(tmp_path: Path) -> None:
    assert "4 passed" in run_example(1, tmp_path)


@pytest.mark.interop
def test_the_example_with_discordpy_passes(tmp_path: Path) -> None:
    python = python_with(tmp_path / "venv", *DISCORDPY.requirements, *requirements("testing"))
    assert "2 passed" in run_example(0, tmp_path, python)
