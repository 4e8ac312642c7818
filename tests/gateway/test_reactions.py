"""Every opcode in every state, in text and in binary messages."""

import json
from typing import Any

import pytest

from tests.gateway.driver import DESCRIPTION, HELLO, READY, Driver, reach
from voicekit.codes import Opcode
from voicekit.events import (
    ClientFlagsChanged,
    ClientPlatformSeen,
    MediaSinkWanted,
    ProtocolViolation,
    SessionResumed,
    SessionUpdated,
    SpeakingChanged,
    UnknownMessage,
    UserJoined,
    UserLeft,
    VideoChanged,
    VoiceBackendSeen,
)
from voicekit.gateway_events import (
    FORWARDED_OPS,
    MESSAGE_EVENTS,
    GatewayDescribed,
    GatewayMessage,
    GatewayReady,
)
from voicekit.gateway_states import (
    CONNECTED_STATES,
    OPCODE_INPUTS,
    SERVER_OPS,
    TRANSITIONS,
    GatewayState,
    Reaction,
    reaction,
)
from voicekit.messages import BINARY_OPS
from voicekit.outputs import SendText

S = GatewayState

#: One good message of each opcode that travels as text.
GOOD: dict[int, Any] = {
    0: {"server_id": "1", "user_id": "2", "session_id": "s", "token": "t"},
    1: {"protocol": "udp", "data": {"address": "192.0.2.1", "port": 1, "mode": "m"}},
    2: READY,
    3: {"t": 1, "seq_ack": 2},
    4: DESCRIPTION,
    5: {"speaking": 1, "ssrc": 5, "user_id": "77"},
    6: {"t": 12},
    7: {"server_id": "1", "session_id": "s", "token": "t"},
    8: HELLO,
    9: None,
    11: {"user_ids": ["77", "78"]},
    12: {"user_id": "77", "audio_ssrc": 5, "video_ssrc": 6},
    13: {"user_id": "77"},
    14: {"video_codec": "H264"},
    15: {"any": 100, "5": 50.5, "pixelCounts": {"5": 921600}},
    16: {"voice": "0.9.1", "rtc_worker": "0.3.35"},
    18: {"user_id": "77", "flags": 3},
    20: {"user_id": "77", "platform": None},
    21: {"transition_id": 0, "protocol_version": 0},
    22: {"transition_id": 7},
    23: {"transition_id": 7},
    24: {"protocol_version": 1, "epoch": 1},
    31: {"transition_id": 7},
    32: {},
}

#: What the protocol says that servers send, apart from the tables of the source.
FROM_SERVERS = {2, 3, 4, 5, 6, 8, 9, 11, 12, 13, 14, 15, 16, 18, 20, 21, 22, 24, 25, 27, 29, 30}
IN_BINARY = {25, 26, 27, 28, 29, 30}
FROM_CLIENTS_ONLY = {0, 1, 7, 23, 26, 28, 31, 32}
#: Where the messages that move the machine are in place.
IN_PLACE = {2: {S.IDENTIFYING}, 4: {S.DESCRIBING, S.OPEN, S.RESUMING}, 9: {S.RESUMING}}

UNKNOWN_OPS = (10, 17, 19, 33, 100, 255)

PUBLIC = {
    5: [SpeakingChanged(77, 5, 1)],
    11: [UserJoined(77), UserJoined(78)],
    12: [VideoChanged(77, 5, 6, json.dumps(GOOD[12]).encode())],
    13: [UserLeft(77)],
    14: [SessionUpdated(None, "H264", None, json.dumps(GOOD[14]).encode())],
    15: [MediaSinkWanted({"any": 100, "5": 50.5}, json.dumps(GOOD[15]).encode())],
    16: [VoiceBackendSeen("0.9.1", "0.3.35", json.dumps(GOOD[16]).encode())],
    18: [ClientFlagsChanged(77, 3, json.dumps(GOOD[18]).encode())],
    20: [ClientPlatformSeen(77, None, json.dumps(GOOD[20]).encode())],
}

every_state = pytest.mark.parametrize("state", S)
connected = pytest.mark.parametrize("state", CONNECTED_STATES)


def give(driver: Driver, op: int, binary: bool, seq: int = 9) -> list[Any]:
    if binary:
        return driver.receive_octets(seq, op, b"payload")
    return driver.receive(op, GOOD.get(op), seq=seq)


def test_the_tables_agree_with_the_protocol() -> None:
    assert SERVER_OPS == FROM_SERVERS
    assert BINARY_OPS == IN_BINARY
    assert set(Opcode) == FROM_SERVERS | FROM_CLIENTS_ONLY
    assert set(OPCODE_INPUTS) == set(IN_PLACE)
    assert set(FORWARDED_OPS) == {5, 11, 13, 21, 22, 24, 25, 27, 29, 30}
    assert MESSAGE_EVENTS.keys() == PUBLIC.keys() - {11}


@every_state
@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("op", [*Opcode, *UNKNOWN_OPS])
def test_each_opcode_in_each_state(state: GatewayState, op: int, binary: bool) -> None:
    driver = reach(state)
    before = (driver.violations, driver.ignored)
    give(driver, op, binary)
    violations = driver.violations - before[0]
    ignored = driver.ignored - before[1]
    what = reaction(state, op, binary)
    target = state

    if state not in CONNECTED_STATES:
        expected = Reaction.IGNORE
        assert (violations, ignored, driver.new) == (0, 1, [])
    elif op in UNKNOWN_OPS:
        expected = Reaction.UNKNOWN
        assert (violations, ignored) == (0, 1)
        assert driver.new == [UnknownMessage(op, b"payload" if binary else b"null")]
    elif op not in FROM_SERVERS or binary is not (op in IN_BINARY):
        expected = Reaction.REFUSE
    elif op in IN_PLACE:
        expected = Reaction.STEP if state in IN_PLACE[op] else Reaction.REFUSE
    else:
        expected = Reaction.TAKE
        assert violations == 0
        assert ignored == (op == Opcode.HEARTBEAT_ACK), "an ACK of nothing"

    assert what is expected
    if expected is Reaction.REFUSE:
        assert (violations, ignored) == (1, 0)
        (event,) = driver.new
        assert isinstance(event, ProtocolViolation)
        assert event.what == f"op {op}"
        assert event.in_a_row == 1
    if expected is Reaction.STEP:
        assert (violations, ignored) == (0, 0)
        target = TRANSITIONS[state, OPCODE_INPUTS[Opcode(op)]]
    assert driver.gateway.state is target
    # Whatever it was, its number counts while there is a link.
    assert driver.seq == (9 if state in CONNECTED_STATES else -1)


@connected
@pytest.mark.parametrize("op", sorted(PUBLIC))
def test_reports_come_as_public_events_in_every_connected_state(
    state: GatewayState, op: int
) -> None:
    driver = reach(state)
    give(driver, op, binary=False)
    assert [e for e in driver.new if not isinstance(e, GatewayMessage)] == PUBLIC[op]


@connected
@pytest.mark.parametrize("op", sorted(FORWARDED_OPS))
def test_messages_of_the_udp_and_dave_sides_are_passed_on(state: GatewayState, op: int) -> None:
    driver = reach(state)
    give(driver, op, binary=op in IN_BINARY)
    forwarded = [event for event in driver.new if isinstance(event, GatewayMessage)]
    assert [event.op for event in forwarded] == [op]
    if op in IN_BINARY:
        assert forwarded[0].data == b"payload"
    else:
        for name, value in GOOD[op].items():
            assert getattr(forwarded[0].data, name) == value


@connected
def test_hello_arms_the_heartbeat_everywhere(state: GatewayState) -> None:
    driver = reach(state)
    driver.receive(Opcode.HELLO, {"heartbeat_interval": 2500.5})
    assert driver.next_timeout() == pytest.approx(driver.now + 2.5005)


@connected
def test_a_heartbeat_request_is_answered_at_once_everywhere(state: GatewayState) -> None:
    driver = reach(state)
    give(driver, Opcode.HEARTBEAT, binary=False)
    (beat,) = driver.new
    assert isinstance(beat, SendText)
    assert json.loads(beat.text)["d"]["seq_ack"] == 9


def test_ready_described_and_resumed_say_so() -> None:
    driver = reach(S.IDENTIFYING)
    driver.receive(2, READY)
    assert driver.new == [GatewayReady(4242, "192.0.2.7", 50001, tuple(READY["modes"]))]
    driver = reach(S.DESCRIBING)
    driver.receive(4, DESCRIPTION | {"dave_protocol_version": 1})
    assert driver.new == [GatewayDescribed(DESCRIPTION["mode"], bytes(range(32)), 1)]
    driver = reach(S.RESUMING)
    driver.receive(9)
    assert driver.new == [SessionResumed()]


def test_unknown_opcodes_keep_their_raw_json() -> None:
    driver = reach(S.OPEN)
    raw = '{"a": [1, 2.50, "\\u00e9"],  "b":null}'
    driver.receive_text(driver.link, f'{{"op": 42, "d": {raw}, "seq": 1}}')
    assert driver.new == [UnknownMessage(42, raw.encode())]


def test_unknown_members_are_passed_over() -> None:
    driver = reach(S.OPEN)
    driver.receive(13, {"user_id": "5", "new": {"deep": []}})
    assert driver.new[-1] == UserLeft(5)


def test_members_that_are_no_quality_are_left_out_of_media_sink_wants() -> None:
    driver = reach(S.OPEN)
    driver.receive(15, {"any": True, "1": "x", "2": None, "3": [], "4": 0})
    assert driver.new[-1].wants == {"4": 0}


def test_users_are_announced_once_per_session_and_without_ourselves() -> None:
    driver = reach(S.OPEN)
    driver.receive(11, {"user_ids": ["33", "77", "77", 78]})
    assert driver.new[1:] == [UserJoined(77), UserJoined(78)]
    driver.receive(11, {"user_ids": ["77", "79"]})
    assert driver.new[1:] == [UserJoined(79)]
    driver.receive(13, {"user_id": "77"})
    driver.receive(11, {"user_ids": ["77"]})
    assert driver.new[1:] == [UserJoined(77)]
    # Kept over a resume, anew in a new session.
    driver.closed(4015)
    driver.wait(0.3)
    driver.open_link()
    driver.receive(11, {"user_ids": ["77"]})
    assert driver.new[1:] == []
    driver.update_voice_server("new", "b:1")
    driver.open_link()
    driver.receive(11, {"user_ids": ["77"]})
    assert driver.new[1:] == [UserJoined(77)]


def test_a_server_can_not_fill_the_memory_with_users() -> None:
    driver = reach(S.OPEN)
    driver.receive(11, {"user_ids": list(range(100, 10_100))})
    assert len(driver.new) == 10_001
    driver.receive(11, {"user_ids": [99]})
    (event,) = driver.new
    assert isinstance(event, ProtocolViolation)
    driver.receive(13, {"user_id": 100})
    driver.receive(11, {"user_ids": [99]})
    assert driver.new[-1] == UserJoined(99)
