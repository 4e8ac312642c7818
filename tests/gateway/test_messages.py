"""The codec, for clients and servers alike."""

from typing import Any

import msgspec
import pytest

from tests.gateway.test_reactions import GOOD
from voicekit.messages import (
    BadMessage,
    Heartbeat,
    Identify,
    Message,
    Resume,
    SelectedAddress,
    SelectProtocol,
    decode_client_binary,
    decode_server_binary,
    decode_text,
    encode_client_binary,
    encode_server_binary,
    encode_text,
)


@pytest.mark.parametrize("op", GOOD)
@pytest.mark.parametrize("seq", [None, 0, 65535])
def test_every_message_survives_the_way_there_and_back(op: int, seq: int | None) -> None:
    message = decode_text(encode_text(op, GOOD[op], seq))
    assert (message.op, message.seq) == (op, seq)
    assert msgspec.json.decode(message.raw) == GOOD[op]
    again = decode_text(encode_text(op, message.data, seq))
    assert again.data == message.data


@pytest.mark.parametrize("op", range(25, 31))
@pytest.mark.parametrize("payload", [b"", b"\x00", bytes(range(256))])
def test_binary_messages_survive_both_ways(op: int, payload: bytes) -> None:
    for seq in (0, 1, 0x00FF, 0xFF00, 0xFFFF):
        octets = encode_server_binary(op, payload, seq)
        assert octets[:3] == bytes((seq >> 8, seq & 0xFF, op))
        assert decode_server_binary(octets) == Message(op, seq, payload, b"")
    octets = encode_client_binary(op, payload)
    assert octets[0] == op
    assert decode_client_binary(octets) == Message(op, None, payload, b"")


def test_members_that_are_none_are_left_out() -> None:
    assert encode_text(0, Identify("1", "2", "s", "t")) == (
        '{"op":0,"d":{"server_id":"1","user_id":"2","session_id":"s","token":"t",'
        '"max_dave_protocol_version":0}}'
    )
    assert "seq_ack" not in encode_text(7, Resume("1", "s", "t"))
    assert encode_text(3, Heartbeat(5, -1)) == '{"op":3,"d":{"t":5,"seq_ack":-1}}'
    chosen = SelectProtocol("udp", SelectedAddress("192.0.2.1", 5, "m"))
    assert encode_text(1, chosen) == (
        '{"op":1,"d":{"protocol":"udp","data":{"address":"192.0.2.1","port":5,"mode":"m"}}}'
    )


def test_bodies_that_are_no_objects() -> None:
    assert encode_text(9, None) == '{"op":9,"d":null}'
    assert encode_text(3, 12) == '{"op":3,"d":12}'
    assert decode_text('{"op":3,"d":12}').data == 12
    assert decode_text('{"op":3}').data is None


def test_a_server_reads_a_client_of_every_version() -> None:
    for data in ({"t": 5, "seq_ack": 6}, {"t": 5}, 5):
        message = decode_text(encode_text(3, data))
        assert message.data == (5 if data == 5 else Heartbeat(5, data.get("seq_ack")))  # type: ignore[union-attr]
    assert decode_text('{"op":7,"d":{"server_id":1,"session_id":"s","token":"t"}}').data == Resume(
        1, "s", "t"
    )


@pytest.mark.parametrize(
    ("decode", "octets"), [(decode_server_binary, b"\x00\x01"), (decode_client_binary, b"")]
)
def test_a_short_binary_message_is_a_bad_message(decode: Any, octets: bytes) -> None:
    with pytest.raises(BadMessage, match="header"):
        decode(octets)


def test_text_may_come_as_bytes_and_then_must_be_utf8() -> None:
    assert decode_text('{"op":9,"d":null,"x":"é"}'.encode()).op == 9
    with pytest.raises(BadMessage):
        decode_text(b'{"op":16,"d":{"voice":"\xff"}}')
