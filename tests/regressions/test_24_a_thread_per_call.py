"""A thread per call does not scale.

songbird PR#179, discord.py#10064 and others. The core starts none: any number of connections
lives on one loop, or on none at all.

Item 24 of the list of what users suffer from.
"""

import threading

from voicekit.testing import Pair


def test_twenty_calls_that_all_talk_need_no_thread() -> None:
    before = threading.enumerate()
    pair = Pair(clients=20)
    pair.connect()
    for client in pair.clients:
        pair.play(client, 10)
    pair.drive(0.5)
    assert all(len(client.frames) == 190 for client in pair.clients)
    assert threading.enumerate() == before
