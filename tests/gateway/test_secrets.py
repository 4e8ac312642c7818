"""Token, session id and key: in what is sent, and nowhere else."""

import copy
import json
import pickle
from typing import Any

import pytest
from msgspec.structs import replace

from tests.gateway.driver import DESCRIPTION, INFO, Driver, reach
from voicekit import messages
from voicekit.errors import LocalProtocolError
from voicekit.events import ProtocolViolation
from voicekit.gateway_states import GatewayState
from voicekit.join import Joined
from voicekit.outputs import SendText
from voicekit.server_info import VoiceServerInfo

S = GatewayState
SECRETS = ("the-token", "the-session-id", "new-token", "new-session")


def assert_clean(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text


def test_a_server_info_hides_its_secrets_and_shows_the_rest() -> None:
    assert_clean(repr(INFO))
    assert_clean(str(INFO))
    assert_clean(f"{INFO}")
    assert "voice.example:2048" in repr(INFO)
    assert "22" in repr(INFO)
    assert_clean(repr([INFO]))
    assert_clean(repr(Joined(INFO)))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_server_info_can_be_pickled(protocol: int) -> None:
    again = pickle.loads(pickle.dumps(INFO, protocol))
    assert again == INFO
    assert type(again) is VoiceServerInfo
    assert again.token == "the-token"


def test_a_server_info_can_be_copied_and_compared() -> None:
    assert copy.copy(INFO) == copy.deepcopy(INFO) == INFO
    assert hash(INFO) == hash(copy.copy(INFO))
    assert replace(INFO, token="x") != INFO


def test_a_server_info_is_plain_json() -> None:
    import msgspec

    assert msgspec.json.decode(msgspec.json.encode(INFO), type=VoiceServerInfo) == INFO


def test_a_server_info_does_not_change() -> None:
    with pytest.raises(AttributeError):
        INFO.token = "other"  # type: ignore[misc]


@pytest.mark.parametrize("state", S)
def test_a_gateway_shows_its_state_and_no_secret(state: GatewayState) -> None:
    driver = reach(state)
    assert state.name in repr(driver.gateway)
    assert_clean(repr(driver.gateway))
    assert_clean(repr(driver.gateway.info))
    assert_clean(str(driver.gateway))


@pytest.mark.parametrize("state", S)
def test_a_gateway_can_be_neither_pickled_nor_copied(state: GatewayState) -> None:
    gateway = reach(state).gateway
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="pickle"):
            attempt(gateway)


def life(**settings: Any) -> Driver:
    """A life with everything in it: resume, update, new session, violations, the end."""
    driver = reach(S.RESUMING, **settings)
    driver.receive(9)
    driver.receive(4, DESCRIPTION | {"secret_key": [251] * 32})
    driver.receive_text(driver.link, '{"op": 4, "d": {"mode": "the-token"}}')
    driver.receive(4, DESCRIPTION | {"mode": "the-token", "secret_key": "the-session-id"})
    driver.update_voice_state(99, "new-session")
    driver.update_voice_server("new-token", "b.example:1")
    driver.open_session()
    driver.closed(4006, "bye")
    driver.update_voice_state(None, "new-session")
    driver.update_voice_state(22, "new-session")
    driver.update_voice_server("new-token", "c.example:1")
    driver.websocket_failed(driver.link, "refused")
    driver.wait(0.3)
    driver.open_session()
    driver.wait(30.0)
    driver.closed(4004, "no")
    return driver


@pytest.mark.parametrize("version", [4, 8, 9])
def test_no_secret_is_in_the_repr_of_anything_that_comes_out(version: int) -> None:
    driver = life(gateway_version=version)
    for item in driver.all:
        assert_clean(repr(item))
        assert_clean(str(item))
        assert "251, 251" not in repr(item)
        assert r"\xfb\xfb" not in repr(item)
    assert len(driver.all) > 20


def test_the_secrets_are_in_identify_and_resume_only() -> None:
    driver = life()
    told = [
        message["op"]
        for item in driver.all
        if isinstance(item, SendText)
        for message in [json.loads(item.text)]
        if any(secret in item.text for secret in SECRETS)
    ]
    assert set(told) == {0, 7}


def test_a_wrong_call_names_no_secret() -> None:
    driver = reach(S.IDLE)
    with pytest.raises(LocalProtocolError) as caught:
        driver.send(5, {"token": "the-token"})
    assert_clean(str(caught.value))


@pytest.mark.parametrize(
    "data",
    [
        messages.Identify("1", "2", "the-session-id", "the-token"),
        messages.Resume("1", "the-session-id", "the-token", 5),
        messages.SessionDescription("mode", [7] * 32),
    ],
)
def test_messages_hide_their_secrets(data: object) -> None:
    message = messages.Message(0, None, data, b"the-token")
    for text in (repr(data), str(data), repr(message), str([message])):
        assert_clean(text)
        assert "7, 7" not in text


def test_violations_do_not_quote() -> None:
    driver = reach(S.OPEN)
    driver.receive_text(driver.link, '{"op": 13, "d": {"user_id": "the-token"}}')
    driver.receive_text(driver.link, '{"op": "the-token"}')
    for event in driver.events(ProtocolViolation):
        assert_clean(repr(event))
