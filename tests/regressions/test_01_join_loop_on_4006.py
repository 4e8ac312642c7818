"""The 4006 join loop.

discord.py#10207, #10237 and Discord.Net#3154: the port was stripped from the endpoint.
eris PR#1448: Identify was sent where Resume was wanted. pycord#2827 and songbird#76: after
4006 the same dead session was dialled again and again.

Item 1 of the list of what users suffer from.
"""

import pytest
from msgspec.structs import replace

from tests.gateway.driver import INFO, Driver, reach
from voicekit.codes import Opcode
from voicekit.events import NeedNewSession
from voicekit.gateway_states import GatewayState
from voicekit.outputs import OpenWebSocket


@pytest.mark.parametrize("port", [80, 443, 2048, 2053, 8443, 65535])
def test_no_port_is_ever_stripped(port: int) -> None:
    driver = Driver(replace(INFO, endpoint=f"voice.example:{port}"))
    (output,) = driver.start()
    assert output == OpenWebSocket(1, f"wss://voice.example:{port}/?v=8")
    driver.update_voice_server("new", f"other.example:{port}")
    assert driver.new[-1].url == f"wss://other.example:{port}/?v=8"


def test_an_open_session_resumes_and_does_not_identify() -> None:
    driver = reach(GatewayState.OPEN)
    for _ in range(10):
        driver.closed(4015)
        driver.wait(0.3)
        driver.open_link()
        driver.receive(Opcode.RESUMED)
    assert len(driver.sent(Opcode.IDENTIFY)) == 1
    assert len(driver.sent(Opcode.RESUME)) == 10


@pytest.mark.parametrize(
    "state",
    [
        GatewayState.IDENTIFYING,
        GatewayState.SELECTING,
        GatewayState.DESCRIBING,
        GatewayState.OPEN,
        GatewayState.RESUMING,
    ],
)
def test_4006_asks_the_host_and_dials_nothing_by_itself(state: GatewayState) -> None:
    driver = reach(state)
    dialled = len([item for item in driver.all if isinstance(item, OpenWebSocket)])
    driver.closed(4006)
    driver.wait(3600.0)
    assert len(driver.events(NeedNewSession)) == 1
    assert len([item for item in driver.all if isinstance(item, OpenWebSocket)]) == dialled
    assert driver.gateway.state is GatewayState.CLOSED, "the host did nothing for an hour"


def test_the_same_session_id_with_a_new_token_is_a_new_session() -> None:
    """Lavalink#226: the session id stays, the token does not."""
    driver = reach(GatewayState.AWAITING_SESSION)
    driver.update_voice_state(None, INFO.session_id)
    driver.update_voice_state(INFO.channel_id, INFO.session_id)
    driver.update_voice_server("token-2", INFO.endpoint)
    driver.open_session()
    assert driver.sent(Opcode.IDENTIFY)[-1]["token"] == "token-2"
    assert driver.gateway.state is GatewayState.OPEN
