"""Frames are sorted, and plaintext is bad once a client was told to encrypt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.dave_peers import DavePeer, DaveWorld
from tests.server.world import OPUS
from voicekit.codes import SILENCE_FRAME
from voicekit.server.encryption import PLAINTEXT_GRACE
from voicekit.server.frames import FrameKind, frame_kind

TAG = bytes(range(8))


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (b"", FrameKind.CLEAR),
        (OPUS, FrameKind.CLEAR),
        (SILENCE_FRAME, FrameKind.SILENCE),
        (SILENCE_FRAME + b"\0", FrameKind.CLEAR),
        (OPUS + b"\xfa\xfa", FrameKind.CLEAR),  # the marker by chance
        (TAG + b"\x05\x0c\xfa\xfa", FrameKind.E2EE),  # the smallest there is
        (TAG[1:] + b"\x05\x0c\xfa\xfa", FrameKind.CLEAR),  # a byte less
        (b"opus" + TAG + b"\x05\x0c\xfa\xfa", FrameKind.E2EE),
        (b"opus" + TAG + b"\x05\x0b\xfa\xfa", FrameKind.CLEAR),  # too small a size
        (b"opus" + TAG + b"\x05\x11\xfa\xfa", FrameKind.CLEAR),  # larger than the frame
        (b"opus" + TAG + b"\x85\x01\x0d\xfa\xfa", FrameKind.E2EE),  # two bytes of nonce
        (b"opus" + TAG + b"\x85\x0c\xfa\xfa", FrameKind.CLEAR),  # a nonce cut off
        (b"opus" + TAG + b"\xff\xff\xff\xff\x0f\x10\xfa\xfa", FrameKind.E2EE),
        (b"opus" + TAG + b"\xff\xff\xff\xff\x1f\x10\xfa\xfa", FrameKind.CLEAR),  # over 32 bits
        (b"opus" + TAG + b"\x05\x00\x0d\xfa\xfa", FrameKind.CLEAR),  # half a range
        (b"opus" + TAG + b"\x05\x00\x04\x0e\xfa\xfa", FrameKind.E2EE),  # all of it unencrypted
        (b"opus" + TAG + b"\x05\x00\x05\x0e\xfa\xfa", FrameKind.CLEAR),  # more than there is
        (b"opus" + TAG + b"\x05\x02\x01\x00\x01\x10\xfa\xfa", FrameKind.CLEAR),  # out of order
    ],
)
def test_a_frame_is_what_its_structure_says(frame: bytes, kind: FrameKind) -> None:
    assert frame_kind(frame) is kind


@given(st.binary(max_size=64), st.integers(0, 255))
def test_no_frame_is_too_strange(frame: bytes, size: int) -> None:
    frame_kind(frame + bytes((size,)) + b"\xfa\xfa")


@pytest.fixture
def world() -> DaveWorld:
    return DaveWorld()


@pytest.fixture
def pair(world: DaveWorld) -> tuple[DavePeer, DavePeer]:
    first, second = world.members(1, 2)
    first.speak()
    return first, second


def test_frames_are_counted_by_kind(world: DaveWorld, pair: tuple[DavePeer, DavePeer]) -> None:
    first, _ = pair
    for payload in (first.encrypt(), first.encrypt(), SILENCE_FRAME):
        first.play(payload=payload)
        world.run(0.02)
    stats = first.stats
    assert (stats.frames_e2ee, stats.frames_clear, stats.frames_silence) == (2, 0, 1)
    assert (stats.packets_valid, stats.packets_bad) == (3, {})


def test_plaintext_in_an_encrypted_call_is_bad_and_passed_on(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    first, second = pair
    first.play()
    assert first.stats.packets_bad == {"plaintext": 1}
    assert first.stats.frames_clear == 1
    assert [packet.payload for packet in second.heard()] == [OPUS]


def test_plaintext_that_crosses_op_22_on_its_way_is_no_fault(world: DaveWorld) -> None:
    first, _ = world.member(1), world.member(2)  # executed just now
    first.speak()
    world.run(PLAINTEXT_GRACE - 0.1)
    first.play()
    world.run(0.2)
    assert first.stats.packets_bad == {}
    first.play()
    assert first.stats.packets_bad == {"plaintext": 1}


def test_alone_and_before_the_first_epoch_plaintext_is_right(world: DaveWorld) -> None:
    peer = world.member(1)
    peer.speak()
    peer.play(3)
    assert (peer.stats.packets_valid, peer.stats.frames_clear) == (3, 3)


def test_after_a_downgrade_plaintext_is_right_and_after_the_upgrade_bad(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    first, _ = pair
    plain = world.plain(3)
    first.play(2)
    assert first.stats.packets_bad == {}
    plain.close(1000)
    world.run(3.0)
    first.play()
    assert first.stats.packets_bad == {"plaintext": 1}


def test_until_the_downgrade_is_executed_plaintext_is_bad(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    first, second = pair
    second.says_ready = False
    world.plain(3)
    first.play()
    assert first.stats.packets_bad == {"plaintext": 1}


def test_who_is_left_alone_may_speak_in_clear(
    world: DaveWorld, pair: tuple[DavePeer, DavePeer]
) -> None:
    first, second = pair
    second.close(1000)
    first.play()
    assert first.stats.packets_bad == {}


def test_recovery_is_no_excuse(world: DaveWorld, pair: tuple[DavePeer, DavePeer]) -> None:
    _, second = pair
    second.speak()
    second.hold()
    second.begin()
    second.play()
    assert second.stats.packets_bad == {"plaintext": 1}


def test_who_could_not_hear_op_22_is_not_blamed(world: DaveWorld) -> None:
    first = world.member(1)
    first.speak()
    first.hold()
    second = world.dave_peer(2)
    second.commits = False
    second.enter()
    # The first one commits, and loses its socket before the transition is executed.
    assert first.held is not None
    keep, first.held = first.held, None
    first.says_ready = False
    world.answers += keep
    world.drain()
    first.close(1006)
    world.run(5.0)
    assert second.executed == [1]
    first.play()
    assert first.stats.packets_bad == {}
    first.resume()
    first.play()
    assert first.stats.packets_bad == {}
    world.run(PLAINTEXT_GRACE + 0.1)
    first.play()
    assert first.stats.packets_bad == {"plaintext": 1}
