"""Punctuality: a thousand streams at a receiver in another process, and what a busy Python does.

Lateness is taken by the kernel's time stamps at the receiver, against deadlines that are fixed
at the start; and beside it at the sender, after the send returned. The sender has one core, the
receiver another one. All ways seal with the same session; who waits for the deadlines differs.
"""

from collections.abc import Iterator
from typing import Any

from ..options import Options
from ..processes.process import core_pair, started
from ..results import Row

__all__ = ["LIMIT", "run", "send_alone"]

GROUP = "pacing"
STREAMS, HOGGED_STREAMS = 1000, 100
#: Seconds of audio in a ring: the default, and what is meant for user code that computes.
DEPTH, HOGGED_DEPTH = 0.1, 0.5
#: How others send, for how long at most (seconds): they do not get better with time.
OTHERS = {
    "threads": "a thread for each stream",
    "asyncio": "a task of asyncio for each stream",
}
OTHERS_DURATION = 10.0
QUICK, QUICK_OTHERS = 2.0, 0.7
LIMIT = "C: a loop that sleeps and sends"


def run(options: Options) -> Iterator[Row]:
    """Without and with a thread that computes without pause."""
    if not options.hog:
        yield from _compare(options, f"{STREAMS} streams", STREAMS, DEPTH, hog=False)
    hogged = f"{HOGGED_STREAMS} streams beside a thread that computes"
    yield from _compare(options, hogged, HOGGED_STREAMS, HOGGED_DEPTH, hog=True)


def _compare(
    options: Options, label: str, streams: int, depth: float, *, hog: bool
) -> Iterator[Row]:
    seconds = QUICK if options.quick else options.duration
    wire, found = _measure("pacer", streams, seconds, depth, hog)
    least, spent = send_alone(streams, seconds, hog=hog)
    ours = wire["p99"]
    yield Row(
        GROUP,
        f"{label}: lateness at the receiver, p99",
        ours,
        "ms",
        limit=least["p99"],
        limit_name=LIMIT,
        budget="hog p99" if hog else "pacing p99",
        points=_points(wire),
        note=f"{wire['packets']:.0f} packets; {LIMIT}: {_in_words(least)}",
    )
    yield Row(
        GROUP,
        f"{label}: lateness after the send, p99",
        found["lateness"]["p99"],
        "ms",
        note=f"p50 {found['lateness']['p50']:.3f} ms, max {found['lateness']['max']:.1f} ms",
    )
    if hog:
        yield Row(
            GROUP,
            f"{label}: how often a ring of {depth * 1000:.0f} ms ran dry",
            found["underruns"],
            "times",
        )
    else:
        yield Row(
            GROUP,
            f"{label}: processor time, feeding included",
            found["cpu"] * 100,
            "%",
            limit=spent["cpu"] * 100,
            limit_name=LIMIT,
            budget="pacing cpu",
            note=f"the pacer's thread alone: {found['thread_cpu'] * 100:.1f} %",
        )
    for way, what in OTHERS.items():
        if options.quick and (hog or way == "asyncio"):
            continue
        seconds = QUICK_OTHERS if options.quick else min(OTHERS_DURATION, options.duration)
        wire, found = _measure(way, streams, seconds, depth, hog)
        yield Row(
            GROUP,
            f"{label}: lateness at the receiver, p99",
            wire["p99"],
            "ms",
            ours=ours,
            peer=what,
            points=_points(wire),
            note="" if hog else f"{found['cpu'] * 100:.0f} % of a core",
        )


def send_alone(
    streams: int, seconds: float, *, hog: bool = False
) -> tuple[dict[str, float], dict[str, Any]]:
    """Return what `LIMIT` is like with so many streams, at the receiver and at the sender."""
    return _measure("limit", streams, seconds, DEPTH, hog)


def _measure(
    way: str, streams: int, seconds: float, depth: float, hog: bool
) -> tuple[dict[str, float], dict[str, Any]]:
    """Return what the receiver and what the sender have seen."""
    ours, theirs = core_pair()
    log = int(streams * (seconds + 1) * 60)
    with started("bench.processes.receiver", theirs, log=log) as receiver:
        port = receiver.answer()["port"]
        arguments = {"way": way, "streams": streams, "port": port, "depth": depth, "hog": hog}
        with started("bench.processes.senders", ours, **arguments) as sender:
            receiver.ask("sources", addresses=sender.answer()["addresses"])
            found = sender.ask("run", seconds=seconds)
            return receiver.ask("arrivals", streams=found["deadlines"]), found


def _in_words(wire: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in _points(wire).items()) + " ms"


def _points(wire: dict[str, float]) -> dict[str, float]:
    return {name: wire[name] for name in ("p50", "p99", "p99.9", "max")}
