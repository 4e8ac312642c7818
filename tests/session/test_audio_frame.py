import copy
import pickle

import pytest

from voicekit._frame import AudioFrame

FIELDS = {
    "user_id": 2**64 - 1,
    "ssrc": 2**32 - 1,
    "opus": b"\xfcsecret",
    "sequence": -3,
    "rtp_time": 2**40,
    "duration": 5760,
    "marker": True,
    "audio_level": 127,
    "speaker_flags": 0,
    "e2ee": True,
    "arrived": 0.1,
    "lost_before": 7,
}


def test_it_holds_what_it_was_given():
    frame = AudioFrame(**FIELDS)
    assert {name: getattr(frame, name) for name in FIELDS} == FIELDS
    assert frame.marker is True


def test_what_is_not_given_has_plain_defaults():
    frame = AudioFrame(1, 2, b"\xfc")
    assert (frame.duration, frame.audio_level, frame.speaker_flags) == (960, None, None)
    assert frame.marker is False
    assert frame.e2ee is False


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_counts_for_equality(name):
    other = {**FIELDS, name: type(FIELDS[name])()}
    if name == "speaker_flags":
        other[name] = 1
    assert AudioFrame(**FIELDS) == AudioFrame(**FIELDS)
    assert AudioFrame(**FIELDS) != AudioFrame(**other)
    assert AudioFrame(**FIELDS) != FIELDS


def test_equal_frames_hash_alike():
    assert len({AudioFrame(**FIELDS), AudioFrame(**FIELDS)}) == 1


@pytest.mark.parametrize("name", FIELDS)
def test_it_is_immutable(name):
    with pytest.raises(AttributeError):
        setattr(AudioFrame(**FIELDS), name, FIELDS[name])


def test_it_can_not_be_set_up_twice():
    frame = AudioFrame(**FIELDS)
    with pytest.raises(TypeError, match="immutable"):
        frame.__init__(1, 2, b"other")
    assert frame.opus == FIELDS["opus"]


def test_it_can_be_copied_and_pickled():
    frame = AudioFrame(**FIELDS)
    for other in (copy.copy(frame), copy.deepcopy(frame), pickle.loads(pickle.dumps(frame))):
        assert other == frame


def test_the_repr_shows_no_audio():
    text = repr(AudioFrame(**FIELDS))
    assert "<7 bytes>" in text
    assert "secret" not in text


def test_reused_memory_carries_nothing_over():
    frame = AudioFrame(**FIELDS)
    del frame
    plain = AudioFrame(1, 2, b"\xfc")
    assert plain == AudioFrame(1, 2, b"\xfc", 0, 0, 960, False, None, None, False, 0.0, 0)
