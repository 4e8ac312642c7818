"""Moved, dragged or the region changed: 4014, then silence.

discord.py#9364, #5904; api-docs#2450: one code for three things. discordgo PR#1271: the
VOICE_SERVER_UPDATE comes after the 4014. disnake PR#1513: 4022 is the same.

Item 6 of the list of what users suffer from.
"""

import pytest

from tests.gateway.driver import INFO, SSRC, reach
from voicekit.codes import Opcode
from voicekit.events import Closed
from voicekit.gateway_states import GatewayState
from voicekit.outputs import OpenWebSocket

S = GatewayState


@pytest.mark.parametrize("code", [4014, 4022])
@pytest.mark.parametrize("late", [0.0, 1.0, 29.0])
def test_region_change_with_the_update_after_the_close(code: int, late: float) -> None:
    driver = reach(S.OPEN)
    driver.closed(code)
    driver.wait(late)
    assert not [item for item in driver.new if isinstance(item, OpenWebSocket)]
    driver.update_voice_server("token-2", "rotterdam.example:443")
    driver.open_session()
    assert driver.ssrc == SSRC


@pytest.mark.parametrize("code", [4014, 4022])
@pytest.mark.parametrize("late", [0.0, 1.0, 29.0])
def test_region_change_with_the_update_before_the_close(code: int, late: float) -> None:
    driver = reach(S.OPEN, heartbeat_min=60.0)
    old = driver.link
    driver.update_voice_server("token-2", "rotterdam.example:443")
    driver.wait(late)
    driver.websocket_closed(old, code, "")
    driver.open_session()
    assert driver.gateway.state is S.OPEN
    assert len(driver.sent(Opcode.IDENTIFY)) == 2


def test_dragged_to_another_channel_on_the_same_server() -> None:
    driver = reach(S.OPEN)
    driver.update_voice_state(77, INFO.session_id)
    driver.closed(4014)
    driver.update_voice_server("token-2", INFO.endpoint)
    driver.open_session()
    assert driver.gateway.state is S.OPEN
    assert driver.gateway.info.channel_id == 77
    assert driver.sent(Opcode.RESUME) == []


@pytest.mark.parametrize("order", [("close", "state"), ("state", "close")])
def test_a_kick_ends_the_call_at_once_in_both_orders(order: tuple[str, str]) -> None:
    driver = reach(S.OPEN)
    link = driver.link
    for step in order:
        if step == "close":
            driver.websocket_closed(link, 4014, "")
        else:
            driver.update_voice_state(None, INFO.session_id)
    assert driver.gateway.state is S.CLOSED
    assert len(driver.events(Closed)) == 1


def test_4014_with_nothing_after_it_ends_by_the_deadline() -> None:
    driver = reach(S.OPEN)
    driver.closed(4014)
    driver.wait(60.0)
    assert driver.gateway.state is S.CLOSED
    assert driver.next_timeout() is None
