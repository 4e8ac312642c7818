"""Receive goes deaf for good after a join, a leave or a change of epoch.

pycord#3139, discord.js#11419, #11445, #11387, davey#15, #20, dysnomia PR#228. A commit or
welcome that can not be used is recovered from, and frames that nothing opens are counted.

Item 4 of the list of what users suffer from.
"""

import pytest

from voicekit import Config
from voicekit.server import ServerConfig
from voicekit.server.fault_specs import Fault, FaultKind
from voicekit.testing import Client, Pair, opus_frame


def call(
    backend: str = "dave.py", clients: int = 3, server_config: ServerConfig | None = None
) -> Pair:
    config = Config(gateway_version=9, dave_backend=backend)
    pair = Pair(
        clients=clients,
        config=config,
        server_config=server_config,
        dave=True,
        websocket_delay=0.02,
    )
    pair.connect(*pair.clients[:2])
    pair.drive(3.0)
    return pair


def assert_all_hear(pair: Pair, *clients: Client) -> None:
    for speaker in clients:
        before = [len(client.frames) for client in clients]
        pair.play(speaker, 5)
        pair.drive(0.5)
        for client, heard in zip(clients, before, strict=True):
            if client is not speaker:
                frames = client.frames[heard:]
                assert [frame.opus for frame in frames] == [opus_frame(n) for n in range(5)]
                assert all(frame.e2ee for frame in frames)


@pytest.mark.parametrize("backend", ["dave.py", "davey"])
def test_everybody_is_heard_after_a_join_and_a_leave(backend: str) -> None:
    pair = call(backend)
    first, second, third = pair.clients
    pair.connect(third)
    pair.drive(3.0)
    assert_all_hear(pair, first, second, third)
    now = pair.now
    pair.call(second, lambda connection: connection.close(now))
    pair.drive(3.0)
    assert_all_hear(pair, first, third)


@pytest.mark.parametrize("backend", ["dave.py", "davey"])
@pytest.mark.parametrize(("fault", "number"), [("corrupt-commit", 1), ("corrupt-welcome", 3)])
def test_a_message_that_can_not_be_used_is_recovered_from(
    backend: str, fault: str, number: int
) -> None:
    victim = Pair.info(number).user_id
    faults = () if number == 1 else (Fault(kind=FaultKind(fault), at=0.0, value=1, user_id=victim),)
    pair = call(backend, server_config=ServerConfig(faults=faults))
    if number == 1:
        pair.server.faults.delivery(fault, 1, pair.now, user_id=victim)
    pair.start(pair.clients[2])
    pair.drive(8.0)
    assert pair.clients[number - 1].connection.stats().dave["recoveries"] == 1
    assert_all_hear(pair, *pair.clients)


def test_two_transitions_at_once_leave_nobody_behind() -> None:
    pair = call(clients=5)
    for client in pair.clients[2:]:
        pair.start(client)
    pair.drive(6.0)
    assert_all_hear(pair, *pair.clients)


def test_somebody_who_left_and_rejoined_is_heard() -> None:
    pair = call(clients=2)
    first, second = pair.clients
    now = pair.now
    pair.call(second, lambda connection: connection.close(now))
    pair.drive(3.0)
    pair.restart(second)
    pair.drive(5.0)
    assert_all_hear(pair, first, second)
