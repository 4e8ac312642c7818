"""The DAVE library behind an extra that nobody found: "davey library needed".

davey#20, playify#22, disnake PR#1492, nextcord PR#1284. dave.py is a plain dependency, both
libraries work behind one Protocol, and importing voicekit needs neither.

Item 26 of the list of what users suffer from.
"""

import subprocess
import sys
from importlib import metadata

import pytest

from voicekit import Config
from voicekit.dave import BACKENDS, load_backend
from voicekit.testing import Pair


def test_dave_py_is_a_plain_dependency() -> None:
    try:
        requirements = metadata.requires("voicekit") or []
    except metadata.PackageNotFoundError:
        pytest.skip("voicekit is not installed, but run from its sources")
    assert any(r.startswith("dave") and "extra" not in r for r in requirements)


def test_importing_voicekit_loads_neither_library() -> None:
    code = "import sys, voicekit; print('dave' in sys.modules, 'davey' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("name", BACKENDS)
def test_each_backend_has_what_the_protocol_asks_for(name: str) -> None:
    backend = load_backend(name)
    assert backend.max_version == 1
    assert not backend.established
    assert (backend.roster, backend.authenticator, backend.epoch) == ({}, None, None)
    assert backend.decrypt(1, bytes(20) + b"\xfa\xfa") is None
    assert backend.fingerprint(1) is None


def test_both_are_at_home_in_one_call() -> None:
    config = [Config(gateway_version=9, dave_backend=name) for name in BACKENDS]
    pair = Pair(clients=2, config=config, dave=True)
    pair.connect()
    pair.drive(3.0)
    assert len({client.connection.privacy_code for client in pair.clients}) == 1
    for speaker, listener in (pair.clients, pair.clients[::-1]):
        pair.play(speaker, 5)
        pair.drive(1.0)
        assert [frame.e2ee for frame in listener.frames] == [True] * 5
