"""The oracle is worth something only as long as it shares no code with what it judges."""

import ast
import sys
from pathlib import Path

import pytest

SOURCES = sorted(Path(__file__).parent.glob("[!t_]*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_reference_imports_the_standard_library_alone(source):
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported = [node.module]
        elif isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        else:
            continue
        assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_all_of_it_was_looked_at():
    assert [path.stem for path in SOURCES] == ["ogg", "opus", "reception", "rtcp", "rtp"]
