"""Pause, resume, discard, stop: each within one frame. The clock is told."""

import pytest

from voicekit.pacer import Finished, StreamState

from .rig import FRAME, MS, told, voice, voices


def test_pause_keeps_what_is_not_sent_and_ends_in_silence(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push_many(voices(5))
        assert rig.numbers(30 * MS) == [0, 1]
        rig.stream.pause()
        assert rig.stream.state is StreamState.PAUSED
        assert rig.numbers(FRAME) == [None]
        assert rig.numbers(1000 * MS) == [None] * 4
        assert rig.stream.queued == 3
        rig.stream.resume()
        assert rig.numbers(3 * FRAME - 5 * MS) == [2, 3, 4]
        assert rig.stream.stats().underruns == 0


def test_resume_during_the_silence_goes_on_with_the_next_frame(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push_many(voices(5))
        rig.run(30 * MS)
        rig.stream.pause()
        assert rig.numbers(2 * FRAME) == [None] * 2
        rig.stream.resume()
        assert rig.numbers(3 * FRAME) == [2, 3, 4]


def test_every_pause_has_its_five_frames_of_silence(native: bool) -> None:
    with told(native, depth=1.0) as rig:
        rig.stream.push_many(voices(20))
        for _ in range(5):
            rig.run(2 * FRAME)
            rig.stream.pause()
            rig.stream.pause()
            assert rig.numbers(200 * MS) == [None] * 5
            rig.stream.resume()
            rig.stream.resume()
        assert rig.stream.stats().silence == 25


def test_a_paused_stream_takes_frames_up_to_its_depth(native: bool) -> None:
    with told(native) as rig:
        rig.stream.pause()
        assert rig.stream.push_many(voices(9)) == 5
        assert rig.run(500 * MS) == []
        rig.stream.resume()
        assert rig.numbers(4 * FRAME + 5 * MS) == [0, 1, 2, 3, 4]


def test_what_is_pushed_while_held_begins_together(native: bool) -> None:
    with told(native) as rig:
        rig.stream.hold()
        for voice_ in voices(2):
            rig.stream.push(voice_)
            assert rig.run(100 * MS) == []
        rig.stream.push_many(voices(5)[2:4])
        assert rig.run(100 * MS) == []
        rig.stream.release()
        rig.stream.release()
        assert rig.numbers(4 * FRAME) == [0, 1, 2, 3]
        assert rig.stream.stats().underruns == 0


def test_what_plays_already_is_not_held(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push_many(voices(2))
        rig.run(5 * MS)
        rig.stream.hold()
        rig.stream.push(voice(2))
        assert rig.numbers(2 * FRAME) == [1, 2]
        rig.stream.release()


def test_a_source_of_many_frames_begins_when_all_that_fit_are_there(native: bool) -> None:
    with told(native) as rig:

        def read() -> bytes | None:
            assert rig.run(FRAME) == [], "read slowly: each takes a frame's time"
            return next(frames, None)

        frames = iter(voices(3))
        assert rig.stream.fill(read) == 3
        assert rig.numbers(3 * FRAME) == [0, 1, 2]


def test_discard_gives_back_what_was_pushed_in_order(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push_many(voices(5))
        rig.run(FRAME + 5 * MS)
        assert rig.stream.position == 2
        assert rig.stream.discard() == voices(3, 2)
        assert (rig.stream.queued, rig.stream.room) == (0, 5)
        assert rig.stream.discard() == []


@pytest.mark.parametrize("keep", [0, 1, 2, 3, 9])
def test_discard_keeps_the_next_frames(native: bool, keep: int) -> None:
    with told(native) as rig:
        rig.stream.push_many(voices(5))
        rig.run(FRAME + 5 * MS)
        assert rig.stream.discard(keep) == voices(5)[2 + keep :]
        assert rig.numbers(20 * FRAME) == [2, 3, 4][:keep] + [None] * 5
        with pytest.raises(ValueError, match="keep"):
            rig.stream.discard(-1)


def test_a_change_of_volume_is_heard_within_two_frames_and_nothing_runs_dry(native: bool) -> None:
    with told(native, depth=1.0) as rig:
        rig.stream.push_many(voices(50))
        for after in (1, 7, 19):  # wherever in the frame it comes
            rig.run(3 * FRAME + after * MS)
            changed = rig.now
            louder = [frame[:-1] + bytes([after]) for frame in rig.stream.discard(keep=1)]
            assert rig.stream.push_many(louder) == len(louder)
            out = rig.run(3 * FRAME)
            times = [when for when, packet in out if packet.payload[-1] == after]
            assert 0 < times[0] - changed <= 2 * FRAME
        assert rig.stream.stats().underruns == 0
        numbers = rig.numbers(100 * FRAME)
        assert numbers[-5:] == [None] * 5
        assert rig.stream.sent == 50


def test_a_swap_goes_on_at_the_exact_position(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push_many(voices(5))
        out = rig.numbers(2 * FRAME - 5 * MS)
        discarded = rig.stream.discard()
        assert rig.stream.position + len(discarded) == 5
        assert rig.stream.push_many(voices(2, 100)) == 2  # something else for a while
        out += rig.numbers(2 * FRAME)
        rig.stream.push_many(discarded)
        out += rig.numbers(3 * FRAME)
        assert out == [0, 1, 100, 101, 2, 3, 4]


def test_stop_discards_and_ends_in_silence_within_a_frame(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push_many(voices(5))
        rig.run(FRAME + 5 * MS)
        stopped = rig.now
        assert rig.stream.stop() == voices(3, 2)
        out = rig.run(500 * MS)
        assert [packet.number for _, packet in out] == [None] * 5
        assert out[0][0] - stopped <= FRAME
        assert rig.stream.poll() == Finished(2)
        assert rig.stream.poll() is None
        rig.stream.push(voice(7))
        assert rig.numbers(5 * MS) == [7]


def test_stop_of_a_paused_stream_finishes(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push_many(voices(5))
        rig.run(5 * MS)
        rig.stream.pause()
        assert rig.numbers(1000 * MS) == [None] * 5
        rig.stream.stop()
        assert rig.run(100 * MS) == []
        assert rig.stream.poll() == Finished(1)
        assert rig.stream.state is StreamState.IDLE


def test_finish_while_paused_waits_for_resume(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push_many(voices(2))
        rig.stream.pause()
        rig.stream.finish()
        assert rig.run(500 * MS) == []
        assert rig.stream.poll() is None
        rig.stream.resume()
        assert rig.numbers(500 * MS) == [0, 1] + [None] * 5
        assert rig.stream.poll() == Finished(2)
