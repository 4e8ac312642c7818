"""A library's environment, a guild, and its bot logged in: made once for all its scenarios."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from voicekit.testing import guild

from ..environment import python_with
from .libraries import LIBRARIES, Library
from .process import Bot, run_bot
from .scenarios import Call, Scenario


@pytest.fixture(scope="session")
def environments(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that keeps environments: $VOICEKIT_INTEROP, or pytest's cache."""
    if "VOICEKIT_INTEROP" in os.environ:
        folder = Path(os.environ["VOICEKIT_INTEROP"])
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    cache = getattr(request.config, "cache", None)  # absent under -p no:cacheprovider
    return tmp_path_factory.mktemp("venvs") if cache is None else cache.mkdir("interop")


class Station:
    """One library's bot and its guild, over several tests: started again where it broke."""

    def __init__(self, python: Path, library: Library, logs: Path) -> None:
        self.python = python
        self.library = library
        self.login: dict[str, object] = {}
        self._logs = logs
        self._starts = 0
        self._runner = asyncio.Runner()
        self._stack: AsyncExitStack | None = None
        self._call: Call | None = None

    def run(self, scenario: Scenario) -> None:
        """Run one scenario. Whatever it raises, the next one begins anew."""
        try:
            self._runner.run(self._run(scenario))
        except BaseException:
            self.stop()
            print(self.log.read_text())  # for what pytest shows of a failed test
            raise

    @property
    def log(self) -> Path:
        """What the bot has logged since it was started."""
        return self._logs / f"{self.library.name}.{self._starts}.log"

    async def _run(self, scenario: Scenario) -> None:
        await scenario(self._call or await self._start())

    async def _start(self) -> Call:
        self._starts += 1
        self._stack = AsyncExitStack()
        made = await self._stack.enter_async_context(guild())
        made.add_channel("Full", is_full=True)
        bot: Bot = await self._stack.enter_async_context(
            run_bot(self.python, self.library, made, self.log)
        )
        self.login = await bot.ask("login")
        self._call = Call(made, bot)
        return self._call

    def stop(self) -> None:
        """End the bot and its guild."""
        stack, self._stack, self._call = self._stack, None, None
        if stack is not None:
            self._runner.run(stack.aclose())

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._runner.close()


@pytest.fixture(scope="module", params=LIBRARIES, ids=lambda library: library.name)
def station(
    request: pytest.FixtureRequest, environments: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Station]:
    """The bot of each library in turn, in an environment of its own."""
    library: Library = request.param
    python = python_with(environments / library.folder, *library.requirements)
    made = Station(python, library, tmp_path_factory.mktemp("bots"))
    yield made
    made.close()
