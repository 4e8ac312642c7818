"""Fixtures of this folder."""

import pytest

from tests.independent.certificates import Certificates, write_certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """For localhost, 127.0.0.1 and ::1."""
    return write_certificates(tmp_path_factory.mktemp("certificates"))
