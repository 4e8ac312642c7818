"""The host's two events against the WebSocket's close, in every order."""

import pytest
from msgspec.structs import replace

from tests.gateway.driver import DESCRIPTION, INFO, MODE, READY, SSRC, Driver, reach
from voicekit.close_codes import ClosePolicy
from voicekit.codes import Opcode
from voicekit.errors import CallClosed, ConnectFailed, ConnectTimedOut
from voicekit.events import Closed, NeedNewSession, Reconnecting, WaitingForUpdate
from voicekit.gateway_states import SESSION_STATES, GatewayState
from voicekit.outputs import CloseWebSocket, OpenWebSocket

S = GatewayState
RUNNING = [s for s in S if s not in (S.IDLE, S.AWAITING_UPDATE, S.AWAITING_SESSION, S.CLOSED)]


def dials(driver: Driver) -> list[str]:
    return [item.url for item in driver.all if isinstance(item, OpenWebSocket)]


# -- 4014 and 4022: kick, move, region change, end of the call -----------------------------


@pytest.mark.parametrize("code", [4014, 4022])
def test_close_then_update_identifies_at_the_new_server(code: int) -> None:
    driver = reach(S.OPEN)
    driver.closed(code)
    assert driver.new == [WaitingForUpdate(code, driver.new[0].why)]
    assert str(code) in driver.new[0].why
    driver.wait(29.0)
    assert dials(driver) == ["wss://voice.example:2048/?v=8"], "nothing is dialled meanwhile"
    driver.update_voice_server("new-token", "b.example:443")
    assert driver.new == [OpenWebSocket(2, "wss://b.example:443/?v=8")]
    driver.open_session()
    assert driver.sent(Opcode.IDENTIFY)[-1]["token"] == "new-token"
    assert driver.sent(Opcode.RESUME) == []
    assert driver.gateway.state is S.OPEN


@pytest.mark.parametrize("code", [4014, 4022])
def test_update_then_close_identifies_at_the_new_server(code: int) -> None:
    driver = reach(S.OPEN)
    driver.update_voice_server("new-token", "b.example:443")
    closing, event, opening = driver.new
    assert closing == CloseWebSocket(1, 1000)
    assert isinstance(event, Reconnecting)
    assert (event.attempt, event.delay) == (1, 0.0)
    assert opening == OpenWebSocket(2, "wss://b.example:443/?v=8")
    assert driver.websocket_closed(1, code, "") == []
    driver.open_session()
    assert driver.sent(Opcode.IDENTIFY)[-1]["token"] == "new-token"


@pytest.mark.parametrize("code", [4014, 4022])
def test_close_then_null_channel_is_a_kick(code: int) -> None:
    driver = reach(S.OPEN)
    driver.closed(code)
    driver.update_voice_state(None, "the-session-id")
    (closed,) = driver.new
    assert (closed.code, closed.policy) == (code, ClosePolicy.WAIT_FOR_UPDATE)
    assert type(closed.error) is CallClosed
    assert closed.error.code == code


@pytest.mark.parametrize("code", [4014, 4022])
def test_null_channel_then_close_is_a_kick(code: int) -> None:
    driver = reach(S.OPEN)
    driver.update_voice_state(None, "the-session-id")
    closing, closed = driver.new
    assert closing == CloseWebSocket(1, 1000)
    assert (closed.code, closed.policy) == (None, ClosePolicy.WAIT_FOR_UPDATE)
    assert type(closed.error) is CallClosed
    assert driver.websocket_closed(1, code, "") == []


@pytest.mark.parametrize("code", [4014, 4022])
def test_no_update_within_the_deadline_ends_the_call(code: int) -> None:
    driver = reach(S.OPEN, update_timeout=7.0)
    driver.closed(code)
    driver.wait(6.9)
    assert driver.gateway.state is S.AWAITING_UPDATE
    driver.wait(0.1)
    (closed,) = driver.new
    assert (closed.code, closed.policy) == (code, ClosePolicy.WAIT_FOR_UPDATE)
    assert isinstance(closed.error, ConnectTimedOut)
    assert closed.error.stage == "update"


def test_the_same_token_and_endpoint_after_4014_are_an_update_all_the_same() -> None:
    driver = reach(S.AWAITING_UPDATE)
    driver.update_voice_server(INFO.token, str(INFO.endpoint))
    assert isinstance(driver.new[-1], OpenWebSocket)


# -- server gone, server changed -------------------------------------------------------------


@pytest.mark.parametrize("state", RUNNING)
def test_a_null_endpoint_closes_and_waits(state: GatewayState) -> None:
    driver = reach(state)
    linked = state not in (S.BACKING_OFF, S.RESUME_BACKING_OFF)
    driver.update_voice_server("whatever", None)
    assert driver.gateway.state is S.AWAITING_UPDATE
    assert driver.ssrc is None
    assert [type(item) for item in driver.new] == [CloseWebSocket] * linked + [WaitingForUpdate]
    assert driver.new[-1].code is None
    driver.update_voice_server("whatever", None)
    assert driver.new == []
    driver.update_voice_server("fresh", "b.example:1")
    driver.open_session()
    assert driver.sent(Opcode.IDENTIFY)[-1]["token"] == "fresh"


def test_a_null_endpoint_that_stays_null_ends_the_call() -> None:
    driver = reach(S.OPEN)
    driver.update_voice_server("whatever", None)
    driver.wait(60.0)
    (closed,) = driver.events(Closed)
    assert closed.code is None
    assert isinstance(closed.error, ConnectTimedOut)


@pytest.mark.parametrize("state", RUNNING)
@pytest.mark.parametrize(
    ("token", "endpoint"),
    [
        ("new-token", INFO.endpoint),
        (INFO.token, "b.example:443"),
        ("new-token", "b.example:443"),
        (INFO.token, "voice.example:2049"),
    ],
)
def test_another_token_or_endpoint_is_another_session(
    state: GatewayState, token: str, endpoint: str
) -> None:
    driver = reach(state)
    resumes = len(driver.sent(Opcode.RESUME))
    driver.update_voice_server(token, endpoint)
    assert driver.gateway.state is S.DIALLING
    assert driver.ssrc is None
    assert driver.new[-1] == OpenWebSocket(driver.link, f"wss://{endpoint}/?v=8")
    driver.open_session()
    assert driver.ssrc == SSRC
    assert driver.sent(Opcode.IDENTIFY)[-1]["token"] == token
    assert len(driver.sent(Opcode.RESUME)) == resumes


@pytest.mark.parametrize("state", RUNNING)
def test_an_identical_update_changes_nothing(state: GatewayState) -> None:
    driver = reach(state)
    due = driver.next_timeout()
    assert driver.update_voice_server(INFO.token, INFO.endpoint) == []
    assert driver.update_voice_state(INFO.channel_id, INFO.session_id) == []
    assert driver.gateway.state is state
    assert driver.next_timeout() == due


def test_the_budget_and_the_back_off_start_over_with_an_update() -> None:
    driver = Driver()
    driver.start()
    for _ in range(4):
        driver.websocket_failed(driver.link, "refused")
        driver.wait(3.0)
    driver.update_voice_server("new", "b.example:1")
    driver.websocket_failed(driver.link, "refused")
    assert driver.events(Reconnecting)[-1].attempt == 1


def test_updates_before_start_are_where_it_starts() -> None:
    driver = Driver()
    driver.update_voice_server("newer", "b.example:1")
    driver.update_voice_state(99, "other-session")
    driver.update_voice_state(None, "")
    assert driver.gateway.state is S.IDLE
    driver.start()
    driver.websocket_opened(1)
    assert dials(driver) == ["wss://b.example:1/?v=8"]
    identify = driver.sent(Opcode.IDENTIFY)[0]
    assert (identify["token"], identify["session_id"]) == ("newer", "other-session")


def test_without_reconnect_the_hosts_updates_still_count() -> None:
    driver = reach(S.OPEN, reconnect=False)
    driver.update_voice_server("x", None)
    assert driver.gateway.state is S.AWAITING_UPDATE
    driver.update_voice_server("x", "b.example:1")
    assert driver.gateway.state is S.DIALLING


# -- moves ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [8, 9])
@pytest.mark.parametrize(
    "order",
    [
        ("state", "server"),
        ("server", "state"),
        ("state", "close", "server"),
        ("close", "state", "server"),
        ("close", "server", "state"),
        ("server", "close", "state"),
        ("server", "state", "close"),
        ("state", "server", "close"),
    ],
)
def test_a_move_ends_in_the_new_channel_in_every_order(
    order: tuple[str, ...], version: int
) -> None:
    driver = reach(S.OPEN, gateway_version=version)
    for step in order:
        match step:
            case "state":
                driver.update_voice_state(99, INFO.session_id)
            case "server":
                driver.update_voice_server("new-token", INFO.endpoint)
            case "close":
                driver.websocket_closed(1, 4014, "moved")
    driver.wait(0.5)
    driver.open_session()
    assert driver.gateway.state is S.OPEN
    assert driver.gateway.info.channel_id == 99
    identify = driver.sent(Opcode.IDENTIFY)[-1]
    assert identify["token"] == "new-token"
    assert identify.get("channel_id") == ("99" if version == 9 else None)
    assert driver.sent(Opcode.RESUME) == []
    assert not driver.events(Closed)


@pytest.mark.parametrize("dave", [0, 1])
def test_a_channel_that_comes_after_a_session_stands_on_its_token(dave: int) -> None:
    """The DAVE group bears the channel's id: with one, the session is made anew."""
    driver = reach(S.OPEN)
    driver.update_voice_server("new-token", INFO.endpoint)
    driver.open_link()
    driver.receive(Opcode.READY, READY)
    driver.select_protocol("203.0.113.9", 6000, MODE)
    driver.receive(4, DESCRIPTION | {"dave_protocol_version": dave})
    link = driver.link
    driver.update_voice_state(99, INFO.session_id)
    if not dave:
        assert driver.gateway.state is S.OPEN
        return
    assert driver.gateway.state is S.BACKING_OFF
    assert driver.new[0] == CloseWebSocket(link, 1000)
    driver.wait(0.3)
    driver.open_session()
    assert driver.gateway.state is S.OPEN


def test_a_late_channel_has_the_whole_budget_and_deadline_again() -> None:
    driver = reach(S.OPEN, gateway_version=9, heartbeat_min=100.0)
    driver.update_voice_server("new-token", INFO.endpoint)
    for _ in range(4):
        driver.websocket_failed(driver.link, "refused")
        driver.wait(3.0)
    driver.open_link()
    driver.wait(15.0)
    driver.update_voice_state(99, INFO.session_id)
    assert driver.events(Reconnecting)[-1].attempt == 1
    driver.wait(29.0)
    assert driver.gateway.state is S.DIALLING
    for _ in range(3):
        driver.websocket_failed(driver.link, "refused")
        assert driver.gateway.state is S.BACKING_OFF
        driver.wait(0.1)


def test_a_null_endpoint_has_no_close_code_even_after_one() -> None:
    driver = reach(S.AWAITING_UPDATE)
    driver.update_voice_server("new-token", INFO.endpoint)
    driver.update_voice_server("new-token", None)
    driver.update_voice_state(None, INFO.session_id)
    assert driver.events(Closed)[0].code is None


@pytest.mark.parametrize("code", [1006, 4000, 4006, 4015])
def test_a_session_that_was_moved_out_of_is_not_resumed(code: int) -> None:
    driver = reach(S.OPEN)
    driver.update_voice_state(99, INFO.session_id)
    assert driver.gateway.state is S.OPEN, "until the token comes, or the close"
    driver.closed(code)
    assert driver.gateway.state is S.AWAITING_UPDATE
    driver.update_voice_server("new-token", INFO.endpoint)
    driver.open_session()
    assert driver.gateway.state is S.OPEN
    driver.closed(1006)
    assert driver.gateway.state is S.RESUME_BACKING_OFF, "the new session can be resumed"


@pytest.mark.parametrize("state", SESSION_STATES)
def test_a_new_main_session_is_not_resumed_on_the_old_one(state: GatewayState) -> None:
    driver = reach(state)
    driver.update_voice_state(INFO.channel_id, "another-session")
    driver.update_voice_server("new-token", INFO.endpoint)
    driver.open_session()
    assert driver.sent(Opcode.IDENTIFY)[-1]["session_id"] == "another-session"


def test_a_token_is_the_token_of_one_move() -> None:
    driver = reach(S.OPEN, gateway_version=9)
    driver.update_voice_server("token-2", INFO.endpoint)
    driver.update_voice_state(99, INFO.session_id)
    driver.open_session()
    driver.update_voice_state(77, INFO.session_id)
    assert driver.gateway.state is S.OPEN, "the token of this move is still to come"


def test_a_token_is_the_moves_only_for_a_while() -> None:
    """A change of region long ago is no half of a move of now."""
    driver = reach(S.OPEN, gateway_version=9)
    driver.update_voice_server("region-token", "b.example:1")
    driver.open_session()
    for _ in range(7):
        driver.wait(10.0)
        driver.acknowledge()
    driver.update_voice_state(99, INFO.session_id)
    assert driver.gateway.state is S.OPEN
    driver.update_voice_server("move-token", "b.example:1")
    driver.open_session()
    assert driver.sent(Opcode.IDENTIFY)[-1]["channel_id"] == "99"


# -- a new session ---------------------------------------------------------------------------


def test_leave_and_join_make_a_new_session_whichever_event_is_first() -> None:
    for first in ("state", "server"):
        driver = reach(S.AWAITING_SESSION)
        assert driver.update_voice_state(None, "the-session-id") == []
        steps = {
            "state": lambda d=driver: d.update_voice_state(22, "next-session"),
            "server": lambda d=driver: d.update_voice_server("next-token", "b.example:1"),
        }
        steps.pop(first)()
        assert driver.gateway.state is S.AWAITING_SESSION
        assert driver.new == []
        steps.popitem()[1]()
        assert driver.new == [OpenWebSocket(2, "wss://b.example:1/?v=8")]
        driver.open_session()
        identify = driver.sent(Opcode.IDENTIFY)[-1]
        assert (identify["session_id"], identify["token"]) == ("next-session", "next-token")


def test_what_came_before_the_leave_is_no_half_of_the_join() -> None:
    driver = reach(S.AWAITING_SESSION)
    driver.update_voice_state(22, "the-session-id")  # somebody muted us
    driver.update_voice_state(None, "the-session-id")
    driver.update_voice_server("next-token", "b.example:1")
    assert driver.gateway.state is S.AWAITING_SESSION
    driver.update_voice_state(22, "the-session-id")
    assert driver.gateway.state is S.DIALLING


def test_a_null_endpoint_while_joining_again_is_no_half_either() -> None:
    driver = reach(S.AWAITING_SESSION)
    driver.update_voice_state(22, "next-session")
    driver.update_voice_server("next-token", None)
    assert driver.gateway.state is S.AWAITING_SESSION
    driver.update_voice_server("next-token", "b.example:1")
    assert driver.gateway.state is S.DIALLING


def test_the_leave_may_come_late() -> None:
    """Events of the old session can look like the join; the leave that follows is no kick."""
    driver = reach(S.AWAITING_SESSION)
    driver.update_voice_state(22, "the-session-id")
    driver.update_voice_server("the-token", "voice.example:2048")
    assert driver.gateway.state is S.DIALLING
    driver.update_voice_state(None, "the-session-id")
    assert driver.gateway.state is S.AWAITING_SESSION
    assert driver.new == [CloseWebSocket(2, 1000)]
    driver.update_voice_state(22, "next-session")
    driver.update_voice_server("next-token", "b.example:1")
    driver.open_session()
    driver.update_voice_state(None, "next-session")
    assert driver.gateway.state is S.CLOSED, "the leave was seen: this one is a kick"


def test_only_one_leave_is_expected() -> None:
    driver = reach(S.AWAITING_SESSION)
    driver.update_voice_state(None, "the-session-id")
    driver.update_voice_state(22, "next-session")
    driver.update_voice_server("next-token", "b.example:1")
    assert driver.gateway.state is S.DIALLING
    driver.update_voice_state(None, "next-session")
    assert driver.gateway.state is S.CLOSED


def test_a_session_joined_again_can_be_resumed_whatever_moved_before() -> None:
    driver = reach(S.RESUME_DIALLING)
    driver.open_link(hello=False)
    driver.update_voice_state(99, "the-session-id")
    driver.wait(29.9)
    assert driver.gateway.state is S.AWAITING_SESSION
    driver.update_voice_state(99, "next-session")
    driver.update_voice_server("next-token", "b.example:1")
    driver.open_session()
    driver.closed(1006)
    assert driver.gateway.state is S.RESUME_BACKING_OFF


def test_a_null_channel_after_the_new_session_stands_is_a_kick() -> None:
    driver = reach(S.AWAITING_SESSION)
    driver.update_voice_state(22, "next-session")
    driver.update_voice_server("next-token", "b.example:1")
    driver.open_session()
    driver.update_voice_state(None, "next-session")
    assert driver.gateway.state is S.CLOSED


def test_no_new_session_within_the_deadline_ends_the_call() -> None:
    driver = reach(S.AWAITING_SESSION, update_timeout=10.0)
    driver.wait(9.0)
    driver.update_voice_state(None, "the-session-id")
    driver.wait(9.0)
    assert driver.gateway.state is S.AWAITING_SESSION, "the leave is a sign of life"
    driver.wait(1.0)
    (closed,) = driver.events(Closed)
    assert (closed.code, closed.policy) == (4006, ClosePolicy.NEW_SESSION)
    assert isinstance(closed.error, ConnectFailed)
    assert closed.error.stage == "update"


def test_need_new_session_is_said_once() -> None:
    driver = reach(S.AWAITING_SESSION)
    driver.update_voice_state(None, "the-session-id")
    driver.wait(20.0)
    assert len(driver.events(NeedNewSession)) == 1


def test_a_start_without_an_endpoint_waits_with_a_deadline() -> None:
    driver = Driver(replace(INFO, endpoint=None))
    driver.start()
    (event,) = driver.new
    assert isinstance(event, WaitingForUpdate)
    driver.wait(60.0)
    assert isinstance(driver.new[-1].error, ConnectFailed)
