"""Kicked or restarted, and still "connected".

discord.py#2130 (infinite reconnects after a kick), #9575 (60 s of "Already connected"),
#2284. The state is one property derived from the machine: there is no second one.

Item 20 of the list of what users suffer from.
"""

import pytest

from tests.gateway.driver import INFO, reach
from voicekit.errors import LocalProtocolError
from voicekit.events import Closed
from voicekit.gateway_states import SESSION_STATES, GatewayState
from voicekit.outputs import OpenWebSocket

S = GatewayState


@pytest.mark.parametrize("state", [s for s in S if s not in (S.IDLE, S.CLOSED, S.AWAITING_SESSION)])
def test_a_kick_closes_every_state_at_once_and_for_good(state: GatewayState) -> None:
    driver = reach(state)
    driver.update_voice_state(None, INFO.session_id)
    assert driver.gateway.state is S.CLOSED
    assert driver.ssrc is None
    assert driver.next_timeout() is None
    dialled = len([item for item in driver.all if isinstance(item, OpenWebSocket)])
    driver.wait(3600.0)
    driver.update_voice_server("token-2", "b.example:1")
    assert len([item for item in driver.all if isinstance(item, OpenWebSocket)]) == dialled
    assert driver.all[-1] == driver.events(Closed)[0]


@pytest.mark.parametrize("state", S)
def test_speaking_is_possible_exactly_where_there_is_a_session(state: GatewayState) -> None:
    driver = reach(state)
    if state in SESSION_STATES:
        assert driver.ssrc is not None
        driver.set_speaking(1)
    else:
        with pytest.raises(LocalProtocolError):
            driver.set_speaking(1)


@pytest.mark.parametrize("code", [4014, 4006, 4004])
def test_no_ssrc_is_left_where_the_session_is_gone(code: int) -> None:
    driver = reach(S.OPEN)
    driver.closed(code)
    assert driver.ssrc is None
