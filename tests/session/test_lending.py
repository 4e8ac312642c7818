"""A session that is lent: whoever has it seals and sends from a thread of its own."""

import pytest

from voicekit._sender import Borrower
from voicekit.errors import LocalProtocolError
from voicekit.events import AudioStopped, SpeakingChanged
from voicekit.testing import Pair

from .peers import ALICE, ALICES, KEY, MODE, OURS, VOICE, Server, ready_session


def test_we_do_not_seal_what_somebody_else_numbers() -> None:
    session = ready_session(sequence=7)
    session.lend(Borrower())
    for seal in (
        lambda: session.seal(VOICE),
        lambda: session.seal_into(bytearray(500), VOICE),
        lambda: session.seal_audio(VOICE, 0.0),
    ):
        with pytest.raises(LocalProtocolError, match="the pacer sends"):
            seal()
    assert session.drops == {}
    session.take_back()
    session.seal(VOICE)
    assert session.last_sequence == 7


def test_rtcp_and_receiving_go_on() -> None:
    session = ready_session()
    session.lend(Borrower())
    session.map_ssrc(ALICES, ALICE, 0.0)
    assert session.receive(Server().packet(ALICES, 1), 0.0).opus == VOICE
    assert session.receiver_report(0.1)


def test_there_is_one_borrower_at_a_time() -> None:
    session = ready_session()
    session.lend(Borrower())
    with pytest.raises(LocalProtocolError, match="already"):
        session.lend(Borrower())
    session.take_back()
    session.take_back()
    session.lend(Borrower())


def test_a_new_key_and_a_new_session_stay_lent() -> None:
    session = ready_session()
    session.lend(Borrower())
    session.set_key(MODE, KEY)
    session.close()
    session.reset(OURS + 1)
    assert session.is_lent


def speaking_of(pair: Pair) -> list[int]:
    return [event.flags for event in pair.clients[1].events_of(SpeakingChanged)]


def test_speaking_goes_out_before_a_pacer_begins() -> None:
    pair = Pair(clients=2)
    first, _ = pair.clients
    assert not pair.call(first, lambda connection: connection.start_audio(pair.now))
    pair.connect()
    assert pair.call(first, lambda connection: connection.start_audio(pair.now))
    pair.drive(0.1)
    assert speaking_of(pair) == [1]


def lent_pair() -> Pair:
    """A pair whose first client has begun to send, and is lent in the middle of it."""
    pair = Pair(clients=2)
    pair.connect()
    first, _ = pair.clients
    pair.play(first, 3)
    pair.drive(0.06)
    assert not first.connection.lent
    return pair


def lend(pair: Pair) -> int:
    connection = pair.clients[0].connection
    connection._rtp.lend(Borrower())
    assert connection.lent
    return connection.stats().packets_sent


def test_stopping_while_lent_ends_speaking_at_once_and_sends_no_silence() -> None:
    pair = lent_pair()
    sent = lend(pair)
    pair.stop_audio(pair.clients[0])
    assert len(pair.clients[0].events_of(AudioStopped)) == 1
    pair.drive(1.0)
    assert speaking_of(pair) == [1, 0]
    assert pair.clients[0].connection.stats().packets_sent == sent


def test_silence_that_was_due_is_left_to_the_borrower() -> None:
    pair = lent_pair()
    pair.stop_audio(pair.clients[0])
    sent = lend(pair)
    pair.drive(1.0)
    assert pair.clients[0].connection.stats().packets_sent == sent
    assert speaking_of(pair) == [1]
