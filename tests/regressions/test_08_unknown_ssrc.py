"""Audio before its Speaking message: dropped, or worse, decoded without its user's key.

hermes-agent PR#75078 (the first utterance is noise, and speech recognition invents words),
PR#73688; dysnomia PR#196 (the user is undefined); discord-ext-voice-recv#49. Item 8 of the
list of what users suffer from.
"""

from tests.session.peers import ALICE, ALICES, Server, drain, frames, ready_session, voice
from voicekit.dave import Passthrough


class Recorder(Passthrough):
    """End-to-end encryption that notes for whom it was asked to decrypt."""

    def __init__(self):
        self.asked = []

    def decrypt(self, user_id, frame, now):
        self.asked.append(user_id)
        return frame


def test_hermes_75078_nothing_is_decoded_before_its_user_is_known():
    server, dave = Server(), Recorder()
    session = ready_session(dave=dave)
    for number in range(5):
        assert session.receive(server.packet(ALICES, number), 0.0) is None
    assert dave.asked == []
    assert drain(session) == []


def test_hermes_75078_the_first_words_are_not_lost():
    server, dave = Server(), Recorder()
    session = ready_session(dave=dave)
    heard = []
    for number in range(12):
        now = number * 0.02
        if number == 4:  # op 5 is 80 ms late
            session.speaking(ALICES, ALICE, 1, now)
            heard += frames(drain(session))
        frame = session.receive(server.packet(ALICES, number, voice(number)), now)
        heard += [frame] if frame else []
    assert [frame.opus for frame in heard] == [voice(number) for number in range(12)]
    assert {frame.user_id for frame in heard} == set(dave.asked) == {ALICE}


def test_dysnomia_196_no_frame_is_without_a_user():
    server, session = Server(), ready_session()
    for number in range(100):
        now = number * 0.02
        assert session.receive(server.packet(ALICES, number), now) is None
        session.handle_timeout(now)
    session.handle_timeout(10.0)
    assert frames(drain(session)) == []
    assert session.drops == {"hold_overflow": 90, "unknown_ssrc": 10}
    assert session.next_timeout() is None
