"""4017 since 2026-03-02: no end-to-end encryption, no voice; libraries retry for ever.

api-docs#8167, discord.py#10419, discord-audio-pipe#54 ("loops infinitely until I kill the
program"). The code is fatal and its text says what to do; without a library for it there is
no connection to begin with.

Item 2 of the list of what users suffer from.
"""

import sys

import pytest

from voicekit import Config, VoiceConnection
from voicekit.errors import BackendUnavailable, EncryptionRequired
from voicekit.events import Closed
from voicekit.server import ServerConfig
from voicekit.testing import Pair


def test_4017_ends_the_call_and_nothing_is_dialled_again() -> None:
    config = Config(dave=False, gateway_version=9)
    pair = Pair(config=config, server_config=ServerConfig(dave="required"))
    (client,) = pair.clients
    pair.start(client)
    pair.drive(600.0)
    (closed,) = client.events_of(Closed)
    assert closed.code == 4017
    assert isinstance(closed.error, EncryptionRequired)
    assert "end-to-end" in str(closed.error)
    assert len(pair._wires) <= 1


@pytest.mark.parametrize("name", ["dave", "davey"])
def test_without_the_library_no_connection_is_made(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = {"dave": "dave.py", "davey": "davey"}[name]
    module = {"dave": "voicekit.dave.libdave", "davey": "voicekit.dave.davey"}[name]
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(BackendUnavailable, match=rf"pip install {backend}$"):
        VoiceConnection(Pair.info(1), config=Config(dave_backend=backend))


def test_without_the_library_a_clear_call_can_still_be_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "dave", None)
    monkeypatch.delitem(sys.modules, "voicekit.dave.libdave", raising=False)
    assert VoiceConnection(Pair.info(1), config=Config(dave=False)).dave_version == 0
