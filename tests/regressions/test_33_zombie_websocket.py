"""A WebSocket that is open, acknowledges nothing and never closes.

discord.py#2130; discord.js#10174; pycord#1905 (ACKs intermittent).

Item 33 of the list of what users suffer from.
"""

from tests.gateway.driver import reach
from voicekit.codes import Opcode
from voicekit.gateway_states import GatewayState
from voicekit.outputs import CloseWebSocket

S = GatewayState


def test_a_silent_socket_is_closed_with_4000_and_resumed() -> None:
    driver = reach(S.OPEN)
    driver.wait(20.0)
    assert CloseWebSocket(1, 4000) in driver.new, "1000 would end the session on the server"
    driver.wait(0.3)
    driver.open_link()
    driver.receive(Opcode.RESUMED)
    assert driver.gateway.state is S.OPEN
    assert driver.resumes == 1


def test_other_traffic_is_no_ack() -> None:
    driver = reach(S.OPEN)
    for _ in range(199):
        driver.wait(0.1)
        driver.receive(13, {"user_id": "1"})
    driver.wait(0.2)
    assert driver.gateway.state is S.RESUME_BACKING_OFF


def test_intermittent_acks_can_be_allowed_for() -> None:
    driver = reach(S.OPEN, max_missed_acks=3)
    for _ in range(10):
        driver.wait(30.0)
        driver.acknowledge()
    assert driver.gateway.state is S.OPEN
    driver.wait(40.0)
    assert driver.gateway.state is S.RESUME_BACKING_OFF


def test_a_socket_without_even_a_hello_is_found_out_too() -> None:
    driver = reach(S.RESUME_DIALLING)
    driver.open_link(hello=False)
    driver.receive(Opcode.RESUMED)
    driver.wait(30.0)
    assert driver.gateway.state is S.RESUME_BACKING_OFF
