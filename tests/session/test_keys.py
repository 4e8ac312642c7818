import copy
import pickle

import pytest

from voicekit._crypto import TransportCipher
from voicekit._rtp import DROP_REASONS
from voicekit._session import RtpSession
from voicekit.codes import DropReason
from voicekit.errors import ModeUnavailable

from .peers import ALICE, ALICES, KEY, MODE, OURS, VOICE, Server, ready_session


def nonce(datagram):
    return int.from_bytes(datagram[-4:], "big")


def test_a_new_key_opens_and_seals():
    session = ready_session()
    session.map_ssrc(ALICES, ALICE, 0.0)
    key = bytes(32)
    session.set_key(MODE, key)
    assert Server(key).open(session.seal(VOICE)).payload == VOICE
    assert session.receive(Server(key).packet(ALICES, 1), 0.0).user_id == ALICE
    assert session.receive(Server().packet(ALICES, 2), 0.0) is None
    assert session.drops == {"bad_tag": 1}


@pytest.mark.parametrize("between", ["nothing", "close", "reset"])
@pytest.mark.parametrize("start", [None, 0])
def test_the_same_key_again_never_repeats_a_nonce(between, start):
    session = ready_session()
    used = [nonce(session.seal(VOICE)) for _ in range(5)]
    if between == "close":
        session.close()
    elif between == "reset":
        session.reset(6)
    session.set_key(MODE, bytearray(KEY), nonce_start=start)
    used += [nonce(session.seal(VOICE)) for _ in range(5)]
    assert used == list(range(10))


def test_the_same_exhausted_key_again_stays_exhausted():
    session = RtpSession(OURS)
    session.set_key(MODE, KEY, nonce_start=2**31 - 1)
    session.seal(VOICE)
    session.set_key(MODE, KEY)
    assert session.is_exhausted


@pytest.mark.parametrize(
    ("mode", "key", "error"),
    [("xsalsa20_poly1305", KEY, ModeUnavailable), (MODE, bytes(31), ValueError)],
)
def test_a_key_that_is_refused_leaves_the_old_one(mode, key, error):
    session = ready_session()
    with pytest.raises(error):
        session.set_key(mode, key)
    assert session.mode == MODE
    assert Server().open(session.seal(VOICE)).payload == VOICE


def test_the_key_is_borrowed_for_the_call_only():
    key = bytearray(KEY)
    session = RtpSession(OURS)
    session.set_key(MODE, key, nonce_start=0)
    key[:] = bytes(32)
    assert Server().open(session.seal(VOICE)).payload == VOICE


def test_sequence_numbers_go_on_under_a_new_key():
    session = ready_session(sequence=10)
    session.seal(VOICE)
    session.set_key(MODE, bytes(32))
    session.seal(VOICE)
    assert session.last_sequence == 11


def test_a_session_is_never_copied():
    session = ready_session()
    for copier in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="nonces"):
            copier(session)


def test_the_repr_shows_no_key():
    session = ready_session()
    assert repr(session) == f"<RtpSession ssrc={OURS} {MODE}>"
    session.close()
    assert repr(session) == f"<RtpSession ssrc={OURS} without key>"


def test_a_second_cipher_with_the_counter_of_the_first():
    # What set_key relies on for a key that comes again.
    first = TransportCipher(MODE, KEY, nonce_start=3)
    assert nonce(TransportCipher(MODE, KEY, counter=first.counter).seal(b"", b"")) == 3
    assert nonce(first.seal(b"", b"")) == 4


def test_every_reason_to_drop_has_its_number():
    assert tuple(DropReason) == DROP_REASONS
