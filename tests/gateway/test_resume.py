"""A lost WebSocket under a session that stands: resume, replay, refusal."""

import itertools

import pytest

from tests.gateway.driver import DESCRIPTION, HELLO, KEY, MODE, SSRC, reach
from voicekit.close_codes import ClosePolicy
from voicekit.codes import Opcode
from voicekit.errors import ConnectFailed
from voicekit.events import (
    Closed,
    NeedNewSession,
    Reconnecting,
    SessionResumed,
    SpeakingChanged,
    UserJoined,
)
from voicekit.gateway_events import GatewayDescribed, GatewayMessage, GatewayReady
from voicekit.gateway_states import CONNECTED_STATES, GatewayState
from voicekit.outputs import CloseWebSocket, OpenWebSocket, SendBinary, SendText

S = GatewayState

RESUME = {
    "server_id": "11",
    "session_id": "the-session-id",
    "token": "the-token",
}


@pytest.mark.parametrize("version", range(4, 10))
def test_the_shape_of_resume_by_version(version: int) -> None:
    driver = reach(S.OPEN, gateway_version=version)
    driver.receive(5, {"speaking": 1, "ssrc": 1, "user_id": "2"}, seq=0)
    driver.closed(1006)
    driver.wait(0.3)
    driver.websocket_opened(driver.link)
    expected = dict[str, object](RESUME)
    if version >= 8:
        expected["seq_ack"] = 0
    if version >= 9:
        expected["channel_id"] = "22"
    assert driver.sent()[-1] == (7, expected)


def test_resume_is_the_first_message_on_a_new_link() -> None:
    driver = reach(S.RESUME_DIALLING)
    assert driver.link == 2
    driver.websocket_opened(2)
    (message,) = driver.new
    assert isinstance(message, SendText)
    assert message.link == 2
    assert driver.sent()[-1][0] == Opcode.RESUME
    assert len(driver.sent(Opcode.IDENTIFY)) == 1


def test_the_session_lives_on() -> None:
    driver = reach(S.RESUMING)
    driver.receive(Opcode.RESUMED)
    assert driver.gateway.state is S.OPEN
    assert driver.ssrc == SSRC
    assert driver.resumes == 1
    assert driver.reconnects == 1
    assert driver.new == [SessionResumed()]
    assert len(driver.events(GatewayReady)) == 1
    assert driver.events(GatewayDescribed) == [GatewayDescribed(MODE, bytes(KEY), 0)]


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["hello", "resumed", "speaking", "joined", "proposals"]))
)
def test_hello_resumed_and_the_replay_come_in_any_order(order: tuple[str, ...]) -> None:
    """Nothing is lost: not what is replayed before op 9, nor after it, nor binary messages."""
    driver = reach(S.RESUME_DIALLING)
    driver.open_link(hello=False)
    for step in order:
        match step:
            case "hello":
                driver.receive(Opcode.HELLO, HELLO)
            case "resumed":
                driver.receive(Opcode.RESUMED, None)
            case "speaking":
                driver.receive(5, {"speaking": 1, "ssrc": 9, "user_id": "7"}, seq=3)
            case "joined":
                driver.receive(11, {"user_ids": ["7"]}, seq=2)
            case "proposals":
                driver.receive_octets(4, Opcode.MLS_PROPOSALS, b"proposals")
    assert driver.gateway.state is S.OPEN
    assert driver.violations == 0
    assert driver.events(SessionResumed) == [SessionResumed()]
    assert driver.events(SpeakingChanged) == [SpeakingChanged(7, 9, 1)]
    assert driver.events(UserJoined) == [UserJoined(7)]
    assert [m.op for m in driver.events(GatewayMessage)] == [
        {"speaking": 5, "joined": 11, "proposals": 27}[step]
        for step in order
        if step not in ("hello", "resumed")
    ]
    driver.wait(10.0)
    assert driver.sent(Opcode.HEARTBEAT), "Hello was heard"


def test_resumed_brings_no_key_and_none_is_waited_for() -> None:
    driver = reach(S.RESUMING)
    driver.receive(Opcode.RESUMED, None)
    driver.wait(31.0)
    assert not driver.events(Closed)


def test_a_description_during_resume_is_taken() -> None:
    driver = reach(S.RESUMING)
    driver.receive(4, DESCRIPTION)
    assert driver.new == []
    driver.receive(4, DESCRIPTION | {"secret_key": [1] * 32})
    assert driver.new == [GatewayDescribed(MODE, bytes([1] * 32), 0)]
    assert driver.gateway.state is S.RESUMING


# -- sequence numbers --------------------------------------------------------------


def resume_seq(*seqs: int) -> int:
    """Return the seq_ack of a Resume after messages with these sequence numbers."""
    driver = reach(S.OPEN)
    for seq in seqs:
        driver.receive(13, {"user_id": "1"}, seq=seq)
    driver.closed(4015)
    driver.wait(0.3)
    driver.open_link()
    ack = driver.sent(Opcode.RESUME)[-1]["seq_ack"]
    assert isinstance(ack, int)
    return ack


@pytest.mark.parametrize(
    ("seqs", "last"),
    [((), -1), ((5,), 5), ((65534, 65535, 0), 0), ((65535, 0, 1), 1), ((9, 3), 3), ((0,), 0)],
)
def test_the_last_number_is_overwritten_never_compared(seqs: tuple[int, ...], last: int) -> None:
    assert resume_seq(*seqs) == last


def test_binary_messages_carry_numbers_too_unsigned() -> None:
    driver = reach(S.OPEN)
    driver.receive(13, {"user_id": "1"}, seq=7)
    driver.receive_octets(0xFFFE, Opcode.MLS_PROPOSALS)
    assert driver.seq == 0xFFFE
    driver.receive_octets(0, Opcode.MLS_PROPOSALS)
    assert driver.seq == 0


@pytest.mark.parametrize(
    "text",
    [
        '{"op": 2, "d": {}, "seq": 77}',
        '{"op": 13, "d": {"user_id": []}, "seq": 77}',
        '{"op": 99, "d": null, "seq": 77}',
        '{"op": 0, "d": {}, "seq": 77}',
        '{"op": 1000, "d": null, "seq": 77}',
        '{"op": "x", "seq": 77}',
        '{"seq": 77}',
    ],
)
def test_the_number_of_a_message_not_understood_counts(text: str) -> None:
    driver = reach(S.OPEN)
    driver.receive_text(driver.link, text)
    assert driver.seq == 77


@pytest.mark.parametrize("octets", [b"\x00\x4d", b"\x00\x4d\x00", b"\x00\x4d\xff", b"\x00\x4d\x1c"])
def test_the_number_of_a_binary_message_not_understood_counts(octets: bytes) -> None:
    driver = reach(S.OPEN)
    driver.receive_binary(driver.link, octets)
    assert driver.seq == 77


@pytest.mark.parametrize("seq", ["65536", "-1", '"5"', "1.5", "null", "1e99", "[]"])
def test_a_number_that_is_none_changes_nothing(seq: str) -> None:
    driver = reach(S.OPEN)
    driver.receive(13, {"user_id": "1"}, seq=5)
    driver.receive_text(driver.link, f'{{"op": 13, "d": {{"user_id": "1"}}, "seq": {seq}}}')
    assert driver.seq == 5


def test_a_new_session_numbers_anew() -> None:
    driver = reach(S.OPEN)
    driver.receive(13, {"user_id": "1"}, seq=5)
    driver.update_voice_server("new", "b.example:1")
    assert driver.seq == -1


# -- what we send meanwhile ------------------------------------------------------------


def test_messages_wait_for_the_resume_and_keep_their_order() -> None:
    driver = reach(S.OPEN)
    driver.closed(1006)
    driver.set_speaking(1)
    driver.wait(0.3)
    driver.send(Opcode.DAVE_TRANSITION_READY, {"transition_id": 3})
    driver.open_link()
    driver.send_binary(Opcode.MLS_COMMIT_WELCOME, b"commit")
    assert [op for op, _ in driver.sent()][-1] == Opcode.RESUME
    driver.receive(Opcode.RESUMED)
    assert driver.new[0] == SessionResumed()
    speaking, ready, commit = driver.new[1:]
    assert isinstance(speaking, SendText)
    assert '"op":5' in speaking.text
    assert isinstance(ready, SendText)
    assert '"op":23' in ready.text
    assert commit == SendBinary(driver.link, b"\x1ccommit")


def test_messages_kept_are_bounded_and_die_with_their_session() -> None:
    driver = reach(S.RESUME_BACKING_OFF)
    for n in range(1000):
        driver.send(15, {"any": n})
    driver.wait(0.3)
    driver.open_link()
    driver.receive(Opcode.RESUMED)
    assert [d["any"] for d in driver.sent(15)] == list(range(744, 1000))
    driver.closed(1006)
    driver.send(15, {"any": -1})
    driver.renegotiate("fresh key")
    driver.open_session()
    driver.closed(1006)
    driver.wait(0.3)
    driver.open_link()
    driver.receive(Opcode.RESUMED)
    assert driver.resumes == 2
    assert -1 not in [d["any"] for d in driver.sent(15)]


# -- refusal --------------------------------------------------------------------------


@pytest.mark.parametrize("code", [4006, 4009, 4011])
def test_a_refused_resume_asks_the_host_for_a_new_session(code: int) -> None:
    driver = reach(S.RESUMING)
    driver.closed(code)
    assert driver.gateway.state is S.AWAITING_SESSION
    (event,) = driver.new
    assert isinstance(event, NeedNewSession)
    assert event.code == code
    driver.wait(29.0)
    assert not [item for item in driver.new if isinstance(item, OpenWebSocket)], "it never loops"


def test_a_server_that_drops_every_resume_refuses_it_in_the_end() -> None:
    driver = reach(S.OPEN)
    driver.closed(4015)
    dials = 0
    while driver.gateway.state is S.RESUME_BACKING_OFF:
        driver.wait(6.0 if dials == 4 else 3.0)
        dials += 1
        driver.open_link()
        driver.closed(4000)
    assert dials == 5
    assert driver.gateway.state is S.AWAITING_SESSION


def test_a_server_that_does_not_answer_resume_refuses_it() -> None:
    driver = reach(S.RESUME_DIALLING)
    driver.open_link(hello=False)
    driver.wait(30.0)
    assert driver.gateway.state is S.AWAITING_SESSION
    assert driver.events(NeedNewSession)[0].code is None
    assert CloseWebSocket(2, 1000) in driver.new


def test_a_server_that_can_not_be_dialled_for_a_resume_ends_the_call() -> None:
    driver = reach(S.OPEN)
    driver.closed(1006)
    while driver.gateway.state is S.RESUME_BACKING_OFF:
        driver.wait(5.0)
        driver.websocket_failed(driver.link, "refused")
    (closed,) = driver.events(Closed)
    assert closed.policy is ClosePolicy.RESUME
    assert isinstance(closed.error, ConnectFailed)
    assert (closed.error.stage, closed.error.attempts) == ("websocket", 5)


# -- before the session stands -----------------------------------------------------------


@pytest.mark.parametrize("state", [s for s in CONNECTED_STATES if s not in (S.OPEN, S.RESUMING)])
def test_a_loss_before_the_description_identifies_again_with_the_same_token(
    state: GatewayState,
) -> None:
    driver = reach(state)
    driver.receive(13, {"user_id": "1"}, seq=5)
    driver.closed(4015)
    assert driver.gateway.state is S.BACKING_OFF
    assert driver.ssrc is None
    driver.wait(0.3)
    driver.open_session()
    assert driver.gateway.state is S.OPEN
    first, second = driver.sent(Opcode.IDENTIFY)
    assert first == second
    assert driver.sent(Opcode.RESUME) == []


def test_reconnecting_says_when_and_why() -> None:
    driver = reach(S.OPEN)
    driver.closed(4015, "maintenance")
    (event,) = driver.new
    assert isinstance(event, Reconnecting)
    assert event.attempt == 1
    assert 0.225 <= event.delay <= 0.275
    assert event.code == 4015
    assert "maintenance" in event.why
    assert driver.next_timeout() == pytest.approx(driver.now + event.delay)
