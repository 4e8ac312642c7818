"""Every library of docs/compatibility.md in every scenario of it, as the page says.

``pytest -n 0 -m interop tests/interop/compatibility``; ``-k hikari`` for one of them. The
environments are kept in pytest's cache, or in the folder ``$VOICEKIT_INTEROP``.
"""

import subprocess

import pytest

from .conftest import Station
from .libraries import LIBRARIES
from .page import WORKS, read_table
from .process import ROOT
from .scenarios import SCENARIOS, Call


def test_the_page_has_every_library_and_every_scenario() -> None:
    table = read_table()
    assert list(table) == list(SCENARIOS)
    for cells in table.values():
        assert list(cells) == [library.title for library in LIBRARIES]


@pytest.mark.interop
def test_voicekit_can_be_imported_beside_it(station: Station) -> None:
    script = "import voicekit, voicekit.server_info; voicekit.VoiceConnection, voicekit.Join"
    subprocess.run([station.python, "-W", "error", "-c", script], cwd=ROOT, timeout=60, check=True)


@pytest.mark.interop
def test_it_logs_in_sees_the_guild_and_joins_by_op_4(station: Station) -> None:
    async def signal(call: Call) -> None:
        guild = call.guild
        assert station.login == {
            "version": station.library.version,
            "guild": guild.id,
            "channels": [guild.channel_id(name) for name in ("General", "Music", "Full")],
        }
        signals = await call.bot.ask("signal", channel_id=guild.channel_id("General"))
        assert signals["states"] >= 1
        assert signals["servers"] == 1
        assert signals["members"] == [guild.bot_id]
        await guild.until(lambda: guild.channel_of() is None, "out")
        assert guild.gateway.rest.unknown == []
        assert guild.gateway.server.closes == {}

    station.run(signal)


@pytest.mark.interop
@pytest.mark.parametrize("name", SCENARIOS)
def test_it_does_as_the_page_says(
    station: Station, name: str, request: pytest.FixtureRequest
) -> None:
    cell = read_table()[name][station.library.title]
    if cell != WORKS:
        request.applymarker(pytest.mark.xfail(reason=f"docs/compatibility.md: {cell}", strict=True))
    station.run(SCENARIOS[name])
