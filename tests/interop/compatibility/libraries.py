"""The libraries of docs/compatibility.md, and what is installed for each."""

import hashlib
from pathlib import Path
from typing import NamedTuple

BOTS = Path(__file__).with_name("bots")
#: What voicekit needs to run from a checkout that is built.
VOICEKIT = (
    "msgspec>=0.19",
    "PyNaCl>=1.5",
    "dave.py>=1.1",
    "websockets>=17.0.1",
    # Its extra "media": samples are encoded to be played, and decoded to be recorded.
    "av>=14",
    "numpy>=1.26",
    "opuslib>=3.0.1",
)


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


def _library(name: str, version: str, requirement: str, script: str) -> Library:
    pinned = f"{requirement}=={version}"
    return Library(name, version, (pinned, *VOICEKIT), BOTS / f"bot_{script}.py")


LIBRARIES = (
    _library("discord.py", "2.7.1", "discord.py[voice]", "discordpy"),
    _library("py-cord", "2.8.1", "py-cord[voice]", "pycord"),
    _library("disnake", "2.12.2", "disnake[voice]", "disnake"),
    # Its extra pins PyNaCl < 1.5, which no other voice library can live with.
    _library("nextcord", "2.6.0", "nextcord", "nextcord"),
    _library("hikari", "2.7.0", "hikari", "hikari"),
    _library("interactions.py", "5.16.0", "discord-py-interactions[voice]", "interactions"),
)
