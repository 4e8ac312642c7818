"""The native DAVE library crashes when two threads use it.

davey#13 (SEGV in 2-5 s: ``encrypt_opus`` in the player's thread while MLS runs on the loop),
koe 2782200 and bc6ebd5. The library is only reached from inside a connection's calls, and a
connection lets one caller in at a time.

Item 22 of the list of what users suffer from.
"""

import threading

import pytest

from voicekit import Config
from voicekit.errors import LocalProtocolError
from voicekit.testing import Pair, opus_frame


def test_a_second_thread_is_refused_while_the_library_is_at_work() -> None:
    pair = Pair(clients=2, config=Config(gateway_version=9), dave=True)
    pair.connect()
    pair.drive(3.0)
    first, _ = pair.clients
    connection = first.connection
    inside, leave = threading.Event(), threading.Event()
    gate = connection._dave.gate
    assert gate is not None
    encrypt = gate._seal
    assert encrypt is not None

    def slow(opus: bytes) -> bytes | None:
        inside.set()
        assert leave.wait(10.0)
        return encrypt(opus)

    gate._seal = slow
    now = pair.now
    thread = threading.Thread(target=connection.send_audio, args=(opus_frame(), now))
    thread.start()
    assert inside.wait(10.0)
    try:
        for call in (
            lambda: connection.seal_audio(opus_frame(), now),
            lambda: connection.open_datagram(bytes(60), now),
            lambda: connection.verification_code(first.connection.dave_members[0]),
            lambda: connection.handle_timeout(now),
        ):
            with pytest.raises(LocalProtocolError):
                call()
        assert connection.stats().dave["transitions"] == 1  # looking is free
        assert connection.privacy_code is not None
    finally:
        leave.set()
        thread.join()
