"""interactions.py: the members of its voice state, as `bots/interactions_checks.py` has them."""

import asyncio
from pathlib import Path

import pytest

from tests.media.files import wav
from tests.signals.calls import RATE, sine

from .conftest import Station
from .libraries import LIBRARIES
from .scenarios import Call
from .test_voice_client import checked, levels_of, names_in

INTERACTIONS = [one for one in LIBRARIES if one.name == "interactions.py"]


@pytest.mark.interop
@pytest.mark.parametrize(
    "station", INTERACTIONS, indirect=True, ids=lambda one: one.name, scope="module"
)
@pytest.mark.parametrize("check", names_in("interactions_checks", ()))
def test_its_members_do_as_their_users_know(station: Station, check: str) -> None:
    station.run(checked("interactions_checks", check, speaking=True))


@pytest.mark.interop
@pytest.mark.parametrize(
    "station", INTERACTIONS, indirect=True, ids=lambda one: one.name, scope="module"
)
def test_a_file_is_as_loud_as_the_state_says_and_that_is_live(
    station: Station, tmp_path: Path
) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes(wav(sine(440, 0, 2 * RATE)))  # 8000 high

    async def scenario(call: Call) -> None:
        async with call.guild.speaker(channel="General") as alice:
            await call.join()
            hears = asyncio.ensure_future(alice.listen(100))
            await asyncio.sleep(0)
            await call.bot.ask("fade", path=str(path), after=1.0, volume=1.0)
            levels = levels_of(await hears)
            await call.leave()
        assert levels[5:40].mean() == pytest.approx(4000 / 2**0.5, rel=0.1)  # 0.5, as ever
        assert levels[70:95].mean() == pytest.approx(8000 / 2**0.5, rel=0.1)

    station.run(scenario)
