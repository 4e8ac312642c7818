"""Cython against the reference: the same packets, the same bytes, the same refusals."""

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.independent.ciphers import MODES, Cipher
from tests.reference import rtp as reference
from voicekit._crypto import TransportCipher, available_modes
from voicekit._rtp import (
    RtpPacket,
    build_header,
    build_packet,
    open_packet,
    parse_packet,
    seal_packet,
)
from voicekit.errors import DecryptionFailed, InvalidPacket

from .conftest import KEY
from .strategies import extensions, mutations, packets

OPUS = st.just(120)
FIELDS = [field.name for field in dataclasses.fields(reference.Packet)]
CIPHERS = {mode: (TransportCipher(mode, KEY), Cipher(mode, KEY)) for mode in available_modes()}
each_mode = pytest.mark.parametrize("mode", [mode for mode in MODES if mode in CIPHERS])


Outcome = dict | str  # the fields of the packet, or the reason of the refusal


def outcome(read: Callable[[], RtpPacket | reference.Packet]) -> Outcome:
    try:
        packet = read()
    except (InvalidPacket, reference.BadError) as refused:
        return str(refused.reason)
    except DecryptionFailed:
        return "bad_tag"
    return {name: getattr(packet, name) for name in FIELDS}


def check_parse(data: bytes) -> None:
    assert outcome(lambda: parse_packet(data)) == outcome(lambda: reference.parse(data))


def check_open(mode: str, data: bytes) -> None:
    cipher, theirs = CIPHERS[mode]

    def decrypt(suffix: bytes, aad: bytes, ciphertext: bytes) -> bytes | None:
        return theirs.open(aad + ciphertext + suffix, len(aad))

    expected = outcome(lambda: reference.open_packet(decrypt, data))
    assert outcome(lambda: open_packet(cipher, data)) == expected


@given(packets())
def test_header_and_packet_are_built_alike(packet):
    header = build_header(
        sequence=packet.sequence,
        timestamp=packet.timestamp,
        ssrc=packet.ssrc,
        payload_type=packet.payload_type,
        marker=packet.marker,
        csrcs=packet.csrcs,
        extension_profile=packet.extension_profile,
        extension_words=len(packet.extension_body) // 4,
        padding=packet.padding > 0,
    )
    assert header == reference.build_clear(packet)
    check_parse(header + reference.build_rest(packet))


@given(packets(), extensions)
def test_packets_with_elements_are_built_alike(packet, extension):
    profile, elements = extension
    packet.extension_profile = profile if elements else None
    packet.extension_body = reference.build_extensions(elements, profile)
    data = build_packet(
        sequence=packet.sequence,
        timestamp=packet.timestamp,
        ssrc=packet.ssrc,
        payload_type=packet.payload_type,
        marker=packet.marker,
        csrcs=packet.csrcs,
        extensions=elements,
        extension_profile=profile,
        padding=packet.padding,
        payload=packet.payload,
    )
    assert data == reference.build(packet)
    assert parse_packet(data).extensions == tuple(elements)
    check_parse(data)


@given(packets().map(reference.build).flatmap(mutations))
def test_altered_packets_parse_alike(data):
    check_parse(data)


@given(st.binary(max_size=120))
def test_any_bytes_parse_alike(data):
    check_parse(data)


@each_mode
@given(packet=packets(OPUS), nonce=st.integers(0, 2**32 - 1))
def test_sealed_packets_open_alike(mode, packet, nonce):
    theirs = CIPHERS[mode][1]
    check_open(
        mode, theirs.seal(reference.build_clear(packet), reference.build_rest(packet), nonce)
    )


@each_mode
@given(packet=packets(OPUS), extension=extensions)
def test_what_we_seal_the_reference_opens(mode, packet, extension):
    cipher, theirs = CIPHERS[mode]
    profile, elements = extension
    data = seal_packet(
        cipher,
        sequence=packet.sequence,
        timestamp=packet.timestamp,
        ssrc=packet.ssrc,
        marker=packet.marker,
        csrcs=packet.csrcs,
        extensions=elements,
        extension_profile=profile,
        padding=packet.padding,
        payload=packet.payload,
    )
    packet.extension_profile = profile if elements else None
    packet.extension_body = reference.build_extensions(elements, profile)
    clear = reference.build_clear(packet)
    assert data[: len(clear)] == clear
    assert theirs.open(data, len(clear)) == reference.build_rest(packet)
    check_open(mode, data)


@each_mode
@given(data=st.data(), packet=packets(OPUS))
def test_hostile_plaintexts_behind_a_valid_tag_open_alike(mode, data, packet):
    # What is sealed need not keep what the header promises: wrong counts, wrong lengths.
    clear = bytearray(reference.build_clear(packet))
    clear[0] = 0x80 | data.draw(st.sampled_from([0x00, 0x10, 0x20, 0x30])) | clear[0] & 0x0F
    rest = data.draw(mutations(reference.build_rest(packet)))
    check_open(mode, CIPHERS[mode][1].seal(bytes(clear), rest, 1))


@each_mode
@given(data=st.data(), packet=packets(OPUS))
def test_altered_datagrams_open_alike(mode, data, packet):
    sealed = CIPHERS[mode][1].seal(reference.build_clear(packet), reference.build_rest(packet), 1)
    check_open(mode, data.draw(mutations(sealed)))


@each_mode
@given(data=st.binary(max_size=120))
def test_any_datagram_opens_alike(mode, data):
    check_open(mode, data)
