"""Blocking work stops heartbeats (discord.py#4075, #6729).

Heartbeats are timers. When the host was blocked, the late call says by how much, one
beat goes out at once, none is caught up, and the socket is not taken for dead before the
ACK that lies in its buffer could be read.

Item 38 of the list of what users suffer from.
"""

import pytest

from tests.gateway.driver import reach
from voicekit.codes import Opcode
from voicekit.gateway_states import GatewayState


@pytest.mark.parametrize("blocked", [1.0, 5.0, 120.0])
def test_being_late_is_measured_and_survived(blocked: float) -> None:
    driver = reach(GatewayState.OPEN)
    driver.wait(10.0)
    # The ACK came while the host was blocked; the timer is called before it is read.
    driver.now += 10.0 + blocked
    driver.handle_timeout()
    assert driver.max_timer_lateness == pytest.approx(blocked)
    assert driver.gateway.state is GatewayState.OPEN
    assert len(driver.sent(Opcode.HEARTBEAT)) == 2
    driver.acknowledge()
    for _ in range(5):
        driver.wait(10.0)
        driver.acknowledge()
    assert driver.gateway.state is GatewayState.OPEN
    assert driver.max_timer_lateness == pytest.approx(blocked)


def test_a_driver_on_time_takes_a_dead_socket_for_dead() -> None:
    driver = reach(GatewayState.OPEN)
    driver.wait(10.0)
    driver.now += 10.5
    driver.handle_timeout()
    assert driver.gateway.state is GatewayState.RESUME_BACKING_OFF


def test_no_beats_are_caught_up() -> None:
    driver = reach(GatewayState.OPEN)
    driver.now += 1000.0
    driver.handle_timeout()
    driver.handle_timeout()
    assert len(driver.sent(Opcode.HEARTBEAT)) == 1
