from collections.abc import Iterator

import pytest

from voicekit.pacer import Pacer

from .rig import NAMES, PACERS


@pytest.fixture(params=PACERS, ids=NAMES.get)
def native(request: pytest.FixtureRequest) -> bool:
    """Once for each pacer that this build has."""
    kind: bool = request.param
    return kind


@pytest.fixture
def pacer(native: bool) -> Iterator[Pacer]:
    with Pacer(native=native) as pacer:
        yield pacer
