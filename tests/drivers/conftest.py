"""Each test of this folder runs twice."""

import pytest

from .libraries import LIBRARIES, lib


@pytest.fixture(params=list(LIBRARIES), autouse=True)
def library(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    lib.current = LIBRARIES[name]()
    return name
