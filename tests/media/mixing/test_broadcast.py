"""One source for several calls: read once, encoded once, and nobody waits for anybody."""

import threading
from typing import TYPE_CHECKING

import pytest

from tests.media.mixing.tones import Tone
from voicekit.errors import MediaError
from voicekit.media import Broadcast, BroadcastListener, EncoderOptions, Mixer, PushSource

if TYPE_CHECKING:
    from voicekit.opus import Encoder


class Numbers:
    """Frames that say which they are; may fail at one."""

    def __init__(self, count: int, fails_at: int | None = None) -> None:
        self.reads = 0
        self._count = count
        self._fails_at = fails_at

    def read(self) -> bytes | None:
        self.reads += 1
        if self.reads - 1 == self._fails_at:
            raise MediaError("the stream broke off")
        return None if self.reads > self._count else self.reads.to_bytes(4, "big")


def numbers(listener: BroadcastListener, most: int = 10_000) -> list[int]:
    read: list[int] = []
    while len(read) < most and (frame := listener.read()) is not None:
        read.append(int.from_bytes(frame, "big"))
    return read


def test_all_get_the_same_bytes_and_the_source_is_read_once() -> None:
    source = Numbers(90)
    broadcast = Broadcast(source)
    listeners = [broadcast.listen() for _ in range(3)]
    heard: list[list[int]] = [[], [], []]
    for turn in range(30):
        for n in range(3):  # each time another is the first
            heard[n - turn % 3] += numbers(listeners[n - turn % 3], 3)
    assert heard == [list(range(1, 91))] * 3
    assert [listener.read() for listener in listeners] == [None] * 3
    assert source.reads == 91
    assert broadcast.frames_read == 90


def test_it_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    class Counting:
        def __init__(self, encoder: "Encoder") -> None:
            self._encoder = encoder

        def encode(self, pcm: bytes) -> bytes:
            nonlocal calls
            calls += 1
            return self._encoder.encode(pcm)

    make = EncoderOptions.make
    monkeypatch.setattr(EncoderOptions, "make", lambda options: Counting(make(options)))
    broadcast = Broadcast(Mixer(Tone(500, 40), Tone(850, 40)))
    listeners = [broadcast.listen() for _ in range(5)]
    heard = [list(iter(listener.read, None)) for listener in listeners]
    assert calls == 40
    assert all(packets == heard[0] for packets in heard)


def test_who_stops_holds_nobody_up_and_costs_no_memory() -> None:
    broadcast = Broadcast(Numbers(10_000), kept=1.0)
    quick, paused = broadcast.listen(), broadcast.listen()
    assert numbers(paused, 5) == [1, 2, 3, 4, 5]
    assert numbers(quick, 5_000)[-1] == 5_000
    assert len(broadcast._kept) == 50
    assert numbers(paused, 3) == [5_000, 5_001, 5_002], "at the newest, and on"
    assert paused.missed == 4_994
    assert numbers(quick, 2) == [5_001, 5_002]
    assert quick.missed == 0


def test_who_is_late_by_less_than_is_kept_misses_nothing() -> None:
    broadcast = Broadcast(Numbers(100), kept=1.0)
    quick, slow = broadcast.listen(), broadcast.listen()
    numbers(quick, 50)
    assert numbers(slow) == list(range(1, 101))
    assert numbers(quick) == list(range(51, 101))
    assert (quick.missed, slow.missed) == (0, 0)


def test_who_comes_later_hears_it_from_there_on() -> None:
    broadcast = Broadcast(Numbers(20))
    numbers(broadcast.listen(), 8)
    late = broadcast.listen()
    assert numbers(late) == list(range(9, 21))
    assert late.missed == 0


def test_a_fault_reaches_each_after_what_came_before() -> None:
    broadcast = Broadcast(Numbers(20, fails_at=4))
    for listener in [broadcast.listen(), broadcast.listen()]:
        assert numbers(listener, 4) == [1, 2, 3, 4]
        for _ in range(2):
            with pytest.raises(MediaError, match="broke off"):
                listener.read()


def test_leaving_ends_one_and_closing_all() -> None:
    tone = Tone(500, 20)
    broadcast = Broadcast(tone)
    one, two = broadcast.listen(), broadcast.listen()
    assert one.read() == two.read()
    one.close()
    one.close()
    assert one.read() is None
    assert two.read() is not None
    broadcast.close()
    broadcast.close()
    assert two.read() is None
    assert tone.times_closed == 1
    assert broadcast.listen().read() is None


def test_the_encoder_expects_the_worst_of_the_reported_losses() -> None:
    reported: list[float] = []

    class Reported(Tone):
        def report_loss(self, fraction: float) -> None:
            reported.append(fraction)

    broadcast = Broadcast(Reported(500, 5))
    one, two = broadcast.listen(), broadcast.listen()
    one.report_loss(0.02)
    two.report_loss(0.1)
    one.report_loss(0.05)
    two.close()
    two.report_loss(0.5)
    one.close()
    assert reported == [0.02, 0.1, 0.1, 0.05, 0.0]


def test_a_listener_is_what_the_source_is() -> None:
    pushed = Broadcast(PushSource()).listen()
    assert (pushed.live, pushed.blocking, pushed.passthrough) == (True, False, False)
    assert pushed.duration is None
    plain = Broadcast(Numbers(1)).listen()
    assert (plain.live, plain.blocking, plain.passthrough) == (False, True, False)
    plain.report_loss(0.1)  # a source that does not want to know


@pytest.mark.parametrize("kept", [0, 0.5, 61, float("nan")])
def test_what_is_kept_is_bounded(kept: float) -> None:
    with pytest.raises(ValueError, match="kept is 1 to 60 seconds"):
        Broadcast(Numbers(1), kept=kept)


def test_calls_in_threads_of_their_own_hear_the_same() -> None:
    source = Numbers(2_000)
    broadcast = Broadcast(source, kept=60)
    listeners = [broadcast.listen() for _ in range(4)]
    heard: list[list[int]] = [[] for _ in listeners]

    def play(n: int) -> None:
        heard[n] = numbers(listeners[n])

    threads = [threading.Thread(target=play, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == [list(range(1, 2_001))] * 4
    assert source.reads == 2_001


def test_a_source_that_stalls_keeps_nobody_from_what_is_there() -> None:
    asked, go_on = threading.Event(), threading.Event()

    class Stalling(Numbers):
        def read(self) -> bytes | None:
            if self.reads == 10:
                asked.set()
                go_on.wait(20)
            return super().read()

    broadcast = Broadcast(Stalling(20))
    first, behind = broadcast.listen(), broadcast.listen()
    numbers(first, 10)
    waiting = threading.Thread(target=first.read)
    waiting.start()
    assert asked.wait(20)
    assert numbers(behind, 10) == list(range(1, 11))
    go_on.set()
    waiting.join()
    assert numbers(behind, 2) == [11, 12]
