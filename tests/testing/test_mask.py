"""What a transcript may not show, and what must still work once it does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicekit._crypto import TransportCipher, available_modes
from voicekit._rtp import open_packet, seal_packet
from voicekit.errors import DecryptionFailed
from voicekit.testing.mask import Mask

KEY = bytes(range(100, 132))


def description(mode: str, key: bytes = KEY) -> str:
    return json.dumps({"op": 4, "d": {"mode": mode, "secret_key": list(key)}})


def dummy_key(masked: str) -> bytes:
    return bytes(json.loads(masked)["d"]["secret_key"])


@pytest.mark.parametrize("mode", available_modes())
def test_datagrams_open_under_the_dummy_key_and_not_under_the_true_one(mode: str) -> None:
    mask = Mask()
    dummy = dummy_key(mask.message(description(mode)))
    assert dummy != KEY
    cipher = TransportCipher(mode, KEY, nonce_start=2**31 + 5)
    sealed = seal_packet(
        cipher,
        sequence=65535,
        timestamp=2**32 - 1,
        ssrc=7,
        payload=b"\xfcaudio",
        extensions=[(1, b"\x30")],
        csrcs=[1, 2],
        padding=5,
    )
    masked = mask.datagram(sealed)
    packet = open_packet(TransportCipher(mode, dummy), masked)
    assert (packet.sequence, packet.timestamp, packet.ssrc) == (65535, 2**32 - 1, 7)
    assert (packet.payload, packet.padding, packet.csrcs) == (b"\xfcaudio", 5, (1, 2))
    assert packet.extensions == ((1, b"\x30"),)
    assert packet.nonce == 2**31 + 5
    assert len(masked) == len(sealed)
    with pytest.raises(DecryptionFailed):
        open_packet(TransportCipher(mode, KEY), masked)


def test_a_datagram_under_the_key_before_still_finds_its_dummy() -> None:
    mask = Mask()
    mode = available_modes()[-1]
    cipher = TransportCipher(mode, KEY)
    first = dummy_key(mask.message(description(mode)))
    second = dummy_key(mask.message(description(mode, bytes(32))))
    assert first != second
    late = seal_packet(cipher, sequence=1, timestamp=2, ssrc=3, payload=b"\xfcx")
    assert open_packet(TransportCipher(mode, first), mask.datagram(late)).payload == b"\xfcx"


def test_what_no_key_opens_keeps_header_and_length_and_nothing_else() -> None:
    mask = Mask()
    mask.message(description(available_modes()[-1]))
    garbage = bytes([0x80, 0x78]) + bytes(range(1, 100))
    masked = mask.datagram(garbage)
    assert masked[:12] == garbage[:12]
    assert len(masked) == len(garbage)
    assert not any(masked[12:])


def test_discovery_replies_get_another_address_of_the_same_layout() -> None:
    mask = Mask()
    reply = b"\0\x02\0\x46\0\0\0\x01" + b"203.0.113.77".ljust(64, b"\0") + b"\xc3\x50"
    masked = mask.datagram(reply)
    assert len(masked) == 74
    assert masked[:8] == reply[:8]
    assert masked[-2:] == reply[-2:]
    assert masked[8:72].rstrip(b"\0") == mask.host("203.0.113.77").encode()
    assert b"203.0.113.77" not in masked


def test_values_are_masked_by_name_and_wherever_they_come_again() -> None:
    mask = Mask()
    identify = {
        "op": 0,
        "d": {"server_id": "1", "session_id": "s3cr3t-session", "token": "t0ken-t0ken"},
    }
    masked = json.loads(mask.message(json.dumps(identify)))
    assert masked["d"] == {"server_id": "1", "session_id": "session_id-1", "token": "token-1"}
    assert mask.text("the token t0ken-t0ken was refused") == "the token token-1 was refused"
    echoed = mask.message(json.dumps({"op": 99, "d": {"note": ["s3cr3t-session"]}}))
    assert "s3cr3t" not in echoed


def test_the_same_secret_has_the_same_stand_in() -> None:
    mask = Mask()
    assert mask.secret("abcdefgh", "token") == mask.secret("abcdefgh", "token")
    assert mask.secret("abcdefgh", "token") != mask.secret("ABCDEFGH", "token")


@pytest.mark.parametrize(
    ("endpoint", "masked"),
    [
        ("rotterdam1234.example.gg:2048", "voice-1.example:2048"),
        ("wss://rotterdam1234.example.gg:443", "wss://voice-1.example:443"),
        ("ws://127.0.0.1:50001", "ws://198.18.0.1:50001"),
        ("[2a00::1]:443", "[2001:db8::1]:443"),
        ("bare-host", "voice-1.example"),
    ],
)
def test_endpoints_keep_scheme_and_port(endpoint: str, masked: str) -> None:
    assert Mask().endpoint(endpoint) == masked


@pytest.mark.parametrize("address", ["203.0.113.5", "2a00:1450:4001:81b::200e", "fe80::7:1"])
def test_addresses_in_sentences_are_masked(address: str) -> None:
    text = Mask().text(f"connect to {address} failed (3:30 h, version 0.8.54)")
    assert address not in text
    assert "(3:30 h, version 0.8.54)" in text


def test_what_is_not_json_loses_all_that_could_be_a_secret() -> None:
    masked = Mask().message('{"op": 0, "d": {"token": "abc123')
    assert masked == '{"xx": 0, "x": {"xxxxx": "xxx000'


@pytest.mark.parametrize(
    "text", ['{"op": 8, "d": {"heartbeat_interval": 1e999}}', '{ "op":5,"d": 1.50 }', "NaN", "[ ]"]
)
def test_what_holds_no_secret_stays_to_the_letter(text: str) -> None:
    assert Mask().message(text) == text


def test_a_member_that_comes_twice_hides_nothing() -> None:
    assert "t0ken" not in Mask().message('{"d": {"token": "t0ken-t0ken"}, "d": {}}')


@pytest.mark.parametrize("key", [[1] * 31, [1] * 33, [1] * 31 + [256], ["a"] * 32, "text", None])
def test_an_invalid_key_stays_as_invalid_as_it_was(key: object) -> None:
    text = json.dumps(
        {"op": 4, "d": {"mode": "aead_xchacha20_poly1305_rtpsize", "secret_key": key}}
    )
    masked = json.loads(Mask().message(text))["d"]["secret_key"]
    assert type(masked) is type(key)
    if isinstance(key, list):
        assert len(masked) == len(key)
        assert 1 not in masked


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.text() | json_values.map(json.dumps))
def test_no_message_is_too_strange_to_be_masked(text: str) -> None:
    Mask().message(text)


@given(st.binary(max_size=200))
def test_no_datagram_is_too_strange_to_be_masked(data: bytes) -> None:
    mask = Mask()
    mask.message(description(available_modes()[-1]))
    assert len(mask.datagram(data)) == len(data)
