"""No graceful resume: the bot is heard leaving and joining, messages are lost.

pycord#1905, #1567; eris PR#1448; Discordia PR#416 (v8 buffered resume). Also
discord.py and pycord, which wait for a secret key that Resumed never brings.

Item 9 of the list of what users suffer from.
"""

import pytest

from tests.gateway.driver import SSRC, reach
from voicekit.codes import Opcode
from voicekit.events import SessionResumed, SpeakingChanged, UserLeft
from voicekit.gateway_events import GatewayDescribed, GatewayMessage, GatewayReady
from voicekit.gateway_states import GatewayState

S = GatewayState


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1011, 1012, 4000, 4013, 4015, None])
def test_a_lost_websocket_costs_nothing(code: int | None) -> None:
    driver = reach(S.OPEN)
    driver.receive(5, {"speaking": 1, "ssrc": 8, "user_id": "80"}, seq=41)
    driver.receive_octets(42, Opcode.MLS_PROPOSALS, b"one")
    driver.closed(code)
    assert driver.ssrc == SSRC
    driver.wait(0.3)
    driver.open_link()
    assert driver.sent(Opcode.RESUME)[-1]["seq_ack"] == 42
    # What was missed, in part before and in part after Resumed.
    driver.receive_octets(43, Opcode.MLS_ANNOUNCE_COMMIT_TRANSITION, b"two")
    driver.receive(5, {"speaking": 1, "ssrc": 9, "user_id": "90"}, seq=44)
    driver.receive(Opcode.RESUMED)
    driver.receive(13, {"user_id": "80"}, seq=45)
    assert driver.seq == 45
    assert driver.events(SpeakingChanged)[-1] == SpeakingChanged(90, 9, 1)
    assert driver.events(UserLeft) == [UserLeft(80)]
    assert [m.data for m in driver.events(GatewayMessage) if m.op in (27, 29)] == [b"one", b"two"]
    assert len(driver.events(SessionResumed)) == 1
    # No new session: nothing for the UDP side to make anew.
    assert len(driver.events(GatewayReady)) == 1
    assert len(driver.events(GatewayDescribed)) == 1
    driver.wait(9.0)
    assert driver.gateway.state is S.OPEN, "no key is waited for"


def test_two_losses_in_a_row_still_resume() -> None:
    driver = reach(S.OPEN)
    driver.receive(13, {"user_id": "1"}, seq=65535)
    driver.closed(1006)
    driver.wait(0.3)
    driver.open_link()
    driver.receive(13, {"user_id": "2"}, seq=0)
    driver.closed(1006)
    driver.wait(0.6)
    driver.open_link()
    assert [data["seq_ack"] for data in driver.sent(Opcode.RESUME)] == [65535, 0]
    driver.receive(Opcode.RESUMED)
    assert driver.gateway.state is S.OPEN
