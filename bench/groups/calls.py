"""How many live calls one core holds: `voicekit.trio` as programs use it, against a real server.

Two calls in each channel, so that there are MLS groups: WebSocket, heartbeats, UDP, end-to-end
encryption, 50 packets a second. The calls' process has one core to itself, pacer included; the
server, which opens no packet, has another. Each second one call leaves and one joins. A number of
calls is held when the server's kernel has had 99 % of the packets within 2 ms of deadlines that
were fixed when the streams began, no ring has run dry, and nothing was lost.
"""

from collections.abc import Iterator
from itertools import takewhile
from typing import Any, NamedTuple

from ..options import Options
from ..processes.process import core_pair, started
from ..results import Row
from .pacing import LIMIT, send_alone

__all__ = ["Found", "measure_one", "run", "workers"]

GROUP = "calls"
P99 = 2.0  # milliseconds
PACKETS = 50  # a second
#: Of the packets that the peers send, those that have to be heard. Who has just joined hears
#: them when its group has taken it in.
HEARD = 0.98
#: Numbers of calls that are tried until one is not held, and for how many seconds each.
LADDERS = {
    False: (500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500, 5000),
    True: (250, 500, 750, 1000, 1250, 1500, 2000, 2500, 3000),
}
STEP = 5.0
#: A machine that is shared stalls for some milliseconds now and then: each number has some tries.
TRIES = 3
QUICK_CALLS, QUICK_SECONDS = 40, 1.5
#: Calls for each process of `run_workers`.
PER_WORKER = 600
NAMES = {False: "sending", True: "full duplex"}
#: Of the server's log: so much more room than there should be packets.
MARGIN = 1.2


def run(options: Options) -> Iterator[Row]:
    """Sending only, then full duplex; then over processes."""
    for duplex in (False, True):
        if options.quick or options.calls is not None:
            calls = QUICK_CALLS if options.calls is None else options.calls
            seconds = QUICK_SECONDS if options.quick else options.duration
            yield from _rows(
                measure_one(calls, seconds, duplex=duplex), duplex, budget=not options.quick
            )
        else:
            yield from _rows(_most(options.duration, duplex), duplex, budget=True)
    if not options.quick:
        yield from workers()


def workers(calls: int = PER_WORKER, seconds: float = STEP) -> Iterator[Row]:
    """As many calls again in a second process: `run_workers`."""
    for processes in (1, 2):
        with started("bench.processes.voice_server", None, media="count") as server:
            arguments = {
                "url": server.answer()["url"],
                "processes": processes,
                "calls": calls * processes,
                "seconds": seconds,
            }
            with started("bench.processes.worker_load", None, **arguments) as load:
                found = load.answer()
        yield Row(
            GROUP,
            f"run_workers, {processes} process{'es' if processes > 1 else ''}: packets sent",
            found["frames_per_second"],
            "1/s",
            higher_is_better=True,
            note=f"{calls * processes} calls; lateness p99 {found['p99']:.1f} ms"
            f" (of the worst call: {found['worst_p99']:.1f}); {found['cores']} cores",
        )


class Found(NamedTuple):
    """What a number of calls was like."""

    calls: int
    bytes_per_call: float
    load: dict[str, Any]  # of `call_load`
    wire: dict[str, float]  # of `arrivals`

    @property
    def is_held(self) -> bool:
        """Whether all calls were served, and in time."""
        load = self.load
        heard = load["heard_per_second"] >= HEARD * PACKETS * self.calls or not load["duplex"]
        sound = not (load["underruns"] or load["failures"] or load["unsent"])
        return heard and sound and self.wire["p99"] <= P99


def measure_one(calls: int, seconds: float, *, duplex: bool) -> Found:
    """Have so many calls, the server on one core and they on another, for a while."""
    ours, theirs = core_pair()
    media = "relay" if duplex else "count"
    log = int(calls * PACKETS * (seconds + 5) * MARGIN)
    with started("bench.processes.voice_server", theirs, media=media, log=log) as server:
        url = server.answer()["url"]
        with started("bench.processes.call_load", ours, url=url, duplex=duplex) as load:
            load.answer()
            grown = load.ask("grow", calls=calls)
            found = load.ask("measure", seconds=seconds)
            wire = server.ask("arrivals", streams=found["deadlines"], window=found["window"])
            return Found(calls, grown["bytes_per_call"], found, wire)


def _most(seconds: float, duplex: bool) -> Found:
    """Climb until a number is not held; then hold the last one that was for the whole time."""
    ladder = LADDERS[duplex]
    held = list(takewhile(lambda calls: _tried(calls, STEP, duplex).is_held, ladder))
    for calls in reversed(held[1:]):
        found = _tried(calls, seconds, duplex)
        if found.is_held:
            return found
    return _tried(ladder[0], seconds, duplex)


def _tried(calls: int, seconds: float, duplex: bool) -> Found:
    """Return the first of some tries that was held: all that else disturbs it is chance."""
    for _ in range(TRIES):
        found = measure_one(calls, seconds, duplex=duplex)
        if found.is_held:
            break
    return found


def _rows(found: Found, duplex: bool, *, budget: bool) -> Iterator[Row]:
    name, load, wire = NAMES[duplex], found.load, found.wire
    key = "calls duplex" if duplex else "calls send"
    churn = "one join and one leave a second"
    yield Row(
        GROUP,
        f"{name}: calls held by one core",
        found.calls if found.is_held else 0,
        "calls",
        budget=key if budget else "",
        higher_is_better=True,
        note=churn if found.is_held else f"{found.calls} are too many",
    )
    yield Row(
        GROUP,
        f"{name}: lateness at the server, p99",
        wire["p99"],
        "ms",
        points={name: wire[name] for name in ("p50", "p99", "p99.9", "max")},
        note=f"{found.calls} calls, {wire['packets']:.0f} packets",
    )
    _, spent = send_alone(found.calls, STEP if budget else QUICK_SECONDS)
    yield Row(
        GROUP,
        f"{name}: processor time of a call",
        load["cpu"] / found.calls * 1e6,
        "µs/s",
        limit=spent["cpu"] / found.calls * 1e6,
        limit_name=LIMIT,
        note=f"{load['cpu'] * 100:.0f} % of the core, {load['pacer_cpu'] * 100:.0f} % the pacer",
    )
    yield Row(
        GROUP,
        f"{name}: memory of a call, its group established",
        found.bytes_per_call / 1024,
        "KiB",
        # Who listens also has half a second of audio that waits to be taken.
        budget="memory" if budget and not duplex else "",
        note=f"of {found.calls}" + (", with what it has heard" if duplex else ""),
    )
