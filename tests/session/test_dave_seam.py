"""End-to-end encryption between the session and Opus."""

import sys

import pytest

from voicekit.codes import SILENCE_FRAME
from voicekit.dave import Passthrough
from voicekit.errors import LocalProtocolError
from voicekit.events import SpeakingStarted

from .peers import ALICE, ALICES, BOBS, VOICE, Server, drain, frames, ready_session

KNOWN = b"end to end"


class Tagger(Passthrough):
    """Marks what it encrypts; decrypts what it marked, and lets silence pass in clear."""

    def __init__(self):
        self.ready = True
        self.calls = []

    def encrypt(self, opus):
        return opus + KNOWN if self.ready else None

    def decrypt(self, user_id, frame, now):
        self.calls.append((user_id, frame, now))
        if frame == SILENCE_FRAME:
            return frame
        return frame.removesuffix(KNOWN) if frame.endswith(KNOWN) else None


@pytest.fixture
def dave():
    return Tagger()


@pytest.fixture
def session(dave):
    session = ready_session(dave=dave, timestamp=0)
    session.map_ssrc(ALICES, ALICE, 0.0)
    return session


def test_frames_are_encrypted_before_they_are_sealed(session):
    for datagram in (session.seal(VOICE), session.seal_audio(VOICE, 0.0)):
        assert Server().open(datagram).payload == VOICE + KNOWN
    buffer = bytearray(500)
    size = session.seal_into(buffer, bytearray(VOICE))
    assert Server().open(buffer[:size]).payload == VOICE + KNOWN
    assert session.frames_sent_clear == 0
    assert session.last_timestamp == 2 * 960  # from the Opus packet, not from what hides it


def test_what_must_not_go_out_now_does_not(session, dave):
    dave.ready = False
    assert session.seal_audio(VOICE, 0.0) is None
    assert session.drops == {"not_ready": 1}
    with pytest.raises(LocalProtocolError, match="end-to-end"):
        session.seal(VOICE)
    assert session.last_sequence is None


def test_frames_are_decrypted_for_their_user(session, dave):
    frame = session.receive(Server().packet(ALICES, 1, VOICE + KNOWN), 2.5)
    assert frame.opus == VOICE
    assert frame.e2ee
    assert frame.duration == 960
    assert dave.calls == [(ALICE, VOICE + KNOWN, 2.5)]


def test_frames_in_clear_say_so(session):
    frame = session.receive(Server().silence(ALICES, 1), 0.0)
    assert frame.opus == SILENCE_FRAME
    assert not frame.e2ee


def test_what_no_key_fits_is_counted_per_stream(session):
    assert session.receive(Server().packet(ALICES, 1), 0.0) is None
    assert session.drops == {"undecryptable": 1}
    assert session.stream_stats()[ALICES].undecryptable == 1
    assert session.packets_received == 0
    assert drain(session) == []


def test_nothing_left_is_no_frame(session):
    assert session.receive(Server().packet(ALICES, 1, KNOWN), 0.0) is None
    assert session.drops == {"empty": 1}


def test_packets_of_strangers_are_decrypted_once_their_user_is_known(session, dave):
    session.receive(Server().packet(BOBS, 1, VOICE + KNOWN), 0.0)
    session.receive(Server().packet(BOBS, 2), 0.0)
    assert dave.calls == []
    session.map_ssrc(BOBS, 77, 0.1)
    assert drain(session)[0] == SpeakingStarted(77, BOBS)
    assert [call[0] for call in dave.calls] == [77, 77]
    assert session.drops == {"undecryptable": 1}
    assert session.packets_received == 1


def python_calls_per_packet(dave):
    """Names of the Python functions that run while packets are received and sealed."""
    session = ready_session(dave=dave)
    session.speaking(ALICES, ALICE, 1, 0.0)
    packets = [Server().packet(ALICES, number, SILENCE_FRAME) for number in range(3)]
    names = set()

    def note(frame, event, argument):
        if event == "call":
            names.add(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        for packet in packets:
            session.receive(packet, 0.0)
            session.seal_audio(VOICE, 0.0)
    finally:
        sys.setprofile(None)
    assert session.packets_received == session.packets_sent == 3
    return names


@pytest.mark.parametrize("dave", [None, Passthrough()])
def test_without_it_no_python_function_is_called_per_packet(dave):
    assert python_calls_per_packet(dave) == set()


def test_with_it_two_are():
    assert python_calls_per_packet(Tagger()) == {"encrypt", "decrypt"}


def test_a_session_may_be_changed_from_inside_a_call(session, dave):
    def leave(user_id, frame, now):
        session.remove_user(user_id, now)
        session.close()
        return frame

    dave.decrypt = leave
    frame = session.receive(Server().packet(ALICES, 1), 0.0)
    assert frame.opus == VOICE
    assert frames(drain(session)) == []
    assert session.receive(Server().packet(ALICES, 2), 0.0) is None
