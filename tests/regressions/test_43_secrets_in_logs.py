"""Secrets in logs (discord.py#4091, "btw you just leaked your token").

Voice tokens were pasted in disnake#1518, DPP#1613 and Lavalink#226. Everything that a
host may log is a repr of what `poll` returns, of the objects themselves, or of an error.

Item 43 of the list of what users suffer from.
"""

import traceback

import pytest

from tests.gateway.driver import DESCRIPTION, INFO, reach
from voicekit.errors import LocalProtocolError
from voicekit.events import Closed
from voicekit.gateway_states import GatewayState
from voicekit.join import Join

SECRETS = ("the-token", "the-session-id", "topsecret")
KEY_REPRS = ("171, 171", r"\xab\xab")


def assert_clean(text: str) -> None:
    for secret in (*SECRETS, *KEY_REPRS):
        assert secret not in text


@pytest.mark.parametrize("state", GatewayState)
def test_a_log_of_a_whole_life_is_clean(state: GatewayState) -> None:
    driver = reach(state)
    driver.receive(4, DESCRIPTION | {"secret_key": [0xAB] * 32})
    driver.update_voice_server("topsecret", "b.example:1")
    driver.update_voice_state(5, "topsecret")
    driver.close()
    for item in (*driver.all, driver.gateway, driver.gateway.info, INFO):
        assert_clean(repr(item))
        assert_clean(f"{item}")


@pytest.mark.parametrize("code", [4004, 4006, 4014, 4017, 4099, None])
def test_errors_are_clean(code: int | None) -> None:
    driver = reach(GatewayState.OPEN, reconnect=False)
    driver.closed(code, "bye")
    for event in driver.events(Closed):
        assert_clean(repr(event))
        assert_clean("".join(traceback.format_exception(event.error)))


def test_a_wrong_call_is_clean() -> None:
    driver = reach(GatewayState.IDLE)
    with pytest.raises(LocalProtocolError) as caught:
        driver.send(18, {"token": "topsecret"})
    assert_clean(str(caught.value))


def test_a_join_is_clean() -> None:
    join = Join(11, 22, 33)
    join.start(0.0)
    state = {"guild_id": "11", "channel_id": "22", "user_id": "33", "session_id": "topsecret"}
    join.receive_voice_state(state, 1.0)
    join.receive_voice_server({"guild_id": "11", "token": "the-token", "endpoint": "a:1"}, 1.0)
    while (item := join.poll()) is not None:
        assert_clean(repr(item))
    assert_clean(repr(join))
    assert_clean(repr(join.info))
