"""docs/hikari-and-interactions.md: its blocks are Python, and name what is there."""

import ast
import re
from pathlib import Path

import pytest

from .test_coverage_page import resolve

PAGE = (Path(__file__).parents[2] / "docs" / "hikari-and-interactions.md").read_text("utf-8")
BLOCKS = re.findall(r"^```py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_blocks_are_python_and_import_what_is_there(block: str) -> None:
    tree = compile(block, "block", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("voicekit"):
            for alias in node.names:
                resolve(f"{node.module}.{alias.name}")


@pytest.mark.parametrize(
    "name",
    [
        "hikari.VoicekitVoiceConnection.voice",
        "hikari.VoicekitVoiceConnection.player",
        "hikari.VoicekitVoiceConnection.move_to",
        "hikari.VoicekitVoiceConnection.join",
        "interactions.voice_state.install",
        "interactions.voice_state.VoicekitVoiceState.play",
        "interactions.voice_state.VoicekitVoiceState.start_recording",
    ],
)
def test_what_it_describes_is_there(name: str) -> None:
    assert f"`{name.rpartition('.')[2]}" in PAGE or f".{name.rpartition('.')[2]}" in PAGE
    resolve(f"voicekit.adapters.{name}")
