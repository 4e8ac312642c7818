"""The benchmark of calls: what counts as held, and a handful of real calls."""

from typing import Any

import pytest

pytest.importorskip("voicekit.net._relay", reason="kernel time stamps: Linux only")

from bench.groups.calls import Found, measure_one, workers
from bench.processes.process import started

FINE = {
    "duplex": True,
    "heard_per_second": 500.0,
    "underruns": 0,
    "failures": 0,
    "unsent": 0,
}


def found(p99: float = 0.5, **changes: Any) -> Found:
    return Found(10, 60_000.0, FINE | changes, {"p99": p99})


def test_calls_that_are_punctual_and_whole_are_held() -> None:
    assert found().is_held
    assert found(p99=2.0).is_held
    assert found(duplex=False, heard_per_second=0.0).is_held


@pytest.mark.parametrize(
    "changes",
    [
        {"p99": 2.01},
        {"underruns": 1},
        {"failures": 1},
        {"unsent": 1},
        {"heard_per_second": 400.0},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_calls_that_are_late_dry_lost_or_unheard_are_not(changes: dict[str, Any]) -> None:
    assert not found(**changes).is_held


@pytest.mark.parametrize("duplex", [False, True], ids=["sending", "full duplex"])
def test_calls_join_groups_play_hear_each_other_and_change(duplex: bool) -> None:
    calls = measure_one(4, 1.2, duplex=duplex)
    load = calls.load
    assert (load["calls"], load["failures"]) == (4, 0)
    assert len(load["deadlines"]) > 4, "one has joined meanwhile"
    assert calls.wire["packets"] > 100
    assert (load["heard_per_second"] > 100) is duplex
    assert calls.bytes_per_call > 0


def test_a_second_process_sends_for_as_many_calls_again() -> None:
    one, two = workers(2, 0.5)
    assert one.value > 0
    assert two.value > 0
    assert "4 calls" in two.note


@pytest.mark.parametrize("what", ["RtpSession", "VoiceConnection in a group", "stream"])
def test_things_are_weighed(what: str) -> None:
    with started("bench.processes.weights", None, what=what, count=20) as process:
        assert 0 <= process.answer()["bytes"] < 1 << 20
