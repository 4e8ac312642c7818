"""docs/command-line.md names every flag and every member there is, and no flag that is not."""

import re
from pathlib import Path

import msgspec
import pytest
import typer.main

from voicekit.cli.app import app
from voicekit.media import Track
from voicekit.server import ServerStats, SessionStats

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def flags_of(command: str) -> set[str]:
    names = [name for parameter in COMMANDS[command].params for name in parameter.opts]
    return {name for name in names if name.startswith("--")}


def test_the_page_has_a_section_for_each_command() -> None:
    assert set(re.findall(r"^## `voicekit (\w+)", PAGE, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_flag_is_on_the_page(command: str) -> None:
    named = set(re.findall(r"--[a-z][a-z-]*", PAGE))
    assert flags_of(command) <= named


def test_no_flag_is_on_the_page_that_is_not_there() -> None:
    known = {"--help", "--version"}.union(*map(flags_of, COMMANDS))
    assert set(re.findall(r"--[a-z][a-z-]*", PAGE)) <= known


@pytest.mark.parametrize("struct", [SessionStats, ServerStats, Track])
def test_every_member_is_on_the_page(struct: type[msgspec.Struct]) -> None:
    named = set(re.findall(r"`([a-z0-9_]+)`", PAGE))
    assert set(struct.__struct_fields__) <= named
