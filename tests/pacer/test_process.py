"""The life of the pacer's thread: starts, ends, forks and the end of the interpreter."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from voicekit import LocalProtocolError
from voicekit.pacer import Pacer, process_pacer
from voicekit.pacer._native import AVAILABLE

from .rig import NAMES, PACERS, Live, eventually, live, voice, voices

ROOT = Path(__file__).parents[2]


TASKS = Path("/proc/self/task")
linux = pytest.mark.skipif(not TASKS.exists(), reason="only Linux lists the threads")


def threads_of_this_process() -> set[int]:
    return {int(task.name) for task in TASKS.iterdir()}


def new_threads(before: set[int]) -> int:
    return len(threads_of_this_process() - before)  # those of before may end meanwhile


def run(script: str, *arguments: str) -> str:
    """Run a program that must end by itself, well, and without a word of complaint."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", script, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


#: A pacer with a stream that is in the middle of 50 frames.
BUSY = """
import gc, os, signal, sys, threading
from tests.pacer.rig import Live, voice, voices
from voicekit.pacer import Pacer, process_pacer
native = sys.argv[1] == "native"
pacer = Pacer(native=native)
rig = Live(pacer, depth=1.0)
rig.stream.push_many(voices(50))
rig.listener.packet()
"""


@pytest.fixture(params=PACERS, ids=NAMES.get)
def kind(request: pytest.FixtureRequest) -> str:
    return NAMES[request.param]


@linux
def test_the_thread_starts_with_the_first_stream_and_ends_with_close(native: bool) -> None:
    before = threads_of_this_process()
    pacer = Pacer(native=native)
    assert new_threads(before) == 0
    rig = Live(pacer)
    other = Live(pacer, ssrc=9)
    assert new_threads(before) == 1
    pacer.close()
    eventually(lambda: new_threads(before) == 0)  # /proc lags behind
    rig.close()
    other.close()


def test_close_in_the_middle_of_frames(native: bool) -> None:
    for _ in range(20):
        pacer = Pacer(native=native)
        rigs = [Live(pacer, ssrc=n, depth=1.0) for n in range(1, 6)]
        for rig in rigs:
            rig.stream.push_many(voices(50))
        rigs[0].listener.packet()
        pacer.close()
        for rig in rigs:
            rig.listener.packets()
            assert rig.stream.is_removed
            assert not rig.session.is_lent
            rig.close()


def test_the_interpreter_ends_in_the_middle_of_frames(kind: str) -> None:
    run(BUSY + "rig.sock.close(); rig.listener.close()", kind)


def test_the_interpreter_ends_with_an_exception_while_others_push(kind: str) -> None:
    script = """
def push():
    try:
        while True:
            rig.stream.push(voice(1))
    except Exception:
        pass
thread = threading.Thread(target=push, daemon=True)
thread.start()
rig.listener.packet()
rig.sock.close()
rig.listener.close()
print("end")
"""
    assert run(BUSY + script, kind) == "end\n"


def test_a_pacer_that_is_forgotten_goes_on_until_the_end(kind: str) -> None:
    script = """
stream, listener = rig.stream, rig.listener
rig.sock.close()
del rig, pacer
gc.collect()
print([listener.packet().number for _ in range(49)] == [*range(1, 50)])
listener.close()
"""
    assert run(BUSY + script, kind) == "True\n"


def test_a_child_has_none_of_it_and_the_parent_goes_on(kind: str) -> None:
    script = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 on: fork beside threads
child = os.fork()
if child == 0:
    code = 0
    try:
        rig.stream.push(voice(1))
        code |= 1
    except Exception:
        pass
    code |= 2 * (not rig.stream.is_removed)
    code |= 4 * (not rig.session.is_lent)   # or it would repeat the parent's nonces
    code |= 8 * (threading.active_count() != 1)
    pacer.close()
    fresh = Live(Pacer(native=native), ssrc=2)
    fresh.stream.push(voice(7))
    code |= 16 * (fresh.listener.packet().number != 7)
    process = process_pacer()
    other = Live(process, ssrc=3)
    other.stream.push(voice(8))
    code |= 32 * (other.listener.packet().number != 8)
    process.close()
    os._exit(code)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status))
print([rig.listener.packet().number for _ in range(54)] == [*range(1, 50)] + [None] * 5)
rig.close()
"""
    assert run(BUSY + script, kind) == "0\nTrue\n"


def test_forks_at_any_moment(kind: str) -> None:
    """Children are made while others push, pause and remove; none hangs in a lock."""
    script = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
stop = threading.Event()
def churn():
    while not stop.is_set():
        other = Live(pacer, ssrc=2, depth=1.0)
        other.stream.push_many(voices(10))
        other.stream.pause()
        other.stream.state
        other.close()
thread = threading.Thread(target=churn)
thread.start()
for _ in range(15):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        pacer.close()
        fresh = Live(process_pacer(), ssrc=3)
        fresh.stream.push(voice(7))
        fresh.listener.packet()
        process_pacer().close()
        os._exit(0)
    print(os.waitpid(child, 0)[1])
stop.set()
thread.join()
rig.close()
"""
    assert run(BUSY + script, kind) == "0\n" * 15


def test_the_process_has_one_pacer() -> None:
    script = """
from voicekit.pacer import process_pacer
first = process_pacer()
assert process_pacer() is first
first.close()
assert process_pacer() is not first
print(process_pacer().native)
"""
    assert run(script) == f"{AVAILABLE}\n"


def test_signals_are_not_for_its_thread(kind: str) -> None:
    """They go to the main thread, where Python waits for them."""
    script = """
heard = []
signal.signal(signal.SIGUSR1, lambda *_: heard.append(threading.get_ident()))
for _ in range(50):
    os.kill(os.getpid(), signal.SIGUSR1)
print(set(heard) == {threading.main_thread().ident})
rig.close()
"""
    assert run(BUSY + script, kind) == "True\n"


@pytest.mark.skipif(not AVAILABLE, reason="this build has no native pacer")
@linux
def test_one_pacer_per_core_is_pinned_to_it() -> None:
    before = threads_of_this_process()
    cpus = sorted(os.sched_getaffinity(0))
    pacers = [Pacer(cpu=cpu) for cpu in cpus]
    for cpu, pacer in zip(cpus, pacers, strict=True):
        with live(pacer) as rig:
            (thread,) = threads_of_this_process() - before
            assert os.sched_getaffinity(thread) == {cpu}
            rig.stream.push(voice(cpu))
            assert rig.listener.packet().number == cpu
        pacer.close()
        eventually(lambda: new_threads(before) == 0)


@pytest.mark.skipif(not AVAILABLE, reason="this build has no native pacer")
def test_a_processor_that_does_not_exist_is_refused() -> None:
    with Pacer(cpu=1 << 20) as pacer, pytest.raises(OSError, match="processor"), live(pacer):
        pass
    with pytest.raises(LocalProtocolError, match="native"):
        Pacer(native=False, cpu=0)


@pytest.mark.skipif(not AVAILABLE, reason="this build has no native pacer")
@linux
def test_real_time_for_those_who_may() -> None:
    before = threads_of_this_process()
    with Pacer(realtime=True) as pacer:
        try:
            rig = Live(pacer)
        except PermissionError:
            pytest.skip("we may not")
        (thread,) = threads_of_this_process() - before
        assert os.sched_getscheduler(thread) == os.SCHED_RR
        rig.stream.push(voice(0))
        assert rig.listener.packet().number == 0
        rig.close()


@pytest.mark.skipif(not AVAILABLE, reason="this build has no native pacer")
@linux
def test_real_time_is_refused_in_words_to_those_who_may_not() -> None:
    script = """
import os, resource
from tests.pacer.rig import Live
from voicekit.pacer import Pacer
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
if os.geteuid() == 0:
    os.setuid(65534)
pacer = Pacer(realtime=True)
try:
    Live(pacer)
except PermissionError as error:
    print("RLIMIT_RTPRIO" in str(error), pacer.stats().streams)
"""
    assert run(script) == "True 0\n"
    with pytest.raises(LocalProtocolError, match="native"):
        Pacer(native=False, realtime=True)


@pytest.mark.skipif(AVAILABLE, reason="this build has a native pacer")
def test_a_build_without_threads_says_so() -> None:
    with pytest.raises(LocalProtocolError, match="native=False"):
        Pacer(native=True)
    assert not process_pacer().native


def test_a_thread_of_the_user_that_ends_leaves_its_streams_alone(pacer: Pacer) -> None:
    rigs: list[Live] = []

    def work() -> None:
        rigs.append(Live(pacer, depth=1.0))
        rigs[0].stream.push_many(voices(5))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [rigs[0].listener.packet().number for _ in range(5)] == [*range(5)]
    rigs[0].close()
