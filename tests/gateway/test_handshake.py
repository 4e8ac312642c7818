"""From start to an open session, in gateway versions 4 to 9."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.gateway.driver import (
    DESCRIPTION,
    HELLO,
    INFO,
    KEY,
    MODE,
    OTHER_MODE,
    READY,
    SSRC,
    Driver,
    reach,
)
from voicekit.codes import Opcode, SpeakingFlags
from voicekit.errors import AlreadyConnected, LocalProtocolError, NotConnected
from voicekit.events import ProtocolViolation
from voicekit.gateway_events import GatewayDescribed, GatewayReady
from voicekit.gateway_states import GatewayState
from voicekit.outputs import OpenWebSocket, SendBinary, SendText

S = GatewayState

IDENTIFY = {
    "server_id": "11",
    "user_id": "33",
    "session_id": "the-session-id",
    "token": "the-token",
    "max_dave_protocol_version": 1,
}


@pytest.mark.parametrize("version", range(4, 10))
def test_identify_goes_out_as_soon_as_the_websocket_is_open(version: int) -> None:
    driver = Driver(gateway_version=version)
    driver.start()
    assert driver.new == [OpenWebSocket(1, f"wss://voice.example:2048/?v={version}")]
    driver.websocket_opened(1)
    expected = IDENTIFY | ({"channel_id": "22"} if version == 9 else {})
    assert driver.sent() == [(0, expected)]
    assert driver.gateway.state is S.IDENTIFYING


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("a.example:443", "wss://a.example:443/?v=8"),
        ("a.example:80", "wss://a.example:80/?v=8"),
        ("a.example:2048", "wss://a.example:2048/?v=8"),
        ("a.example", "wss://a.example/?v=8"),
        ("wss://a.example:443", "wss://a.example:443/?v=8"),
        ("ws://127.0.0.1:9", "ws://127.0.0.1:9/?v=8"),
        ("[2001:db8::1]:443", "wss://[2001:db8::1]:443/?v=8"),
    ],
)
def test_the_endpoint_is_dialled_as_it_is(endpoint: str, url: str) -> None:
    driver = Driver(replace(INFO, endpoint=endpoint))
    driver.start()
    assert driver.new[0].url == url


@pytest.mark.parametrize("first", [Opcode.HELLO, Opcode.READY])
def test_hello_and_ready_come_in_either_order(first: Opcode) -> None:
    driver = reach(S.DIALLING)
    driver.open_link(hello=False)
    messages: dict[int, Any] = {Opcode.HELLO: HELLO, Opcode.READY: READY}
    driver.receive(first, messages.pop(first))
    for op, data in messages.items():
        driver.receive(op, data)
    assert driver.gateway.state is S.SELECTING
    assert driver.events(GatewayReady) == [
        GatewayReady(SSRC, "192.0.2.7", 50001, (MODE, OTHER_MODE))
    ]
    driver.wait(10.0)
    assert len(driver.sent(Opcode.HEARTBEAT)) == 1


def test_the_heartbeat_interval_in_ready_is_not_believed() -> None:
    driver = reach(S.DIALLING)
    driver.open_link()
    driver.receive(Opcode.READY, READY | {"heartbeat_interval": 1})
    driver.wait(9.9)
    assert driver.sent(Opcode.HEARTBEAT) == []


def test_select_protocol_names_our_address_and_mode() -> None:
    driver = reach(S.SELECTING)
    driver.select_protocol("203.0.113.9", 6000, OTHER_MODE)
    assert driver.sent()[-1] == (
        1,
        {
            "protocol": "udp",
            "data": {"address": "203.0.113.9", "port": 6000, "mode": OTHER_MODE},
        },
    )


def test_a_mode_that_was_not_offered_is_not_selected() -> None:
    driver = reach(S.SELECTING)
    with pytest.raises(LocalProtocolError, match="xsalsa20_poly1305"):
        driver.select_protocol("203.0.113.9", 6000, "xsalsa20_poly1305")
    assert driver.gateway.state is S.SELECTING


@pytest.mark.parametrize("mode", [OTHER_MODE, "xsalsa20_poly1305", ""])
def test_a_description_in_a_mode_not_asked_for_is_refused(mode: str) -> None:
    driver = reach(S.DESCRIBING)
    driver.receive(4, DESCRIPTION | {"mode": mode})
    (event,) = driver.new
    assert isinstance(event, ProtocolViolation)
    assert driver.gateway.state is S.DESCRIBING
    driver.receive(4, DESCRIPTION)
    assert driver.gateway.state is S.OPEN


def test_a_dave_version_above_the_offer_is_refused() -> None:
    driver = reach(S.DESCRIBING)
    driver.receive(4, DESCRIPTION | {"dave_protocol_version": 2})
    assert isinstance(driver.new[0], ProtocolViolation)
    driver.receive(4, DESCRIPTION | {"dave_protocol_version": 1})
    assert driver.events(GatewayDescribed) == [GatewayDescribed(MODE, bytes(KEY), 1)]


def test_the_same_description_again_says_nothing_new() -> None:
    """A nonce counter that started anew on the same key would give nonces away twice."""
    driver = reach(S.OPEN)
    driver.receive(4, DESCRIPTION)
    driver.receive(4, DESCRIPTION | {"dave_protocol_version": 1})
    assert driver.events(GatewayDescribed) == [GatewayDescribed(MODE, bytes(KEY), 0)]
    assert driver.violations == 0


def test_a_new_key_in_an_open_session_is_taken() -> None:
    driver = reach(S.OPEN)
    driver.receive(4, DESCRIPTION | {"secret_key": [9] * 32})
    assert driver.new == [GatewayDescribed(MODE, bytes([9] * 32), 0)]
    assert driver.gateway.state is S.OPEN


def test_an_open_session_can_select_again_when_its_address_changed() -> None:
    driver = reach(S.OPEN)
    driver.select_protocol("203.0.113.10", 6001, OTHER_MODE)
    assert driver.gateway.state is S.OPEN
    driver.receive(4, DESCRIPTION | {"mode": OTHER_MODE})
    assert driver.new == [GatewayDescribed(OTHER_MODE, bytes(KEY), 0)]


def test_speaking_carries_our_ssrc() -> None:
    driver = reach(S.OPEN)
    driver.set_speaking(SpeakingFlags.MICROPHONE | SpeakingFlags.PRIORITY)
    assert driver.sent()[-1] == (5, {"speaking": 5, "ssrc": SSRC, "delay": 0})


def test_messages_of_ones_own_go_out_as_they_are() -> None:
    driver = reach(S.OPEN)
    driver.send(15, {"any": 0})
    driver.send_binary(26, b"key package")
    assert driver.sent()[-1] == (15, {"any": 0})
    assert driver.new == [SendBinary(driver.link, b"\x1akey package")]


@pytest.mark.parametrize("op", [0, 1, 3, 7])
def test_the_machines_own_messages_can_not_be_sent_by_hand(op: int) -> None:
    driver = reach(S.OPEN)
    with pytest.raises(LocalProtocolError, match=f"op {op}"):
        driver.send(op, {})


CALLS = {
    "start": (),
    "select_protocol": ("203.0.113.9", 6000, MODE),
    "set_speaking": (1,),
    "send": (15, {}),
    "send_binary": (26, b""),
    "renegotiate": ("because",),
    "close_with_code": (4000,),
}
SESSION = {S.OPEN, S.RESUME_BACKING_OFF, S.RESUME_DIALLING, S.RESUMING}
ALLOWED = {
    "start": {S.IDLE},
    "select_protocol": {S.SELECTING, S.OPEN},
    "set_speaking": SESSION,
    "send": {S.SELECTING, S.DESCRIBING} | SESSION,
    "send_binary": {S.SELECTING, S.DESCRIBING} | SESSION,
    "renegotiate": SESSION,
    "close_with_code": {
        S.DIALLING,
        S.IDENTIFYING,
        S.SELECTING,
        S.DESCRIBING,
        S.OPEN,
        S.RESUME_DIALLING,
        S.RESUMING,
    },
}


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("call", CALLS)
def test_a_call_in_the_wrong_state_raises_and_changes_nothing(
    call: str, state: GatewayState
) -> None:
    driver = reach(state)
    due = driver.next_timeout()
    if state in ALLOWED[call]:
        getattr(driver, call)(*CALLS[call])
        return
    kind = AlreadyConnected if call == "start" else NotConnected
    with pytest.raises(kind, match=f"{call}.*{state.name}"):
        getattr(driver, call)(*CALLS[call])
    assert driver.drain() == []
    assert driver.gateway.state is state
    assert driver.next_timeout() == due


def test_a_websocket_opens_once() -> None:
    driver = reach(S.IDENTIFYING)
    with pytest.raises(LocalProtocolError, match="open already"):
        driver.websocket_opened(driver.link)


@pytest.mark.parametrize("code", [999, 1002, 1005, 1006, 1015, 2000, 2999, 5000, -1])
def test_a_client_can_not_close_with_a_reserved_code(code: int) -> None:
    with pytest.raises(ValueError, match=str(code)):
        reach(S.OPEN).close_with_code(code)


def test_close_is_heard_once() -> None:
    driver = reach(S.OPEN)
    driver.close()
    (_, closed) = driver.new
    assert (closed.code, closed.policy, closed.error) == (1000, None, None)
    assert driver.close() == []
    assert driver.next_timeout() is None


@pytest.mark.parametrize(
    "state", [S.IDLE, S.BACKING_OFF, S.RESUME_BACKING_OFF, S.AWAITING_UPDATE, S.AWAITING_SESSION]
)
def test_close_without_a_link_has_no_code(state: GatewayState) -> None:
    driver = reach(state)
    (closed,) = driver.close()
    assert (closed.code, closed.policy, closed.error) == (None, None, None)


@pytest.mark.parametrize("code", [1000, 1001])
def test_close_with_code_1000_or_1001_leaves(code: int) -> None:
    driver = reach(S.OPEN)
    closing, closed = driver.close_with_code(code)
    assert (closing.code, closed.code, closed.policy) == (code, code, None)


def test_close_with_code_4000_resumes() -> None:
    driver = reach(S.OPEN)
    driver.close_with_code(4000)
    assert driver.new[0].code == 4000
    assert driver.gateway.state is S.RESUME_BACKING_OFF


def test_buffers_are_borrowed_for_the_call_only() -> None:
    driver = reach(S.OPEN)
    for wrap in (bytearray, lambda b: memoryview(bytearray(b))):
        octets = wrap(b"\x00\x05\x19external sender")
        driver.receive_binary(driver.link, octets)
        octets[3:] = b"\xff" * len(octets[3:])
        assert driver.new[0].data == b"external sender"
        assert type(driver.new[0].data) is bytes


def test_every_output_names_the_link_it_is_for() -> None:
    driver = reach(S.RESUMING)
    links = [(type(item), item.link) for item in driver.all if isinstance(item, SendText)]
    assert links[0] == (SendText, 1)
    assert links[-1] == (SendText, 2)


def test_nothing_is_sent_before_the_websocket_is_open() -> None:
    driver = Driver()
    driver.start()
    driver.receive_text(1, json.dumps({"op": 8, "d": HELLO}))
    assert driver.ignored == 1
    assert driver.sent() == []
