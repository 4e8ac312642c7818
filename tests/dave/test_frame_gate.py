"""What is done per frame: the keys that open it, and calls of a library's methods."""

from collections.abc import Callable

import pytest

from voicekit._frame_gate import MARKER, FrameCall, FrameGate, OpeningKeys

ALICE, BOB = 2**60 + 1, 2**60 + 2


def opener(key: bytes, tried: list[bytes]) -> Callable[[bytes], bytes | None]:
    def open_frame(frame: bytes) -> bytes | None:
        tried.append(key)
        return frame[len(key) :] if frame.startswith(key) else None

    return open_frame


@pytest.fixture
def tried() -> list[bytes]:
    return []


@pytest.fixture
def keys(tried: list[bytes]) -> OpeningKeys:
    """Two layers for Alice, one for Bob."""
    keys = OpeningKeys()
    keys.add(ALICE, 1, opener(b"a1", tried))
    keys.add(BOB, 1, opener(b"b1", tried))
    keys.add(ALICE, 2, opener(b"a2", tried))
    return keys


def test_a_key_opens_frames_of_its_user_only(keys: OpeningKeys) -> None:
    for _ in range(2):
        assert keys(ALICE, b"a1frame") == b"frame"
        assert keys(BOB, b"a1frame") is None
        assert keys(BOB, b"b1frame") == b"frame"
        assert keys(ALICE, b"b1frame") is None
    assert keys(7, b"a1frame") is None


def test_the_key_that_opened_the_last_frame_is_tried_first(
    keys: OpeningKeys, tried: list[bytes]
) -> None:
    assert keys(ALICE, b"a2frame") == b"frame"
    assert tried == [b"a1", b"a2"]
    assert keys(ALICE, b"a2frame") == b"frame"
    assert tried == [b"a1", b"a2", b"a2"]


def test_a_new_key_waits_behind_the_one_in_use(keys: OpeningKeys, tried: list[bytes]) -> None:
    keys(ALICE, b"a2frame")
    keys.add(ALICE, 3, opener(b"a3", tried))
    tried.clear()
    assert keys(ALICE, b"a3frame") == b"frame"
    assert tried == [b"a2", b"a3"]


def test_dropped_keys_open_nothing_even_of_who_spoke_last(keys: OpeningKeys) -> None:
    assert keys(BOB, b"b1frame") == b"frame"
    keys.drop(2)
    assert keys(BOB, b"b1frame") is None
    assert keys(ALICE, b"a1frame") is None
    assert keys(ALICE, b"a2frame") == b"frame"
    assert len(keys) == 1
    keys.clear()
    assert keys(ALICE, b"a2frame") is None
    keys.add(ALICE, 4, opener(b"a4", []))
    assert keys(ALICE, b"a4frame") == b"frame"


@pytest.mark.parametrize("leading", [(), (1,), (1, 2), (1, 2, 3)])
def test_a_call_puts_what_leads_before_the_frame(leading: tuple[int, ...]) -> None:
    seen = []

    def function(*arguments: object) -> bytes:
        seen.append(arguments)
        return b"answer"

    call = FrameCall(function, *leading)
    gate = FrameGate(lambda user_id, frame: None)
    gate._seal = call
    assert call(b"frame") == gate.encrypt(b"frame") == b"answer"
    assert seen == [(*leading, b"frame")] * 2


def test_an_error_in_a_call_comes_through() -> None:
    def function(frame: bytes) -> bytes:
        raise RuntimeError("no such codec")

    with pytest.raises(RuntimeError, match="no such codec"):
        FrameCall(function)(b"frame")
    with pytest.raises(ValueError, match="at most 3"):
        FrameCall(function, 1, 2, 3, 4)


@pytest.mark.parametrize("frame", [b"", b"\xfa", MARKER, b"frame" + MARKER])
@pytest.mark.parametrize("marked", [False, True])
def test_the_marker_counts_only_where_encryption_is_expected(frame: bytes, marked: bool) -> None:
    gate = FrameGate(lambda user_id, frame: b"opened")
    gate._marked = marked
    expected = b"opened" if marked and frame.endswith(MARKER) else frame
    assert gate.decrypt(ALICE, frame, 0.0) == expected
    assert gate.awaits_key(frame) is (marked and frame.endswith(MARKER))
