"""Every row of the transition table, and every pair that has none."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from msgspec.structs import replace

from tests.gateway.driver import DESCRIPTION, INFO, MODE, READY, Driver, reach
from voicekit.close_codes import ClosePolicy
from voicekit.codes import Opcode
from voicekit.errors import LocalProtocolError, VoicekitError
from voicekit.gateway_states import (
    CONNECTED_STATES,
    HANDSHAKE_STATES,
    IDENTIFIED_STATES,
    LINKED_STATES,
    POLICY_INPUTS,
    SESSION_STATES,
    STAGES,
    TRANSITIONS,
    GatewayInput,
    GatewayState,
)
from voicekit.outputs import CloseWebSocket

S, I = GatewayState, GatewayInput  # noqa: E741


def spend_attempts(driver: Driver) -> None:
    """Lose one link after the other, each in the same state, until something else happens."""
    state = driver.gateway.state
    for _ in range(20):
        if driver.gateway.state is not state:
            return
        driver.closed(1006)
        while driver.gateway.state in (S.BACKING_OFF, S.RESUME_BACKING_OFF):
            driver.wait(0.1)
        if driver.gateway.state in (S.DIALLING, S.RESUME_DIALLING) and state in CONNECTED_STATES:
            driver.open_link()
            if state in (S.SELECTING, S.DESCRIBING):
                driver.receive(Opcode.READY, READY)
            if state is S.DESCRIBING:
                driver.select_protocol("203.0.113.9", 6000, MODE)


def move_after_its_token(driver: Driver) -> None:
    """Bring a token, walk to the state again on it, then bring the channel."""
    state = driver.gateway.state
    driver.update_voice_server("token-of-the-move", INFO.endpoint)
    if driver.gateway.state is S.DIALLING and state is not S.DIALLING:
        driver.open_link()
        if state is not S.IDENTIFYING:
            driver.receive(Opcode.READY, READY)
        if state in (S.DESCRIBING, *SESSION_STATES):
            driver.select_protocol("203.0.113.9", 6000, MODE)
        if state in SESSION_STATES:
            driver.receive(Opcode.SESSION_DESCRIPTION, DESCRIPTION)
        if state in (S.RESUME_BACKING_OFF, S.RESUME_DIALLING, S.RESUMING):
            driver.closed(1006)
        if state in (S.RESUME_DIALLING, S.RESUMING):
            driver.wait(0.3)
        if state is S.RESUMING:
            driver.open_link()
    driver.update_voice_state(99, INFO.session_id)


def leave_as_asked(driver: Driver) -> None:
    """Have a leave outstanding in the state at hand, then see it come."""
    state = driver.gateway.state
    if state not in (S.IDLE, S.CLOSED):
        walker = Driver(**SETTINGS)
        walker.start()
        walker.open_session()
        walker.closed(4006)
        if state is not S.AWAITING_SESSION:
            # The host joined without leaving, or its leave is late.
            walker.update_voice_state(22, "next-session")
            walker.update_voice_server("next-token", INFO.endpoint)
        walk_from_dialling(walker, state)
        driver.__dict__.update(walker.__dict__)
    driver.update_voice_state(None, "")


def walk_from_dialling(driver: Driver, state: GatewayState) -> None:
    if state is S.BACKING_OFF:
        driver.websocket_failed(driver.link, "refused")
    if state in (*IDENTIFIED_STATES, S.AWAITING_UPDATE):
        driver.open_link()
    if state is S.AWAITING_UPDATE:
        driver.closed(4014)
    if state in (S.SELECTING, S.DESCRIBING, *SESSION_STATES):
        driver.receive(Opcode.READY, READY)
    if state in (S.DESCRIBING, *SESSION_STATES):
        driver.select_protocol("203.0.113.9", 6000, MODE)
    if state in SESSION_STATES:
        driver.receive(Opcode.SESSION_DESCRIPTION, DESCRIPTION)


def rejoin(driver: Driver) -> None:
    driver.update_voice_state(22, "next-session")
    driver.update_voice_server("next-token", "other.example:1")


def wait_out(seconds: float) -> Callable[[Driver], None]:
    """Wait with nothing else happening: no dial fails, no heartbeat is missed."""

    def act(driver: Driver) -> None:
        end = driver.now + seconds
        while driver.now < end:
            driver.wait(0.1)
            if any(op == Opcode.HEARTBEAT for op, _ in driver.sent(items=driver.new)):
                driver.acknowledge()

    return act


#: Version 9 names the channel in Identify, so that a late channel shows in every state.
SETTINGS = {"gateway_version": 9, "connect_timeout": 50.0, "update_timeout": 60.0}

ACTS: dict[GatewayInput, Callable[[Driver], object]] = {
    I.START: lambda driver: driver.start(),
    I.SELECTED: lambda driver: driver.select_protocol("203.0.113.9", 6000, MODE),
    I.RENEGOTIATE: lambda driver: driver.renegotiate("because"),
    I.CLOSE: lambda driver: driver.close(),
    I.NEW_SERVER: lambda driver: driver.update_voice_server("new", "other.example:1"),
    I.SERVER_GONE: lambda driver: driver.update_voice_server("new", None),
    I.LATE_CHANNEL: move_after_its_token,
    I.REMOVED: lambda driver: driver.update_voice_state(None, ""),
    I.EXPECTED_LEAVE: leave_as_asked,
    I.REJOINED: rejoin,
    I.OPENED: lambda driver: driver.websocket_opened(driver.link),
    I.LOST: lambda driver: driver.closed(1006),
    I.LOST_SESSION: lambda driver: driver.closed(4006),
    I.LOST_SERVER: lambda driver: driver.closed(4014),
    I.LOST_FATALLY: lambda driver: driver.closed(4004),
    I.ATTEMPTS_SPENT: spend_attempts,
    I.IDENTIFIED: lambda driver: driver.receive(Opcode.READY, READY),
    I.DESCRIBED: lambda driver: driver.receive(Opcode.SESSION_DESCRIPTION, DESCRIPTION),
    I.RESUMED: lambda driver: driver.receive(Opcode.RESUMED),
    I.BACKOFF_OVER: lambda driver: driver.wait(0.4),
    I.CONNECT_TIMEOUT: wait_out(50.2),
    I.UPDATE_TIMEOUT: wait_out(60.2),
}

#: Inputs that another one stands for where they have no row: an update of the server in
#: AWAITING_SESSION is half of a rejoin, say. Their acts mean nothing there.
OUTSIDE = {
    I.ATTEMPTS_SPENT,  # elsewhere the act is a plain loss
    I.LATE_CHANNEL,
    I.EXPECTED_LEAVE,
    I.REJOINED,
    I.BACKOFF_OVER,
    I.CONNECT_TIMEOUT,
    I.UPDATE_TIMEOUT,
}


@pytest.mark.parametrize(
    ("state", "cause", "target"),
    [
        pytest.param(state, cause, target, id=f"{state.name}-{cause.name}")
        for (state, cause), target in TRANSITIONS.items()
        if cause is not I.START_WITHOUT_SERVER
    ],
)
def test_each_row(state: GatewayState, cause: GatewayInput, target: GatewayState) -> None:
    driver = reach(state, **SETTINGS)
    ACTS[cause](driver)
    assert driver.gateway.state is target
    assert (driver.ssrc is not None) is (target in (*SESSION_STATES, S.SELECTING, S.DESCRIBING))


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        pytest.param(state, cause, id=f"{state.name}-{cause.name}")
        for state in S
        for cause in I
        if (state, cause) not in TRANSITIONS
        and cause not in OUTSIDE
        and cause is not I.START_WITHOUT_SERVER
    ],
)
def test_what_has_no_row_changes_nothing(state: GatewayState, cause: GatewayInput) -> None:
    driver = reach(state, **SETTINGS)
    ssrc = driver.ssrc
    with suppress(LocalProtocolError):
        ACTS[cause](driver)
    assert driver.gateway.state is state
    assert driver.ssrc == ssrc


def test_start_without_an_endpoint_waits_for_one() -> None:
    driver = Driver(replace(INFO, endpoint=None))
    driver.start()
    assert driver.gateway.state is TRANSITIONS[S.IDLE, I.START_WITHOUT_SERVER]
    driver.update_voice_server("token", "late.example:1")
    assert driver.new[-1].url == "wss://late.example:1/?v=8"


@pytest.mark.parametrize("state", [state for state in S if (state, I.CLOSE) in TRANSITIONS])
def test_fail_ends_every_state_with_the_error_given(state: GatewayState) -> None:
    driver = reach(state)
    error = VoicekitError("UDP is blocked")
    driver.fail(error)
    assert driver.gateway.state is S.CLOSED
    assert driver.new[-1].error is error
    assert driver.new[-1].why == "UDP is blocked"


@pytest.mark.parametrize("state", LINKED_STATES)
def test_leaving_a_linked_state_closes_its_link(state: GatewayState) -> None:
    driver = reach(state)
    driver.close()
    (closing,) = [item for item in driver.new if isinstance(item, CloseWebSocket)]
    assert (closing.link, closing.code) == (driver.link, 1000)


def test_every_state_is_reached_and_every_input_is_used() -> None:
    assert set(TRANSITIONS.values()) | {S.IDLE} == set(S)
    assert {cause for _, cause in TRANSITIONS} == set(I)
    assert {state for state, _ in TRANSITIONS} == set(S) - {S.CLOSED}


def test_groups_of_states_fit_each_other() -> None:
    assert set(POLICY_INPUTS) == set(ClosePolicy)
    assert set(STAGES) == set(S) - {S.IDLE, S.OPEN, S.CLOSED}
    assert set(CONNECTED_STATES) < set(LINKED_STATES)
    assert set(IDENTIFIED_STATES) == {S.IDENTIFYING, S.SELECTING, S.DESCRIBING, *SESSION_STATES}
    assert not set(HANDSHAKE_STATES) & set(SESSION_STATES)


def test_only_resume_states_lead_back_to_the_same_session() -> None:
    """A session that was given up is never taken up again."""
    for (state, _), target in TRANSITIONS.items():
        if target in SESSION_STATES and target is not S.OPEN:
            assert state in SESSION_STATES
        if target is S.OPEN:
            assert state in (S.DESCRIBING, S.RESUMING, S.OPEN)
