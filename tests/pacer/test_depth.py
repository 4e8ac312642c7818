"""How much may wait, and what is not taken."""

import pytest

from voicekit import LocalProtocolError, RtpSession
from voicekit.pacer import MAX_DEPTH, Pacer, StreamState

from .rig import FRAME, MS, Live, live, told, voice, voices


@pytest.mark.parametrize(
    ("depth", "frames"), [(0.02, 1), (0.06, 3), (0.1, 5), (0.11, 6), (1.0, 50)]
)
def test_depth_bounds_what_waits(native: bool, depth: float, frames: int) -> None:
    with told(native, depth=depth) as rig:
        assert rig.stream.room == frames
        assert rig.stream.push_many(voices(60)) == frames
        assert not rig.stream.push(voice(60))
        assert (rig.stream.room, rig.stream.queued) == (0, frames)
        assert rig.stream.queued_seconds == pytest.approx(frames / 50)
        rig.run(3 * MS)
        assert rig.stream.push(voice(60))
        assert not rig.stream.push(voice(61))


@pytest.mark.parametrize("depth", [0.0, -1.0, 1.01, float("nan"), float("inf")])
def test_a_depth_that_makes_no_sense_is_refused(pacer: Pacer, depth: float) -> None:
    with pytest.raises(ValueError, match="depth"), live(pacer, depth=depth):
        pass


def test_the_deepest_stream_of_the_shortest_frames(native: bool) -> None:
    """400 frames of 2.5 ms: the ring grows, and nothing is lost or out of order."""
    with told(native, depth=MAX_DEPTH) as rig:
        frames = [voice(number, 120) for number in range(500)]
        assert rig.stream.push_many(frames[:300]) == 300
        out = rig.numbers(500 * MS)
        taken = 300 + rig.stream.push_many(frames[300:])
        out += rig.numbers(2000 * MS)
        assert out[:taken] == list(range(taken))
        assert out[taken:] == [None] * 5
        assert taken == 500


def test_what_is_pushed_from_an_iterator_can_go_on_from_where_it_was_full(native: bool) -> None:
    source = iter(voices(12))
    with told(native) as rig:
        out = []
        for _ in range(3):
            rig.stream.push_many(source)
            out += rig.numbers(5 * FRAME)
        assert out == [*range(12), None, None, None]


def test_fill_reads_until_it_is_full_and_finishes_at_the_end(native: bool) -> None:
    source = iter(voices(12))
    with told(native) as rig:
        assert rig.stream.fill(lambda: next(source, None)) == 5
        assert rig.stream.fill(lambda: next(source, None)) == 0
        out = rig.numbers(5 * FRAME)
        assert rig.stream.fill(lambda: next(source, None)) == 5
        out += rig.numbers(5 * FRAME)
        assert rig.stream.state is StreamState.PLAYING
        assert rig.stream.fill(lambda: next(source, None)) == 2
        assert rig.stream.state is StreamState.FINISHING
        out += rig.numbers(20 * FRAME)
        assert out == [*range(12)] + [None] * 5


JUNK = {"empty": b"", "cut": b"\xff", "huge": b"\xfc" + bytes(70_000)}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_what_is_no_opus_packet_is_dropped_and_counted(native: bool, junk: bytes) -> None:
    with told(native) as rig:
        assert rig.stream.push(voice(0))
        assert rig.stream.push(junk)
        assert rig.stream.push(voice(1))
        assert rig.numbers(3 * FRAME)[:2] == [0, 1]
        assert rig.session.drops == {"bad_frame": 1}


def test_buffers_are_copied(native: bool) -> None:
    with told(native) as rig:
        buffer = bytearray(voice(7))
        rig.stream.push(buffer)
        buffer[:] = bytes(len(buffer))
        assert rig.numbers(FRAME) == [7]


def test_a_session_without_a_key_is_refused(pacer: Pacer) -> None:
    with live(pacer) as rig, pytest.raises(LocalProtocolError, match="no key"):
        pacer.add(RtpSession(1), rig.sock)


def test_a_session_is_lent_once_and_taken_back(pacer: Pacer) -> None:
    rig = Live(pacer)
    assert rig.session.is_lent
    with pytest.raises(LocalProtocolError):
        pacer.add(rig.session, rig.sock)
    with pytest.raises(LocalProtocolError):
        rig.session.seal(voice(0))
    rig.stream.remove()
    assert not rig.session.is_lent
    rig.session.seal(voice(0))
    again = pacer.add(rig.session, rig.sock)
    again.push(voice(1))
    assert rig.listener.packet().number == 1
    again.remove()
    rig.close()


def test_a_removed_stream_takes_nothing(pacer: Pacer) -> None:
    rig = Live(pacer)
    rig.stream.push(voice(0))
    rig.close()
    assert rig.stream.state is StreamState.REMOVED
    assert rig.stream.is_removed
    for call in (
        lambda: rig.stream.push(voice(1)),
        rig.stream.finish,
        rig.stream.pause,
        rig.stream.resume,
        rig.stream.stop,
        rig.stream.discard,
        rig.stream.rebind,
    ):
        with pytest.raises(LocalProtocolError, match="removed"):
            call()
    rig.stream.remove()  # once more does nothing
    assert rig.stream.poll() is None


def test_a_closed_pacer_takes_no_stream(native: bool) -> None:
    with Pacer(native=native) as pacer:
        rig = Live(pacer)
    assert rig.stream.is_removed
    with pytest.raises(LocalProtocolError, match="closed"):
        pacer.add(rig.session, rig.sock)
    pacer.close()
    rig.close()
