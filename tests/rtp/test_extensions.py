"""Header extensions: RFC 8285 in both forms, and the elements of audio."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import rtp as reference
from voicekit._extensions import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    SPEAKER_FLAGS,
    abs_send_time_element,
    audio_level_element,
    build_extensions,
    parse_extensions,
    read_abs_send_time,
    read_audio_level,
    read_speaker_flags,
    speaker_flags_element,
)
from voicekit.codes import SpeakingFlags

from .strategies import extensions, u16

ONE, TWO = 0xBEDE, 0x1000


@pytest.mark.parametrize(
    ("body", "elements"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("00000000", [], id="padding alone"),
        pytest.param("10ff 9002", [(1, "ff"), (9, "02")], id="two elements"),
        pytest.param("32 64e662 10 e3 90 02", [(3, "64e662"), (1, "e3"), (9, "02")], id="three"),
        pytest.param("10aa 0000 21bbcc 00", [(1, "aa"), (2, "bbcc")], id="padding between"),
        pytest.param("1f" + "ab" * 16 + "000000", [(1, "ab" * 16)], id="16 bytes, the longest"),
        pytest.param("10aa f0bb 10cc 0000", [(1, "aa")], id="id 15 ends the list"),
        pytest.param("10aa ff", [(1, "aa")], id="id 15 ends the list whatever its length"),
        pytest.param("10aa 01bbcc 20dd", [(1, "aa")], id="id 0 with a length ends the list"),
        pytest.param("10aa 23bbcc", [(1, "aa")], id="cut off in the data"),
        pytest.param("10", [], id="cut off behind the head"),
        pytest.param("10aa 10bb", [(1, "aa"), (1, "bb")], id="an id twice"),
    ],
)
def test_one_byte_form(body, elements):
    expected = tuple((id, bytes.fromhex(data)) for id, data in elements)
    assert parse_extensions(ONE, bytes.fromhex(body)) == expected


@pytest.mark.parametrize(
    ("body", "elements"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("00000000", [], id="padding alone"),
        pytest.param("0101ff 0901 02 00", [(1, "ff"), (9, "02")], id="two elements"),
        pytest.param("0100 0200 0000", [(1, ""), (2, "")], id="elements without data"),
        pytest.param("ff02aabb", [(255, "aabb")], id="id 255"),
        pytest.param("0f01aa 00", [(15, "aa")], id="id 15 is nothing special"),
        pytest.param("0101aa 00 0201bb 00", [(1, "aa"), (2, "bb")], id="padding between"),
        pytest.param("0101aa 0204bb", [(1, "aa")], id="cut off in the data"),
        pytest.param("0101aa 02", [(1, "aa")], id="cut off behind the id"),
    ],
)
@pytest.mark.parametrize("profile", [0x1000, 0x1001, 0x100F])
def test_two_byte_form(profile, body, elements):
    expected = tuple((id, bytes.fromhex(data)) for id, data in elements)
    assert parse_extensions(profile, bytes.fromhex(body)) == expected


@pytest.mark.parametrize("profile", [0, 0x0FFF, 0x1010, 0xBEDD, 0xBEDF, 0xFFFF, -1, 2**16, 2**40])
def test_other_profiles_have_no_elements(profile):
    assert parse_extensions(profile, b"\x10\xff\x00\x00") == ()


def test_elements_are_padded_to_whole_words():
    assert build_extensions([(1, b"\xff"), (9, b"\x02")]) == bytes.fromhex("10ff9002")
    assert build_extensions([(1, b"\xff")]) == bytes.fromhex("10ff0000")
    assert build_extensions([(1, b"\xff")], TWO) == bytes.fromhex("0101ff00")
    assert build_extensions([(1, b"")], TWO) == bytes.fromhex("01000000")
    assert build_extensions([]) == b""


@pytest.mark.parametrize(
    ("profile", "element"),
    [
        (ONE, (0, b"a")),
        (ONE, (15, b"a")),
        (ONE, (1, b"")),
        (ONE, (1, b"a" * 17)),
        (TWO, (0, b"a")),
        (TWO, (256, b"a")),
        (TWO, (1, b"a" * 256)),
        (0x2000, (1, b"a")),
        (-1, (1, b"a")),
        (2**40, (1, b"a")),
    ],
)
def test_what_does_not_fit_is_a_value_error(profile, element):
    with pytest.raises(ValueError, match=r"extension"):
        build_extensions([element], profile)


def test_more_than_65535_words_are_a_value_error():
    with pytest.raises(ValueError, match="65535 words"):
        build_extensions([(1, bytes(255))] * 1021, TWO)


@given(extensions)
def test_what_is_built_is_read(extension):
    profile, elements = extension
    body = build_extensions(elements, profile)
    assert body == reference.build_extensions(elements, profile)
    assert len(body) % 4 == 0
    assert parse_extensions(profile, body) == tuple(elements)


@given(st.one_of(st.sampled_from([ONE, TWO, 0x100F]), u16), st.binary(max_size=80))
def test_any_body_reads_as_the_reference_reads_it(profile, body):
    assert parse_extensions(profile, body) == reference.parse_extensions(profile, body)


@pytest.mark.parametrize("level", [0, 1, 127])
@pytest.mark.parametrize("voice", [False, True])
def test_audio_level(level, voice):
    element = audio_level_element(level, voice)
    assert element == (AUDIO_LEVEL, bytes([level + 128 * voice]))
    assert read_audio_level([element]) == (level, voice)


@pytest.mark.parametrize("level", [-1, 128])
def test_an_audio_level_has_seven_bits(level):
    with pytest.raises(ValueError, match="0 to 127"):
        audio_level_element(level)


@pytest.mark.parametrize("seconds", [0.0, 0.5, 63.75])
def test_abs_send_time_is_a_clock_of_64_seconds(seconds):
    element = abs_send_time_element(seconds)
    assert element[0] == ABS_SEND_TIME
    assert read_abs_send_time([element]) == seconds
    assert abs_send_time_element(seconds + 64 * 1e6) == element


def test_abs_send_time_just_below_a_full_turn_wraps():
    assert abs_send_time_element(64 - 1e-9) == (ABS_SEND_TIME, bytes(3))


def test_speaker_flags():
    element = speaker_flags_element(SpeakingFlags.SOUNDSHARE)
    assert element == (SPEAKER_FLAGS, b"\x02")
    assert read_speaker_flags([element]) == SpeakingFlags.SOUNDSHARE
    with pytest.raises(ValueError, match="range"):
        speaker_flags_element(256)


def test_an_absent_or_empty_element_reads_as_none():
    for elements in ([], [(2, b"\x01")], [(1, b""), (3, b"12"), (9, b"")]):
        assert read_audio_level(elements) is None
        assert read_abs_send_time(elements) is None
        assert read_speaker_flags(elements) is None


def test_the_last_of_equal_elements_counts():
    assert read_speaker_flags([(9, b"\x01"), (9, b"\x02")]) == 2
