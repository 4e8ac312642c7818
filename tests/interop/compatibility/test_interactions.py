"""interactions.py: the members of its voice state, as `bots/interactions_checks.py` has them."""

import pytest

from .conftest import Station
from .libraries import LIBRARIES
from .test_voice_client import checked, names_in

INTERACTIONS = [one for one in LIBRARIES if one.name == "interactions.py"]


@pytest.mark.interop
@pytest.mark.parametrize(
    "station", INTERACTIONS, indirect=True, ids=lambda one: one.name, scope="module"
)
@pytest.mark.parametrize("check", names_in("interactions_checks", ()))
def test_its_members_do_as_their_users_know(station: Station, check: str) -> None:
    station.run(checked("interactions_checks", check, speaking=True))
