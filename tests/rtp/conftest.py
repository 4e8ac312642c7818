import pytest

from tests.independent.ciphers import MODES, Cipher
from voicekit._crypto import TransportCipher, available_modes

KEY = bytes(range(32))


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    if request.param not in available_modes():
        pytest.skip(f"{request.param} is not available here")
    return request.param


@pytest.fixture
def cipher(mode: str) -> TransportCipher:
    return TransportCipher(mode, KEY)


@pytest.fixture
def theirs(mode: str) -> Cipher:
    """The other end's cipher, which seals whatever it is told to."""
    return Cipher(mode, KEY)
