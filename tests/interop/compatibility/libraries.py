"""The libraries of docs/compatibility.md, and what is installed for each."""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

BOTS = Path(__file__).with_name("bots")
PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]


def requirements(*extras: str) -> Iterator[str]:
    """Return what voicekit needs beside itself with these extras, as pyproject.toml has it."""
    yield from PROJECT["dependencies"]
    for extra in extras:
        for requirement in PROJECT["optional-dependencies"][extra]:
            if ours := re.fullmatch(r"voicekit\[(.*)\]", requirement):
                yield from requirements(*ours[1].split(","))
            else:
                yield requirement


class Library(NamedTuple):
    """One column of the table."""

    name: str
    #: The newest release that its users can install; the page names it.
    version: str
    requirements: tuple[str, ...]
    script: Path

    @property
    def title(self) -> str:
        """What heads its column."""
        return f"{self.name} {self.version}"

    @property
    def folder(self) -> str:
        """What its environment is called: another one for other requirements."""
        digest = hashlib.sha256("\n".join(self.requirements).encode()).hexdigest()
        return f"{self.name}-{digest[:8]}"


def _library(name: str, version: str, package: str, extra: str) -> Library:
    # An extra that does not resolve fails here, before anybody is told to install it.
    needed = dict.fromkeys([*requirements(extra), f"{package}=={version}"])
    return Library(name, version, tuple(needed), BOTS / f"bot_{extra}.py")


LIBRARIES = (
    _library("discord.py", "2.7.1", "discord.py", "discordpy"),
    _library("py-cord", "2.8.1", "py-cord", "pycord"),
    _library("disnake", "2.12.2", "disnake", "disnake"),
    _library("nextcord", "2.6.0", "nextcord", "nextcord"),
    _library("hikari", "2.7.0", "hikari", "hikari"),
    _library("interactions.py", "5.16.0", "discord-py-interactions", "interactions"),
)
