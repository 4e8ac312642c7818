"""Frames and messages of a hostile peer or server, against the real libraries."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import voicekit
from tests.dave.call import Call
from voicekit.dave import DaveBackend, DaveMachine

OPUS = b"\xfc" + bytes(range(90))
BACKENDS = ["dave.py", "davey"]


def encrypted_call(backend: str) -> Call:
    call = Call(lambda user_id: backend)
    call.join(11)
    call.join(12)
    call.settle()
    call.now += 60.0  # receive passthrough is over
    for machine in call.machines.values():
        machine.handle_timeout(call.now)
    return call


@pytest.fixture(scope="module", params=BACKENDS)
def call(request: pytest.FixtureRequest) -> Call:
    return encrypted_call(request.param)


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    return [encrypted_call(backend) for backend in BACKENDS]


def opened(call: Call, frame: bytes) -> bytes | None:
    return call.machines[12].decrypt(11, frame, call.now)


def fresh(call: Call) -> bytes:
    frame = call.machines[11].encrypt(OPUS)
    assert frame is not None
    return frame


def test_a_frame_is_opened_once(call: Call) -> None:
    frame = fresh(call)
    assert opened(call, frame) == OPUS
    assert opened(call, frame) is None


@pytest.mark.parametrize("size", range(256))
def test_a_forged_supplemental_size_is_never_opus(call: Call, size: int) -> None:
    frame = fresh(call)
    if size != frame[-3]:
        assert opened(call, frame[:-3] + bytes((size,)) + frame[-2:]) is None


@pytest.mark.parametrize(
    "ranges",
    [b"\x00\x01", b"\x01\x01", b"\x7f\x7f", b"\xff\xff\xff\xff\x7f\x01", b"\x80" * 9 + b"\x01\x00"],
)
def test_forged_ranges_are_never_opus(call: Call, ranges: bytes) -> None:
    frame = fresh(call)
    body, size = frame[:-3], frame[-3]
    forged = body + ranges + bytes(((size + len(ranges)) & 0xFF,)) + frame[-2:]
    assert opened(call, forged) is None


@pytest.mark.parametrize("length", range(40))
def test_the_end_of_a_frame_is_never_opus(call: Call, length: int) -> None:
    assert opened(call, fresh(call)[-length:] if length else b"") is None


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=300))
def test_random_bytes_with_the_marker_are_never_opus(calls: list[Call], data: bytes) -> None:
    for call in calls:
        assert opened(call, data + b"\xfa\xfa") is None


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 200), bit=st.integers(0, 7))
def test_one_wrong_bit_is_never_other_opus(calls: list[Call], at: int, bit: int) -> None:
    for call in calls:
        frame = bytearray(fresh(call))
        frame[at % len(frame)] ^= 1 << bit
        assert opened(call, bytes(frame)) is None


# -- messages: in a process of their own, since what they might end is the process ---------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", range(2))
def test_hostile_messages_end_no_process(backend: str, seed: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(voicekit.__file__).parent.parent)}
    run = subprocess.run(
        [sys.executable, "-m", "tests.dave.hostile_messages", backend, str(seed), "1500"],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        cwd=Path(voicekit.__file__).parent.parent,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    tally = json.loads(run.stdout)
    assert tally["messages"] == 1500
    assert tally["recovered"]


# -- threads ------------------------------------------------------------------------------


class Guard:
    """A backend that refuses to be called from any thread but the connection's."""

    def __init__(self, backend: DaveBackend, home: int) -> None:
        self._guarded = (backend, home)

    def __getattr__(self, name: str) -> object:
        backend, home = self._guarded
        assert threading.get_ident() == home, name
        return getattr(backend, name)


class GuardedCall(Call):
    """All of its machines have guarded backends."""

    def __init__(self, home: int, backend: str) -> None:
        super().__init__(lambda user_id: backend)
        self._home = home

    def make_backend(self, user_id: int) -> DaveBackend:
        return cast(DaveBackend, Guard(super().make_backend(user_id), self._home))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_backend_is_called_from_the_connections_own_thread_only(backend: str) -> None:
    """Getters and statistics may be read from anywhere: they must not reach the library."""
    home = threading.get_ident()
    call = GuardedCall(home, backend)
    call.join(11)
    call.join(12)
    call.settle()
    failures: list[BaseException] = []

    def look(machine: DaveMachine) -> None:
        try:
            found = (machine.version, machine.encrypted, machine.epoch, machine.privacy_code)
            assert found[0] == 1
            assert machine.members == (11, 12)
            assert machine.counts["transitions"] == 1
            assert machine.generation
            assert machine.next_timeout() is None
            assert repr(machine)
        except BaseException as error:
            failures.append(error)

    for machine in call.machines.values():
        thread = threading.Thread(target=look, args=(machine,))
        thread.start()
        thread.join()
    assert failures == []
    call.assert_everybody_hears_everybody()
