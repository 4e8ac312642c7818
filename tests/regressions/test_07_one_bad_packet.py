"""One bad packet ends all listening: a receive thread dies of an exception.

discord-ext-voice-recv#43 and #49 (somebody turns a camera on: `OpusError: corrupted
stream`), its PR#57; pycord#2921. Item 7 of the list of what users suffer from.
"""

import random

import pytest

from tests.session.peers import ALICE, ALICES, VOICE, Server, drain, ready_session
from voicekit.codes import DropReason

#: Video and its retransmissions, as a camera brings them to the audio socket.
CAMERA = (101, 102, 103, 105)


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def session():
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    return session


def test_voice_recv_49_a_camera_is_turned_on(server, session):
    for number in range(50):
        for payload_type in CAMERA:
            data = server.packet(ALICES + 1, number, bytes(1000), payload_type=payload_type)
            assert session.receive(data, number * 0.02) is None
        assert session.receive(server.packet(ALICES, number), number * 0.02).opus == VOICE
    assert session.drops == {DropReason.PAYLOAD_TYPE: 50 * len(CAMERA)}


def test_voice_recv_43_a_packet_that_is_no_opus(server, session):
    broken = session.receive(server.packet(ALICES, 1, b"\xff\x00"), 0.0)
    assert broken.duration == 0  # the frame says so itself; what decodes it can tell
    assert session.receive(server.packet(ALICES, 2), 0.0).duration == 960


def test_pycord_2921_garbage_of_every_kind_between_good_packets(server, session):
    source = random.Random(2921)
    good = [server.packet(ALICES, number, padding=number % 3) for number in range(1000)]
    delivered = 0
    for number, data in enumerate(good):
        damaged = bytearray(data)
        damaged[source.randrange(len(data))] ^= source.randrange(1, 256)
        for bad in (
            source.randbytes(source.randrange(200)),
            b"\x80\x78" + source.randbytes(source.randrange(200)),
            b"\x80\xc8" + source.randbytes(source.randrange(200)),
            data[: source.randrange(len(data))],
            bytes(damaged),
        ):
            assert session.receive(bad, number * 0.02) is None
        delivered += session.receive(data, number * 0.02) is not None
        drain(session)
    assert delivered == 1000
    assert sum(session.drops.values()) == 5000
