"""What the tests with discord.py share: its environment, and certificates that it trusts."""

from pathlib import Path

import pytest

from ..independent.certificates import Certificates, write_certificates
from .environment import python_with


@pytest.fixture(scope="module")
def discordpy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = getattr(request.config, "cache", None)  # absent under -p no:cacheprovider
    folder = tmp_path_factory.mktemp("venv") if cache is None else cache.mkdir("interop-discordpy")
    return python_with(folder, "discord.py[voice]==2.7.*")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return write_certificates(tmp_path_factory.mktemp("certificates"))
