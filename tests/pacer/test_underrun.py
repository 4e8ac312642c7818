"""There is no frame when one is due: silence, a stop, an event. The clock is told."""

from voicekit._sender import SendEpoch
from voicekit.pacer import Finished, Pacer, StreamState, Underrun

from .rig import FRAME, MS, Live, Told, live, told, voice, voices


def starve(rig: Told, frames: int = 3) -> None:
    rig.stream.push_many(voices(frames))
    assert rig.numbers(frames * FRAME - 5 * MS) == list(range(frames))


def test_it_sends_five_frames_of_silence_and_stops(native: bool) -> None:
    with told(native) as rig:
        starve(rig)
        assert rig.stream.poll() is None
        out = rig.run(5000 * MS)
        assert [packet.number for _, packet in out] == [None] * 5
        assert [packet.sequence for _, packet in out] == [(65_530 + n) % 2**16 for n in range(3, 8)]
        assert rig.stream.poll() == Underrun(3)
        assert rig.stream.poll() is None
        assert rig.stream.state is StreamState.IDLE
        stats = rig.stream.stats()
        assert (stats.frames, stats.silence, stats.underruns) == (3, 5, 1)


def test_a_frame_that_comes_during_the_silence_takes_the_next_place(native: bool) -> None:
    with told(native) as rig:
        starve(rig)
        assert rig.numbers(2 * FRAME) == [None] * 2
        assert rig.stream.state is StreamState.STARVED
        rig.stream.push(voice(3))
        out = rig.run(10 * FRAME)
        assert [packet.number for _, packet in out] == [3] + [None] * 5
        first = rig.stream.first_deadline or 0
        assert out[0][0] == first + 5 * FRAME
        assert rig.stream.stats().underruns == 2


def test_after_the_silence_a_frame_begins_a_new_schedule(native: bool) -> None:
    with told(native) as rig:
        starve(rig)
        rig.run(1003 * MS)
        rig.stream.push_many(voices(3, 3))
        begin = rig.now
        out = rig.run(3 * FRAME)
        assert [packet.number for _, packet in out[:3]] == [3, 4, 5]
        assert 0 < out[0][0] - begin <= 2 * MS


def test_each_silence_goes_out_once(native: bool) -> None:
    """End-to-end encrypted ones have nonces of their own, which receivers take once."""
    dave = Numbering()
    with told(native, dave=dave) as rig:
        payloads = []
        for number in range(4):
            rig.stream.push(voice(number))
            payloads += [packet.payload for _, packet in rig.run(60 * MS)]  # some silence
            rig.stream.push(voice(10 + number))
            payloads += [packet.payload for _, packet in rig.run(400 * MS)]  # all of it
        assert len(payloads) > 4 * 7
        assert len(set(payloads)) == len(payloads)


def test_silence_is_encrypted_anew_every_128_frames(native: bool) -> None:
    """Receivers refuse nonces far behind the newest one (libdave: 1 000)."""
    dave = Numbering()
    with told(native, dave=dave, depth=1.0) as rig:
        for number in range(2000):
            rig.stream.push(voice(number))
            rig.run(FRAME)
        silence = [packet.payload for _, packet in rig.run(400 * MS)][-5:]
        numbers = [int.from_bytes(payload[-4:], "big") for payload in silence]
        assert numbers == sorted(numbers)
        assert dave.count - numbers[0] < 150


def test_finish_ends_with_what_waits_and_silence_without_an_underrun(native: bool) -> None:
    with told(native) as rig:
        rig.stream.push_many(voices(4))
        rig.stream.finish()
        assert rig.stream.state is StreamState.FINISHING
        assert rig.numbers(8 * FRAME) == [0, 1, 2, 3] + [None] * 4
        assert rig.stream.poll() is None
        assert rig.numbers(FRAME) == [None]
        assert rig.stream.poll() == Finished(4)
        assert rig.stream.state is StreamState.IDLE
        assert rig.stream.stats().underruns == 0
        assert rig.run(1000 * MS) == []


def test_finish_of_an_idle_stream_is_told_at_once(native: bool) -> None:
    with told(native) as rig:
        rig.stream.finish()
        assert rig.stream.poll() == Finished(0)
        assert rig.run(100 * MS) == []


def test_a_push_takes_the_end_back(native: bool) -> None:
    with told(native) as rig:
        starve(rig)
        rig.stream.finish()
        assert rig.numbers(2 * FRAME) == [None] * 2
        rig.stream.push(voice(3))
        rig.stream.push(voice(4))
        assert rig.numbers(3 * FRAME)[:2] == [3, 4]
        assert rig.stream.poll() == Underrun(5)
        assert rig.stream.poll() is None


class Numbering:
    """End-to-end encryption that appends a number to each frame, as a nonce would be."""

    max_version = 0
    version = 0
    gate = None

    def __init__(self) -> None:
        self.count = 0
        self.send_epoch = SendEpoch()

    def encrypt(self, opus: bytes, /) -> bytes | None:
        self.count += 1
        return opus + self.count.to_bytes(4, "big")


def test_a_live_stream_that_starves_says_so(pacer: Pacer) -> None:
    with live(pacer) as rig:
        assert isinstance(rig, Live)
        rig.stream.push(voice(0))
        assert [rig.listener.packet().number for _ in range(6)] == [0] + [None] * 5
        assert rig.stream.poll() == Underrun(1)
