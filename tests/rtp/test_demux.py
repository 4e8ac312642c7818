"""Telling datagrams apart by their clear bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import rtp as reference
from voicekit._rtp import PacketKind, build_keepalive, build_packet, demux
from voicekit.discovery import build_reply, build_request


@pytest.mark.parametrize("second", range(256))
def test_byte_1_tells_rtcp_from_rtp(second):
    kind = demux(bytes([0x80, second]) + bytes(range(1, 40)))
    assert kind is (PacketKind.RTCP if 192 <= second <= 223 else PacketKind.RTP)


def test_a_marked_opus_packet_is_rtp():
    data = build_packet(sequence=0, timestamp=0, ssrc=0, marker=True, payload=b"opus")
    assert demux(data) is PacketKind.RTP


@pytest.mark.parametrize("counter", [0, 1, 0x80, 0xC880, 0xFFFF_FFFF])
def test_keepalives(counter):
    keepalive = build_keepalive(counter)
    assert keepalive == counter.to_bytes(4, "little") + b"\0\0\0\0"
    assert demux(keepalive) is PacketKind.KEEPALIVE


@pytest.mark.parametrize("text", ["1337cafe00000007", "1337f00dffffffff"])
def test_pings_of_the_web_client_are_keepalives(text):
    assert demux(bytes.fromhex(text)) is PacketKind.KEEPALIVE


@pytest.mark.parametrize("wrong", [-1, 2**32])
def test_a_keepalive_counter_has_32_bits(wrong):
    with pytest.raises(ValueError, match="counter"):
        build_keepalive(wrong)


def test_discovery_even_when_malformed():
    assert demux(build_request(0x80C8_0000)) is PacketKind.DISCOVERY
    assert demux(build_reply(1, "::1", 1)) is PacketKind.DISCOVERY
    assert demux(build_request(1)[:20]) is PacketKind.DISCOVERY


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x80\x78" + bytes(9), b"\xc9" + bytes(8), bytes(74), b"GET / HTTP/1.1"]
)
def test_anything_else_is_unknown(data):
    assert demux(data) is PacketKind.UNKNOWN


@given(st.binary(max_size=80))
def test_agrees_with_the_reference(data):
    assert demux(data).name == reference.demux(data)


@given(st.binary(max_size=3), st.binary(max_size=80))
def test_agrees_with_the_reference_on_likely_openings(first, rest):
    for opening in (b"\x80\x78", b"\x80\xc8", b"\x00\x01\x00\x46", b"\x13\x37\xca\xfe"):
        data = opening[: len(opening) - len(first)] + first + rest
        assert demux(data).name == reference.demux(data)
