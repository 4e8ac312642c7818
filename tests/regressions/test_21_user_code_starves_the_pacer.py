"""User code that computes without pause, and the audio of the same process.

discord.py PR#6507, PR#9288: "a 50 ms gap, ever, is noticeable"; the sending thread waits for
the GIL. Item 21 of the list of what users suffer from. The native pacer needs no GIL, and a
ring deep enough for the pauses of the pushing program never runs dry. No time is asserted:
that is for the benchmark (`python -m bench pacing --hog`).
"""

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.pacer.rig import Live, live, voices
from voicekit.pacer import Pacer
from voicekit.pacer._native import AVAILABLE


@pytest.fixture
def hog() -> Iterator[threading.Event]:
    """A thread that never lets go of the GIL by itself."""
    computing, stop = threading.Event(), threading.Event()

    def compute() -> None:
        total = 0
        computing.set()
        while not stop.is_set():
            for number in range(100_000):
                total += number * number

    thread = threading.Thread(target=compute)
    thread.start()
    assert computing.wait(30)
    yield computing
    stop.set()
    thread.join()


def assert_it_was_played(rigs: list[Live]) -> None:
    for rig in rigs:
        packets = [rig.listener.packet() for _ in range(55)]
        assert [packet.number for packet in packets] == [*range(50)] + [None] * 5
        stats = rig.stream.stats()
        assert (stats.underruns, stats.skipped, stats.unsent) == (0, 0, 0)


@pytest.mark.parametrize("native", [True, False] if AVAILABLE else [False])
def test_discordpy_9288_all_frames_go_out_in_order(hog: threading.Event, native: bool) -> None:
    with Pacer(native=native) as pacer:
        rigs = [Live(pacer, ssrc=n, depth=1.0) for n in range(1, 11)]
        for rig in rigs:
            rig.stream.push_many(voices(50))
            rig.stream.finish()
        assert_it_was_played(rigs)
        for rig in rigs:
            rig.close()


@pytest.mark.skipif(not AVAILABLE, reason="this build has no native pacer")
def test_discordpy_6507_it_plays_on_while_nobody_else_gets_the_interpreter() -> None:
    """The GIL is held from the first frame to the last: C code that does not release it."""
    # A pattern that backtracks for seconds, in one call of C.
    script = """
import re, time
from tests.pacer.rig import Live, voices
from voicekit.pacer import Pacer
pacer = Pacer(native=True)
rig = Live(pacer, depth=1.0)
rig.stream.push_many(voices(50))
rig.stream.finish()
size, taken = 18, 0.0
while taken < 1.5:      # on any machine: longer than all that is in the ring
    begin = time.monotonic()
    re.match(r"(a+)+$", "a" * size + "b")
    taken = time.monotonic() - begin
    size += 1
print(rig.stream.sent, rig.stream.stats().silence, rig.stream.stats().underruns)
rig.close()
pacer.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "50 5 0\n"


def test_the_feeder_may_pause_for_as_long_as_the_ring_is_deep() -> None:
    with Pacer() as pacer, live(pacer, depth=1.0) as rig:
        assert rig.stream.push_many(voices(50)) == 50
        while rig.listener.packet().number != 40:
            pass
        rig.stream.push_many(voices(5, 50))
        numbers = [rig.listener.packet().number for _ in range(14)]
        assert numbers == [*range(41, 55)]
