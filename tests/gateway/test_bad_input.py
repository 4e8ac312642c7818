"""Whatever a server sends: an event and a count, never an exception, and the call goes on.

One row per field of each message.
"""

import json
from random import Random
from typing import Any

import pytest

from tests.gateway.driver import DESCRIPTION, HELLO, READY, Driver, reach
from tests.gateway.test_reactions import GOOD
from voicekit import messages
from voicekit.codes import Opcode
from voicekit.events import ProtocolViolation
from voicekit.gateway_states import CONNECTED_STATES, GatewayState

S = GatewayState
LONG = "x" * 5000
MISSING = object()

NO_U16 = (-1, 65536, 1.5, "1", None, True, [], 10**30)
NO_U32 = (-1, 2**32, 1.5, "1", None, True, [], 10**30)
NO_ID = (-1, 2**63, 1.5, "", "x", "-1", "1e3", "9" * 20, None, True, [1], {})
NO_TEXT = (1, None, True, [], {}, LONG)

#: op → member → values that are refused. MISSING: the member is left out.
BAD: dict[int, dict[str, tuple[Any, ...]]] = {
    Opcode.READY: {
        "ssrc": (MISSING, *NO_U32),
        "ip": (MISSING, *NO_TEXT, "", "voice.example", "1.2.3", "256.1.1.1", "1.2.3.4\n", "::g"),
        "port": (MISSING, 0, *NO_U16),
        "modes": (MISSING, None, "aead", [1], [None], [LONG], ["m"] * 65, {}),
    },
    Opcode.HEARTBEAT: {"t": (MISSING, "1", 1.5, None, 2**53 + 1, -(2**53) - 1, [])},
    Opcode.SESSION_DESCRIPTION: {
        "mode": (MISSING, *NO_TEXT, "aead_xchacha20_poly1305_rtpsize", ""),
        "secret_key": (
            MISSING,
            None,
            "0" * 32,
            [0] * 31,
            [0] * 33,
            [],
            [*[0] * 31, 256],
            [*[0] * 31, -1],
            [*[0] * 31, "1"],
            [*[0] * 31, 0.5],
            [0] * 100_000,
        ),
        "dave_protocol_version": (2, *NO_U16),
    },
    Opcode.SPEAKING: {
        "speaking": (MISSING, *NO_U32),
        "ssrc": (MISSING, *NO_U32),
        "user_id": (MISSING, *NO_ID),
        "delay": ("1", 1.5, 2**54),
    },
    Opcode.HEARTBEAT_ACK: {"t": (MISSING, "1", 1.5, None, 2**53 + 1, -(2**53) - 1, [])},
    Opcode.HELLO: {
        "heartbeat_interval": (MISSING, 0, -1, -0.0, "1", None, True, [], -1e308),
        "v": ("8", 8.5, 2**54),
    },
    Opcode.CLIENTS_CONNECT: {
        "user_ids": (
            MISSING,
            None,
            "77",
            {},
            *([77, bad] for bad in NO_ID),
            list(range(10_001)),
        ),
    },
    Opcode.VIDEO: {
        "user_id": (MISSING, *NO_ID),
        "audio_ssrc": NO_U32,
        "video_ssrc": NO_U32,
        "rtx_ssrc": (-1, 2**32, "1"),
    },
    Opcode.CLIENT_DISCONNECT: {"user_id": (MISSING, *NO_ID)},
    Opcode.SESSION_UPDATE: {
        "audio_codec": (1, [], LONG),
        "video_codec": (1, [], LONG),
        "media_session_id": (1, [], LONG),
    },
    Opcode.VOICE_BACKEND_VERSION: {"voice": NO_TEXT, "rtc_worker": NO_TEXT},
    Opcode.CLIENT_FLAGS: {"user_id": (MISSING, *NO_ID), "flags": ("1", 1.5, True, 2**54)},
    Opcode.CLIENT_PLATFORM: {"user_id": (MISSING, *NO_ID), "platform": ("1", 1.5, True, 2**54)},
    Opcode.DAVE_PREPARE_TRANSITION: {
        "transition_id": (MISSING, *NO_U16),
        "protocol_version": (MISSING, *NO_U16),
    },
    Opcode.DAVE_EXECUTE_TRANSITION: {"transition_id": (MISSING, *NO_U16)},
    Opcode.DAVE_PREPARE_EPOCH: {
        "protocol_version": (MISSING, *NO_U16),
        "epoch": (MISSING, -1, 2**63, 1.5, "1", None),
        "transition_id": (-1, 65536, "0", 1.5),
    },
}

#: Where each message is in place; OPEN for the others.
PLACES = {Opcode.READY: S.IDENTIFYING, Opcode.SESSION_DESCRIPTION: S.DESCRIBING}


def violates(driver: Driver) -> None:
    """The last call was one violation and nothing else, and the machine still works."""
    (event,) = driver.new
    assert isinstance(event, ProtocolViolation)
    assert event.what
    assert event.why
    assert len(event.why) < 200
    assert driver.violations == 1
    driver.receive(Opcode.HEARTBEAT)
    assert driver.sent()[-1][0] == Opcode.HEARTBEAT


@pytest.mark.parametrize(
    ("op", "member", "value"),
    [
        pytest.param(op, member, value, id=f"{op.name}-{member}-{str(value)[:20]}")
        for op, members in BAD.items()
        for member, values in members.items()
        for value in values
    ],
)
def test_each_bad_member_is_a_violation(op: int, member: str, value: Any) -> None:
    driver = reach(PLACES.get(Opcode(op), S.OPEN))
    state, seq = driver.gateway.state, 1234
    data = dict(GOOD[op]) | {member: value}
    if value is MISSING:
        del data[member]
    driver.receive(op, data, seq=seq)
    violates(driver)
    assert driver.gateway.state is state
    assert driver.seq == seq


@pytest.mark.parametrize("op", BAD)
def test_every_member_that_is_read_has_a_row(op: int) -> None:
    kinds = {
        Opcode.READY: messages.Ready,
        Opcode.HEARTBEAT: messages.Heartbeat,
        Opcode.SESSION_DESCRIPTION: messages.SessionDescription,
        Opcode.SPEAKING: messages.Speaking,
        Opcode.HEARTBEAT_ACK: messages.Heartbeat,
        Opcode.HELLO: messages.Hello,
        Opcode.CLIENTS_CONNECT: messages.ClientsConnect,
        Opcode.VIDEO: messages.Video,
        Opcode.CLIENT_DISCONNECT: messages.ClientDisconnect,
        Opcode.SESSION_UPDATE: messages.SessionUpdate,
        Opcode.VOICE_BACKEND_VERSION: messages.VoiceBackendVersion,
        Opcode.CLIENT_FLAGS: messages.ClientFlags,
        Opcode.CLIENT_PLATFORM: messages.ClientPlatform,
        Opcode.DAVE_PREPARE_TRANSITION: messages.DavePrepareTransition,
        Opcode.DAVE_EXECUTE_TRANSITION: messages.DaveExecuteTransition,
        Opcode.DAVE_PREPARE_EPOCH: messages.DavePrepareEpoch,
    }
    sent_by_clients_only = {"seq_ack"}
    assert set(kinds[Opcode(op)].__struct_fields__) - sent_by_clients_only == set(BAD[op])


#: Below version 8 an ACK is a bare number, and a request for a heartbeat is nothing.
MAY_BE_NULL = (Opcode.HEARTBEAT, Opcode.HEARTBEAT_ACK)


@pytest.mark.parametrize(
    ("op", "data"),
    [
        (op, data)
        for op in (*BAD, Opcode.MEDIA_SINK_WANTS)
        for data in ('"x"', "[]", "true", "1.5", *(() if op in MAY_BE_NULL else ("null", "")))
    ],
)
def test_a_body_of_the_wrong_kind(op: int, data: str) -> None:
    driver = reach(PLACES.get(Opcode(op), S.OPEN))
    body = f', "d": {data}' if data else ""
    driver.receive_text(driver.link, f'{{"op": {op}{body}}}')
    violates(driver)


NESTED = "[" * 100_000 + "]" * 100_000

TEXTS = {
    "empty": "",
    "no json": "hello",
    "half": '{"op": 2, "d": {"ssrc"',
    "two": '{"op": 9} {"op": 9}',
    "array": "[]",
    "null": "null",
    "number": "5",
    "no op": '{"d": {}}',
    "op null": '{"op": null}',
    "op text": '{"op": "2"}',
    "op float": '{"op": 2.5}',
    "op negative": '{"op": -1}',
    "op 256": '{"op": 256}',
    "op huge": '{"op": 1' + "0" * 4000 + "}",
    "seq negative": '{"op": 13, "d": {"user_id": "1"}, "seq": -1}',
    "seq 65536": '{"op": 13, "d": {"user_id": "1"}, "seq": 65536}',
    "NaN": '{"op": 8, "d": {"heartbeat_interval": NaN}}',
    "Infinity": '{"op": 8, "d": {"heartbeat_interval": Infinity}}',
    "1e400": '{"op": 8, "d": {"heartbeat_interval": 1e400}}',
    "nested in a known op": f'{{"op": 13, "d": {NESTED}}}',
    "nested in an unread op": f'{{"op": 9, "d": {NESTED}}}',
    "nested in a free-form op": f'{{"op": 15, "d": {{"any": {NESTED}}}}}',
    "nested in an unknown op": f'{{"op": 99, "d": {NESTED}}}',
    "nested beside": f'{{"op": 13, "x": {NESTED}, "d": {{"user_id": "1"}}}}',
    "nested, open": "[" * 1_000_000,
    "lone surrogate": '{"op": 16, "d": {"voice": "\ud800"}}',
    "escaped surrogate": '{"op": 16, "d": {"voice": "\\ud800"}}',
    "control character": '{"op": 16, "d": {"voice": "\x01"}}',
    "byte order mark": '\ufeff{"op": 9}',
    "16 MiB": '{"op": 16, "d": {"voice": "' + "x" * (16 << 20) + '"}}',
    "16 MiB of nothing": " " * (16 << 20),
    "client's op": '{"op": 0, "d": {}}',
    "binary op as text": '{"op": 25, "d": "AAAA"}',
}


@pytest.mark.parametrize("state", [S.IDENTIFYING, S.OPEN, S.RESUMING])
@pytest.mark.parametrize("name", TEXTS)
def test_text_that_is_not_the_protocol(state: GatewayState, name: str) -> None:
    driver = reach(state)
    driver.receive_text(driver.link, TEXTS[name])
    violates(driver)
    assert driver.gateway.state is state


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x00", b"\x00\x01", b"\x00\x01\x02", b"\x00\x01\x00payload", bytes(16 << 20)],
    ids=["0", "1", "2", "text op", "client op", "16 MiB"],
)
def test_binary_that_is_not_the_protocol(octets: bytes) -> None:
    driver = reach(S.OPEN)
    driver.receive_binary(driver.link, octets)
    violates(driver)


def test_a_binary_message_may_be_empty_but_for_its_header() -> None:
    driver = reach(S.OPEN)
    driver.receive_binary(driver.link, b"\x00\x01\x19")
    assert driver.new[0].data == b""
    assert driver.violations == 0


def test_what_is_wrong_is_said_without_quoting_the_message() -> None:
    driver = reach(S.DESCRIBING)
    secret = [201, 202, 203, 204] * 8
    for key in ([*secret, 1], secret[1:], [*secret[1:], 1000], [*secret[1:], "topsecret"]):
        driver.receive(4, DESCRIPTION | {"secret_key": key})
        assert "203" not in repr(driver.new)
        assert "topsecret" not in repr(driver.new)


@pytest.mark.parametrize("size", [1000, 1001])
def test_the_limit_of_size_is_exact(size: int) -> None:
    driver = reach(S.OPEN, max_message_size=1000)
    text = json.dumps({"op": 13, "d": {"user_id": "1"}})
    driver.receive_text(driver.link, text + " " * (size - len(text)))
    assert driver.violations == (size > 1000)
    driver.receive_binary(driver.link, b"\x00\x01\x19" + bytes(size - 3))
    assert driver.violations == 2 * (size > 1000)


def test_five_thousand_ssrcs_are_five_thousand_events() -> None:
    driver = reach(S.OPEN)
    for ssrc in range(5000):
        driver.receive(5, {"speaking": 1, "ssrc": ssrc, "user_id": str(ssrc % 7)})
        assert len(driver.new) == 2
    assert driver.violations == 0


@pytest.mark.parametrize("state", CONNECTED_STATES)
def test_random_mutations_of_good_messages_never_raise(state: GatewayState) -> None:
    random = Random(state)
    texts = [json.dumps({"op": op, "d": data, "seq": 5}) for op, data in GOOD.items()]
    driver = reach(state, max_violations=10**9, heartbeat_min=50.0, max_attempts=10**6)
    for _ in range(2000):
        text = bytearray(random.choice(texts).encode())
        for _ in range(random.randrange(1, 4)):
            at = random.randrange(len(text))
            match random.randrange(3):
                case 0:
                    text[at] = random.randrange(32, 127)
                case 1:
                    del text[at]
                case _:
                    text.insert(at, random.choice(b'0123456789"{}[],:-.e'))
        driver.receive_text(driver.link, text.decode())
        assert len(driver.new) <= 4


def test_a_ready_of_ipv6_is_taken() -> None:
    driver = reach(S.IDENTIFYING)
    driver.receive(2, READY | {"ip": "2001:db8::1"})
    assert driver.new[0].ip == "2001:db8::1"


def test_bigger_messages_than_real_ones_are_taken() -> None:
    driver = reach(S.OPEN)
    driver.receive(Opcode.HELLO, HELLO | {"more": "x" * 500_000})
    assert driver.violations == 0
