"""A pin that forbids the security fix: PyNaCl < 1.6 beside an advisory fixed in 1.6.2.

hermes-agent#37373, PR#37375; discord.py 2.7 asks for ``PyNaCl<1.6,>=1.5.0``. Both it and the
newest release must be installable beside voicekit. Item 34 of the list of what users suffer
from.
"""

import re
import tomllib
from pathlib import Path

import nacl
import pytest

from voicekit._crypto import TransportCipher, available_modes

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
XCHACHA = "aead_xchacha20_poly1305_rtpsize"


@pytest.fixture
def requirement():
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    (found,) = [each for each in project["dependencies"] if each.lower().startswith("pynacl")]
    return found


def test_hermes_37373_there_is_no_upper_cap(requirement):
    assert re.fullmatch(r"PyNaCl\s*>=\s*1\.5(\.0)?", requirement)


def test_hermes_37373_the_mode_that_every_server_offers_works_with_any_of_them():
    assert tuple(map(int, re.findall(r"\d+", nacl.__version__)[:2])) >= (1, 5)
    assert XCHACHA in available_modes()
    for backend in ("auto", "combined"):  # what this PyNaCl has the parts for, and what any has
        cipher = TransportCipher(XCHACHA, bytes(32), backend=backend)
        assert cipher.open(cipher.seal(b"head", b"body"), 4) == b"body"
    assert cipher.backend == "combined"
