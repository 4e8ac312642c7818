"""No secret in the repr of anything: hosts log what they hold (users.md item 43)."""

import gc
import importlib
import pkgutil
from collections.abc import Iterator

import msgspec
import pytest

import voicekit
from tests.testing.spies import KeyCatcher
from voicekit.server import ServerConfig
from voicekit.testing import Pair

MARK = "s3cr3t-s3cr3t-s3cr3t"
#: Members that hold secrets wherever they are, and those that may in what is sent.
SECRET_NAMES = {"token", "session_id", "secret_key", "key"}
SENT_NAMES = {"text", "data"}
#: Command lines and adapters are for programs that use other libraries: not loaded here.
SKIPPED = (
    "voicekit.cli",
    "voicekit.__main__",
    "voicekit.media",
    "voicekit._opus",
    "voicekit.adapters.",
)


def structs() -> Iterator[type[msgspec.Struct]]:
    seen = set()
    for module in pkgutil.walk_packages(voicekit.__path__, "voicekit."):
        if module.name.startswith(SKIPPED):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, msgspec.Struct) and value not in seen:
                seen.add(value)
                yield value


def secret_members(struct: type[msgspec.Struct]) -> set[str]:
    names = SECRET_NAMES | (SENT_NAMES if struct.__name__.startswith("Send") else set())
    return names & set(struct.__struct_fields__)


WITH_SECRETS = sorted((s for s in structs() if secret_members(s)), key=lambda s: s.__qualname__)


@pytest.mark.parametrize("struct", WITH_SECRETS, ids=lambda s: f"{s.__module__}.{s.__name__}")
def test_a_struct_hides_its_secrets(struct: type[msgspec.Struct]) -> None:
    secret = secret_members(struct)
    fields = msgspec.structs.fields(struct)
    if struct is ServerConfig:
        value: msgspec.Struct = ServerConfig(token=MARK)
    else:
        value = struct(**{f.name: MARK if f.name in secret else 1 for f in fields})
    for text in (repr(value), str(value), f"{value}", repr([value])):
        assert MARK not in text


def test_the_walk_finds_those_that_hold_secrets() -> None:
    names = {struct.__name__ for struct in WITH_SECRETS}
    assert {"VoiceServerInfo", "Identify", "SendText", "ServerConfig"} <= names


def test_no_object_of_a_running_call_shows_a_secret() -> None:
    pair = Pair(clients=2, make_connection=KeyCatcher, server_config=ServerConfig(rtcp=True))
    pair.connect()
    for client in pair.clients:
        pair.play(client, 20)
    pair.drive(0.2)
    pair.drop_websocket(pair.clients[0])
    pair.drive(15.0)
    secrets = set()
    for client in pair.clients:
        info, connection = client.connection.info, client.connection
        assert isinstance(connection, KeyCatcher)
        secrets |= {info.token, info.session_id}
        for _, key in connection.keys:
            secrets |= {key.hex(), repr(key)[2:-1], repr(list(key))[1:-1]}
    shown = 0
    for thing in gc.get_objects():
        if str(type(thing).__module__).startswith("voicekit"):
            text = repr(thing)
            assert not [secret for secret in secrets if secret in text], type(thing)
            shown += 1
    assert shown > 30
