"""docs/coverage.md: every name of other libraries' voice has a row, and what it says is there."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from .references import REFERENCE, missing_tests, rows_of
from .surfaces import SURFACES

PAGE = "coverage.md"
ROWS = rows_of(PAGE)
SHORT = {
    "V": "voicekit.trio.Voice",
    "P": "voicekit.driver.player.Player",
    "C": "voicekit.connection.VoiceConnection",
}


def names_of(section: str) -> list[str]:
    """Return what stands in the first column of a section's tables."""
    text = (Path(__file__).parents[2] / "docs" / PAGE).read_text(encoding="utf-8")
    (found,) = [part for part in text.split("\n## ")[1:] if part.startswith(section)]
    cells = re.findall(r"^\| (`.*?) \|", found, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("library", SURFACES)
def test_every_name_has_a_row(library: str) -> None:
    assert set(SURFACES[library]) - set(names_of(library)) == set()


@pytest.mark.parametrize("library", SURFACES)
def test_no_row_is_of_something_else(library: str) -> None:
    known = {*SURFACES[library], "Sink"}  # Pycord's sinks have a page of their own
    assert set(names_of(library)) - known == set()
    assert len(names_of(library)) == len(set(names_of(library)))


def test_every_row_has_a_test_and_every_test_is_there() -> None:
    assert missing_tests(PAGE) == []
    for row in ROWS:
        assert len(row) == 4, row
        assert REFERENCE.findall(row[3]), f"nothing shows {row[0]}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].split("`")[1])
def test_what_a_row_names_is_there(row: list[str]) -> None:
    named = re.findall(r"`([\w.]+)`", row[2])
    assert named
    for name in named:
        first, _, rest = name.partition(".")
        resolve(".".join(filter(None, (SHORT.get(first, first), rest))))


def look_up(parts: list[str]) -> None:
    """Follow a dotted name in the source of an adapter, whose library is not here."""
    path = Path(__file__).parents[2]
    while path.is_dir():
        first, *parts = parts
        path = path / first if (path / first).is_dir() else path / f"{first}.py"
    found: ast.AST = ast.parse(path.read_text(encoding="utf-8"))
    for name in parts:
        inside = [each for each in ast.iter_child_nodes(found) if getattr(each, "name", "") == name]
        assert inside, f"{path.name} has no {name}"
        found = inside[0]


def resolve(name: str) -> object:
    """Import the longest module that a dotted name begins with, and follow the rest."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError as error:
            if error.name is not None and not error.name.startswith("voicekit"):
                look_up(parts)
                return None
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"there is no {name}")
