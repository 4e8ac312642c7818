"""Receiving add-ons know nothing of end-to-end encryption, and users patch libraries by hand.

discord-ext-voice-recv#53, #54, #64: what comes out is ciphertext, or nothing. Here the core
receives: whatever way frames are taken, they are decrypted, and it is known whose they are.
Item 13 of the list of what users suffer from.
"""

from typing import Any

import pytest

from voicekit import AudioFrame, VoiceConnection
from voicekit.testing import Pair

FRAMES = 50


class TakesAtOnce(VoiceConnection):
    """A host that takes frames as datagrams come, without the queue of events."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.taken: list[AudioFrame] = []

    def receive_datagram(self, link: int, data: bytes, now: float) -> None:
        frame = self.open_datagram(data, now)
        if frame is not None:
            self.taken.append(frame)


@pytest.mark.parametrize("connection", [VoiceConnection, TakesAtOnce])
def test_frames_come_decrypted_and_with_their_user(connection: type[VoiceConnection]) -> None:
    pair = Pair(clients=2, dave=True, make_connection=connection)
    pair.connect()
    pair.drive(5.0)
    alice, bob = pair.clients
    assert bob.connection.is_encrypted
    sent = pair.play(alice, FRAMES)
    pair.drive(5.0)
    heard = [*bob.frames, *getattr(bob.connection, "taken", ())]
    assert [frame.opus for frame in heard] == sent
    assert all(frame.e2ee for frame in heard)
    assert {frame.user_id for frame in heard} == {alice.connection.info.user_id}
    assert bob.connection.stats().drops == {}
