"""Back-off, budget, deadlines, violations and late input."""

from random import Random
from typing import Any

import pytest

from tests.gateway.driver import DESCRIPTION, MODE, READY, Driver, reach
from voicekit.close_codes import ClosePolicy
from voicekit.codes import Opcode
from voicekit.config import Config
from voicekit.errors import ConnectFailed, ConnectTimedOut, LocalProtocolError
from voicekit.events import Closed, ProtocolViolation, Reconnecting, SessionResumed
from voicekit.gateway_states import GatewayState
from voicekit.outputs import CloseWebSocket, OpenWebSocket
from voicekit.retries import Retries

S = GatewayState


def pauses(count: int, **settings: Any) -> list[float]:
    retries = Retries(Config(**settings), Random(3))
    return [retries.next_pause() for _ in range(count)]


def test_pauses_double_from_a_quarter_second_to_ten() -> None:
    assert pauses(9, backoff_jitter=0) == [0.25, 0.5, 1, 2, 4, 8, 10, 10, 10]


def test_pauses_are_spread_by_the_jitter() -> None:
    for pause, plain in zip(pauses(7), pauses(7, backoff_jitter=0), strict=True):
        assert 0.9 * plain <= pause <= 1.1 * plain
        assert pause != plain


def test_many_pauses_do_not_overflow() -> None:
    assert pauses(5000, backoff_jitter=0)[-1] == 10


def test_the_budget_counts_dials_in_a_row() -> None:
    driver = Driver()
    driver.start()
    while driver.gateway.state is not S.CLOSED:
        driver.websocket_failed(driver.link, "connection refused")
        driver.wait(5.0)
    assert len([item for item in driver.all if isinstance(item, OpenWebSocket)]) == 5
    assert [event.attempt for event in driver.events(Reconnecting)] == [1, 2, 3, 4]
    (closed,) = driver.events(Closed)
    assert closed.code is None
    assert isinstance(closed.error, ConnectFailed)
    assert (closed.error.stage, closed.error.attempts) == ("websocket", 5)
    assert "connection refused" in str(closed.error)
    assert driver.next_timeout() is None


def test_a_budget_of_one_does_not_dial_again_at_first_but_resumes_once() -> None:
    driver = Driver(max_attempts=1)
    driver.start()
    driver.websocket_failed(driver.link, "refused")
    assert driver.gateway.state is S.CLOSED
    driver = reach(S.OPEN, max_attempts=1)
    driver.closed(1006)
    driver.wait(0.3)
    driver.websocket_failed(driver.link, "refused")
    assert driver.gateway.state is S.CLOSED


def test_the_budget_is_full_again_once_ready() -> None:
    driver = reach(S.OPEN)
    for _ in range(20):
        driver.closed(4015)
        for _ in range(3):
            driver.wait(3.0)
            driver.websocket_failed(driver.link, "refused")
        driver.wait(3.0)
        driver.open_link()
        driver.receive(Opcode.RESUMED)
        assert driver.gateway.state is S.OPEN
    assert driver.resumes == 20
    assert driver.reconnects == 80
    assert driver.events(Reconnecting)[-4].attempt == 1


def test_an_identified_but_never_ready_server_uses_the_budget_up() -> None:
    driver = Driver(connect_timeout=1000.0)
    driver.start()
    while driver.gateway.state is not S.CLOSED:
        driver.open_link()
        driver.receive(Opcode.READY, READY)
        driver.closed(1011)
        driver.wait(6.0)
    error = driver.events(Closed)[0].error
    assert isinstance(error, ConnectFailed)
    assert (error.stage, error.attempts) == ("udp_discovery", 5)
    assert len(driver.sent(Opcode.IDENTIFY)) == 5


@pytest.mark.parametrize(
    ("state", "stage"),
    [
        (S.DIALLING, "websocket"),
        (S.IDENTIFYING, "handshake"),
        (S.SELECTING, "udp_discovery"),
        (S.DESCRIBING, "handshake"),
        (S.RESUME_DIALLING, "websocket"),
    ],
)
def test_connecting_has_a_deadline_that_names_its_stage(state: GatewayState, stage: str) -> None:
    driver = reach(state, connect_timeout=12.0, heartbeat_min=50.0)
    started = 100.0
    while driver.gateway.state is state:
        due = driver.next_timeout()
        assert due is not None
        driver.wait(due - driver.now)
    assert driver.now == pytest.approx(started + 12.0, abs=0.01)
    (closed,) = driver.events(Closed)
    assert isinstance(closed.error, ConnectTimedOut)
    assert closed.error.stage == stage
    assert stage in str(closed.error)
    assert driver.new[0] == CloseWebSocket(driver.link, 1000)


def test_the_deadline_covers_all_tries_together() -> None:
    driver = Driver(connect_timeout=1.0)
    driver.start()
    driver.websocket_failed(1, "refused")
    driver.wait(0.5)
    assert driver.gateway.state is S.DIALLING
    driver.wait(0.5)
    assert driver.gateway.state is S.CLOSED


def test_an_open_session_has_no_deadline() -> None:
    driver = reach(S.OPEN)
    for _ in range(50):
        driver.wait(10.0)
        driver.acknowledge()
    assert driver.gateway.state is S.OPEN


@pytest.mark.parametrize("state", [S.DIALLING, S.IDENTIFYING, S.DESCRIBING])
def test_a_new_voice_server_has_the_whole_deadline_again(state: GatewayState) -> None:
    driver = reach(state, heartbeat_min=100.0)
    driver.wait(29.0)
    driver.update_voice_server("new", "b.example:1")
    driver.wait(29.0)
    assert driver.gateway.state is S.DIALLING
    driver.wait(1.0)
    assert driver.gateway.state is S.CLOSED


# -- violations --------------------------------------------------------------------------


def test_violations_in_a_row_make_the_connection_anew() -> None:
    driver = reach(S.OPEN)
    for count in range(1, 20):
        driver.receive_text(driver.link, "{")
        assert driver.new[-1].in_a_row == count
    assert driver.gateway.state is S.OPEN
    driver.receive_text(driver.link, "{")
    violation, closing, event = driver.new
    assert isinstance(violation, ProtocolViolation)
    assert closing == CloseWebSocket(1, 4000)
    assert isinstance(event, Reconnecting)
    assert event.policy is ClosePolicy.RESUME
    assert "20 protocol violations" in event.why
    driver.wait(0.3)
    driver.open_link()
    driver.receive(Opcode.RESUMED)
    assert driver.events(SessionResumed)
    assert driver.violations == 20


def test_each_link_counts_its_violations_anew() -> None:
    driver = reach(S.OPEN)
    for _ in range(19):
        driver.receive_text(driver.link, "{")
    driver.closed(1006)
    driver.wait(0.3)
    driver.open_link(hello=False)
    driver.receive_text(driver.link, "{")
    assert driver.new[-1].in_a_row == 1
    assert driver.violations == 20


def test_a_good_message_ends_the_row() -> None:
    driver = reach(S.OPEN, max_violations=3)
    for _ in range(10):
        driver.receive_text(driver.link, "{")
        driver.receive_binary(driver.link, b"")
        driver.receive(13, {"user_id": "1"})
    assert driver.gateway.state is S.OPEN
    assert driver.violations == 20


def test_violations_before_a_session_identify_again() -> None:
    driver = reach(S.DESCRIBING, max_violations=2)
    driver.receive(4, DESCRIPTION | {"mode": "other"})
    driver.receive(4, DESCRIPTION | {"mode": "other"})
    assert driver.gateway.state is S.BACKING_OFF


# -- links that are gone -------------------------------------------------------------------


def test_late_input_of_a_replaced_link_is_ignored_and_counted() -> None:
    driver = reach(S.RESUMING)
    old = driver.link - 1
    calls: list[tuple[str, tuple[object, ...]]] = [
        ("websocket_opened", ()),
        ("websocket_failed", ("refused",)),
        ("websocket_closed", (4004, "")),
        ("websocket_closed", (None, "")),
        ("receive_text", ('{"op": 9, "d": null, "seq": 5}',)),
        ("receive_text", ("garbage",)),
        ("receive_binary", (b"\x00\x05\x19",)),
        ("receive_binary", (b"",)),
    ]
    for link in (old, 0, -1, 99):
        for call, args in calls:
            before = driver.ignored
            assert getattr(driver, call)(link, *args) == []
            assert driver.ignored == before + 1
    assert driver.gateway.state is S.RESUMING
    assert driver.seq == -1
    assert driver.violations == 0


@pytest.mark.parametrize("state", S)
def test_stale_input_changes_no_state(state: GatewayState) -> None:
    driver = reach(state)
    due, link = driver.next_timeout(), driver.link
    driver.websocket_closed(link + 1, 4004, "")
    driver.receive_text(link + 1, '{"op": 9, "d": null}')
    assert driver.gateway.state is state
    assert driver.next_timeout() == due
    assert driver.ignored == 2


def test_a_link_that_is_opened_after_it_was_given_up_is_ignored() -> None:
    driver = reach(S.DIALLING)
    driver.update_voice_server("new", "b.example:1")
    assert driver.new[0] == CloseWebSocket(1, 1000)
    assert driver.websocket_opened(1) == []
    assert driver.gateway.state is S.DIALLING


def test_everything_after_the_end_is_ignored() -> None:
    driver = reach(S.CLOSED)
    link = driver.link
    driver.receive_text(link, "{")
    driver.receive_binary(link, b"\x00\x00\x19")
    driver.websocket_closed(link, 1006, "")
    driver.update_voice_state(5, "x")
    driver.update_voice_server("x", "b.example:1")
    driver.handle_timeout()
    assert driver.all[-1] == driver.events(Closed)[0]
    assert driver.ignored == 5
    assert driver.violations == 0


# -- the application ------------------------------------------------------------------------


def test_renegotiate_drops_the_session_and_identifies_anew() -> None:
    driver = reach(S.OPEN)
    driver.receive(13, {"user_id": "1"}, seq=5)
    driver.renegotiate("every nonce is used")
    closing, event, opening = driver.new
    assert closing == CloseWebSocket(1, 1000)
    assert isinstance(event, Reconnecting)
    assert (event.attempt, event.delay, event.why) == (1, 0.0, "every nonce is used")
    assert isinstance(opening, OpenWebSocket)
    assert driver.ssrc is None
    driver.open_session()
    assert len(driver.sent(Opcode.IDENTIFY)) == 2
    assert driver.sent(Opcode.RESUME) == []


def test_select_protocol_after_a_loss_is_a_wrong_call() -> None:
    driver = reach(S.SELECTING)
    driver.closed(1006)
    with pytest.raises(LocalProtocolError, match="BACKING_OFF"):
        driver.select_protocol("203.0.113.9", 6000, MODE)
