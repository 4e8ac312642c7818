"""Latency missing or crashing.

discord.py#6430 (ZeroDivisionError of a mean over nothing), #5057 (infinity);
discordjs/voice#70.

Item 46 of the list of what users suffer from.
"""

import pytest

from tests.gateway.driver import reach
from voicekit.gateway_states import GatewayState


@pytest.mark.parametrize("state", GatewayState)
def test_latency_is_none_until_it_is_known(state: GatewayState) -> None:
    driver = reach(state)
    assert driver.latency is None
    assert driver.average_latency is None


def test_latency_is_known_after_the_first_ack() -> None:
    driver = reach(GatewayState.OPEN)
    driver.wait(10.0)
    assert driver.latency is None
    driver.wait(0.125)
    driver.acknowledge()
    assert driver.latency == pytest.approx(0.125)
    assert driver.average_latency == pytest.approx(0.125)


def test_an_ack_in_the_same_instant_is_zero_not_none() -> None:
    driver = reach(GatewayState.OPEN)
    driver.wait(10.0)
    driver.acknowledge()
    assert driver.latency == 0.0
