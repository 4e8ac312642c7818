"""interactions.py: the members of its voice state, as `bots/interactions_checks.py` has them."""

import asyncio

import pytest

from .conftest import Station
from .libraries import LIBRARIES
from .scenarios import Call
from .test_voice_client import names_in

INTERACTIONS = [one for one in LIBRARIES if one.name == "interactions.py"]


@pytest.mark.interop
@pytest.mark.parametrize(
    "station", INTERACTIONS, indirect=True, ids=lambda one: one.name, scope="module"
)
@pytest.mark.parametrize("check", names_in("interactions_checks", ()))
def test_its_members_do_as_their_users_know(station: Station, check: str) -> None:
    async def scenario(call: Call) -> None:
        if "Full" not in call.guild.channels:
            call.guild.add_channel("Full", is_full=True)
        async with call.guild.speaker(channel="General") as alice:
            await call.join()
            await alice.encrypted()
            talks = asyncio.ensure_future(alice.talk(30.0))
            try:
                await call.bot.ask("check", module="interactions_checks", name=check)
            finally:
                talks.cancel()
            await call.leave()

    station.run(scenario)
