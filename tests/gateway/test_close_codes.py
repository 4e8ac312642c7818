"""The close policy table against the protocol's, written out here a second time."""

import pytest

from tests.gateway.driver import reach
from voicekit.close_codes import CLOSE_CODES, ClosePolicy, close_code, close_error
from voicekit.codes import Opcode
from voicekit.errors import (
    AuthenticationFailed,
    CallClosed,
    ConnectFailed,
    EncryptionRequired,
    ProtocolRejected,
    RateLimited,
)
from voicekit.events import Closed, NeedNewSession, Reconnecting, WaitingForUpdate
from voicekit.gateway_states import (
    HANDSHAKE_STATES,
    LINKED_STATES,
    GatewayState,
)

RESUME = {1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014, 4000, 4013, 4015}
NEW_SESSION = {4006, 4009, 4011}
WAIT = {4014, 4022}
FATAL = {
    4001: ProtocolRejected,
    4002: ProtocolRejected,
    4003: ProtocolRejected,
    4004: AuthenticationFailed,
    4005: ProtocolRejected,
    4012: ProtocolRejected,
    4016: ProtocolRejected,
    4017: EncryptionRequired,
    4020: ProtocolRejected,
    4021: RateLimited,
}
UNKNOWN = (0, 1002, 1007, 1015, 2999, 3000, 4007, 4008, 4010, 4018, 4019, 4023, 4999)

POLICIES = (
    dict.fromkeys(RESUME, ClosePolicy.RESUME)
    | dict.fromkeys(NEW_SESSION, ClosePolicy.NEW_SESSION)
    | dict.fromkeys(WAIT, ClosePolicy.WAIT_FOR_UPDATE)
    | dict.fromkeys(FATAL, ClosePolicy.FATAL)
)

#: Where a lost link leads: from a session, and while there is none.
WITH_SESSION = {
    ClosePolicy.RESUME: GatewayState.RESUME_BACKING_OFF,
    ClosePolicy.NEW_SESSION: GatewayState.AWAITING_SESSION,
    ClosePolicy.WAIT_FOR_UPDATE: GatewayState.AWAITING_UPDATE,
    ClosePolicy.FATAL: GatewayState.CLOSED,
}
WITHOUT_SESSION = WITH_SESSION | {ClosePolicy.RESUME: GatewayState.BACKING_OFF}

EVENTS = {
    ClosePolicy.RESUME: Reconnecting,
    ClosePolicy.NEW_SESSION: NeedNewSession,
    ClosePolicy.WAIT_FOR_UPDATE: WaitingForUpdate,
    ClosePolicy.FATAL: Closed,
}


def test_every_row_has_the_protocols_policy() -> None:
    assert {code: row.policy for code, row in CLOSE_CODES.items()} == POLICIES


@pytest.mark.parametrize("code", sorted(CLOSE_CODES))
def test_a_row_explains_itself(code: int) -> None:
    row = close_code(code)
    assert row.code == code
    assert row.name.isidentifier()
    assert row.name.isupper()
    assert row.description
    assert row.explanation.endswith(".")
    assert row.reconnects is (code in RESUME)
    assert row.error is FATAL.get(code, CallClosed)


def test_names_are_unique() -> None:
    assert len({row.name for row in CLOSE_CODES.values()}) == len(CLOSE_CODES)


@pytest.mark.parametrize("code", UNKNOWN)
def test_unknown_codes_reconnect(code: int) -> None:
    row = close_code(code)
    assert (row.code, row.reconnects) == (code, True)


def test_no_code_is_an_abnormal_closure() -> None:
    assert close_code(None).code == 1006


@pytest.mark.parametrize(("code", "kind"), FATAL.items())
def test_fatal_codes_have_typed_errors(code: int, kind: type[CallClosed]) -> None:
    error = close_error(code, "because")
    assert type(error) is kind
    assert error.code == code
    assert str(code) in str(error)
    assert "because" in str(error)
    assert len(str(error)) > 60, "it has to say what to do"


def test_4017_names_what_is_missing() -> None:
    text = str(close_error(4017))
    for word in ("DAVE", "end-to-end encryption", "Config(dave", "stage channel"):
        assert word in text


@pytest.mark.parametrize("code", [*sorted(CLOSE_CODES), None])
@pytest.mark.parametrize("state", LINKED_STATES)
def test_each_code_in_each_state(state: GatewayState, code: int | None) -> None:
    driver = reach(state)
    policy = POLICIES[1006 if code is None else code]
    driver.closed(code, "why not")
    expected = (WITHOUT_SESSION if state in HANDSHAKE_STATES else WITH_SESSION)[policy]
    assert driver.gateway.state is expected
    (event,) = driver.events()
    assert type(event) is EVENTS[policy]
    assert event.code == code
    if code is not None:
        assert str(code) in event.why
    if policy is ClosePolicy.FATAL:
        assert event.policy is ClosePolicy.FATAL
        assert type(event.error) is FATAL[code]  # type: ignore[index]
        assert event.why == str(event.error)
    # SSRC and key live on only where the session is to be resumed.
    assert (driver.ssrc is not None) is (expected is GatewayState.RESUME_BACKING_OFF)


@pytest.mark.parametrize("code", [*sorted(CLOSE_CODES), 4099])
@pytest.mark.parametrize("state", [*HANDSHAKE_STATES, GatewayState.OPEN])
def test_without_reconnect_every_code_ends_the_call(state: GatewayState, code: int) -> None:
    driver = reach(state, reconnect=False)
    driver.closed(code)
    assert driver.gateway.state is GatewayState.CLOSED
    (event,) = driver.events()
    assert isinstance(event, Closed)
    assert event.code == code
    assert event.policy is POLICIES.get(code, ClosePolicy.RESUME)
    assert isinstance(event.error, FATAL.get(code, CallClosed))


def test_without_reconnect_a_failed_dial_ends_the_call() -> None:
    driver = reach(GatewayState.DIALLING, reconnect=False)
    driver.websocket_failed(driver.link, "connection refused")
    (event,) = driver.events()
    assert isinstance(event.error, ConnectFailed)
    assert event.error.stage == "websocket"
    assert event.error.attempts == 1
    assert "connection refused" in str(event.error)


def test_an_unknown_code_resumes_once_then_needs_a_session_once_then_is_fatal() -> None:
    driver = reach(GatewayState.OPEN)
    driver.closed(4099)
    assert driver.gateway.state is GatewayState.RESUME_BACKING_OFF
    driver.wait(0.3)
    driver.open_link()
    driver.receive(Opcode.RESUMED)
    driver.closed(4098)
    assert driver.gateway.state is GatewayState.AWAITING_SESSION
    driver.update_voice_state(22, "new-session")
    driver.update_voice_server("new-token", "voice.example:1")
    driver.open_session()
    assert driver.gateway.state is GatewayState.OPEN
    driver.closed(4099)
    assert driver.gateway.state is GatewayState.CLOSED
    assert type(driver.new[-1].error) is CallClosed


def test_unknown_codes_are_forgotten_once_a_session_has_stood_for_a_heartbeat() -> None:
    driver = reach(GatewayState.OPEN)
    for _ in range(5):
        driver.closed(4099)
        assert driver.gateway.state is GatewayState.RESUME_BACKING_OFF
        driver.wait(0.3)
        driver.open_link()
        driver.receive(Opcode.RESUMED)
        driver.wait(10.5)
        driver.acknowledge()
