"""hikari: the members of its two voice interfaces, as `bots/hikari_checks.py` has them."""

import pytest

from .conftest import Station
from .libraries import LIBRARIES
from .scenarios import Call
from .test_voice_client import names_in

HIKARI = [one for one in LIBRARIES if one.name == "hikari"]


@pytest.mark.interop
@pytest.mark.parametrize("station", HIKARI, indirect=True, ids=lambda one: one.name, scope="module")
@pytest.mark.parametrize("check", names_in("hikari_checks", ()))
def test_its_interfaces_do_as_they_promise(station: Station, check: str) -> None:
    async def scenario(call: Call) -> None:
        await call.bot.ask("check", module="hikari_checks", name=check)

    station.run(scenario)
