"""Transition id 0 taken for none; more than two users; an empty channel.

openclaw#81518 ("!0 evaluates to true"), JDA#2998, Discord.Net PR#3244.

Item 16 of the list of what users suffer from.
"""

import pytest

from voicekit import Config
from voicekit.server import ServerConfig
from voicekit.testing import Pair


def call(clients: int, **server: int) -> Pair:
    return Pair(
        clients=clients,
        config=Config(gateway_version=9),
        server_config=ServerConfig(**server),  # type: ignore[arg-type]
        dave=True,
    )


def test_transition_0_encrypts() -> None:
    pair = call(2, first_transition_id=0)
    pair.connect()
    pair.drive(3.0)
    first, second = pair.clients
    assert first.connection.is_encrypted
    assert second.connection.is_encrypted
    pair.play(first, 5)
    pair.drive(1.0)
    assert [frame.e2ee for frame in second.frames] == [True] * 5


@pytest.mark.parametrize("clients", [3, 7])
def test_more_than_two_hear_each_other(clients: int) -> None:
    pair = call(clients)
    pair.connect()
    pair.drive(6.0)
    assert len({client.connection.privacy_code for client in pair.clients}) == 1
    speaker, *listeners = pair.clients
    pair.play(speaker, 5)
    pair.drive(1.0)
    for listener in listeners:
        assert len(listener.frames) == 5


def test_in_an_empty_channel_audio_is_sent_and_nothing_breaks() -> None:
    pair = call(1)
    pair.connect()
    (client,) = pair.clients
    pair.play(client, 10)
    pair.drive(3.0)
    assert client.unsent == 0
    stats = client.connection.stats()
    assert (stats.packets_sent, stats.frames_sent_clear) == (10, 10)
    assert not client.connection.is_encrypted


def test_a_channel_that_empties_and_fills_again() -> None:
    pair = call(2)
    pair.connect()
    pair.drive(3.0)
    first, second = pair.clients
    for _ in range(3):
        now = pair.now
        pair.call(second, lambda connection, now=now: connection.close(now))
        pair.drive(3.0)
        clear = first.connection.stats().frames_sent_clear
        pair.play(first, 5)
        pair.drive(1.0)
        assert first.connection.stats().frames_sent_clear == clear
        pair.restart(second)
        pair.drive(5.0)
        heard = len(second.frames)
        pair.play(first, 5)
        pair.drive(1.0)
        assert [frame.e2ee for frame in second.frames[heard:]] == [True] * 5
