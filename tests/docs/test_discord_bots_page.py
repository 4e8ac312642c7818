"""docs/discord-bots.md names members that are there, and its blocks are Python."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from voicekit.adapters.voice_client import VoiceClient

PAGE = (Path(__file__).parents[2] / "docs" / "discord-bots.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
#: What the library's own VoiceProtocol and guild have.
OF_THE_LIBRARY = {"channel", "guild.voice_client", "client.voice_clients"}


def test_the_members_that_stay_are_there() -> None:
    (listed,) = re.findall(r"## What stays as it is\n\n(.*?)\n- ", PAGE, re.DOTALL)
    names = set(re.findall(r"`([a-z_.]+)`", listed)) - OF_THE_LIBRARY - {"wait_finish"}
    assert len(names) > 15
    assert {name for name in names if not hasattr(VoiceClient, name)} == set()


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_blocks_are_python_and_import_what_is_there(block: str) -> None:
    tree = compile(block, "block", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "voicekit.media":
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)
