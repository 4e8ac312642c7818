"""The jitter buffer: what a frame costs, and how much delay it takes to lose how little.

`bench/jitter_models.py` has what it is compared with; all play the same traces.
"""

from collections.abc import Callable, Iterator

from voicekit import AudioFrame, JitterBuffer, JitterConfig
from voicekit.media.receiving import Ticker, Utterances
from voicekit.testing import Trace, make_trace

from ..jitter_models import WAYS, Heard, adaptive, fixed, frames, songbird
from ..options import Options
from ..results import Row
from ..rounds import Work, batched, statement

__all__ = ["run"]

#: Of which a table is made, worst last.
TRACES = (
    "talk, bursts, 60 ms",
    "music, bursts, 60 ms",
    "no clock in pauses, bursts, 60 ms",
    "reordered, bursts, 60 ms",
    "independent, 60 ms",
    "changing",
    "heavy tail",
)
#: Those of the budget: 5 % lost in bursts, jitter of 60 ms.
BUDGET = frozenset(TRACES[:3])
#: Of which curves are drawn: what the budget is for, and what it is hard to be good at.
CURVES = ("talk, bursts, 60 ms", "reordered, bursts, 60 ms")
#: Seconds of a trace that is timed, as many frames as fit into one round.
TIMED = 4.0
LOOP = (
    "buffer = JitterBuffer()\nfor frame in frames:\n buffer.push(frame); buffer.pop(frame.arrived)"
)
LISTENING = """engine = make()
for frame in frames:
    engine.receive_frame(frame)
    while engine.poll() is not None: pass
"""

ENGINES: dict[str, Callable[[], Ticker | Utterances]] = {
    "ticks": lambda: Ticker(now=0.0),
    "utterances": Utterances,
}

#: A knob of each way, turned from a short delay to a long one.
SWEEPS: dict[str, Callable[[Trace], list[Heard]]] = {
    "voicekit": lambda trace: [
        adaptive(trace, JitterConfig(late_share=share))
        for share in (0.3, 0.2, 0.1, 0.05, 0.03, 0.01, 0.003, 0.001, 0.0003)
    ],
    "fixed delay": lambda trace: [fixed(trace, n / 100) for n in range(1, 17)],
    "songbird's": lambda trace: [songbird(trace, length) for length in range(1, 8)],
}


def run(options: Options) -> Iterator[Row]:
    """Time first, then delay and loss."""
    yield from _time(options)
    seconds = 60.0 if options.quick else 600.0
    for name in TRACES:
        yield from _compare(make_trace(name, seconds=seconds))
    for name in CURVES:
        yield from _curves(make_trace(name, seconds=seconds))


def _time(options: Options) -> Iterator[Row]:
    work: dict[str, Work] = {}
    for name in ("clean", "reordered, bursts, 60 ms"):
        came = frames(make_trace(name, seconds=TIMED))
        work[name] = batched(statement(LOOP, frames=came, JitterBuffer=JitterBuffer), len(came))
    for name, timing in options.measure(work).items():
        yield Row.timed("jitter", f"push and pop: {name}", timing)
    crowd = _crowd(10)
    work = {
        name: batched(statement(LISTENING, frames=crowd, make=make), len(crowd))
        for name, make in ENGINES.items()
    }
    for name, timing in options.measure(work).items():
        yield Row.timed("jitter", f"{name}: a frame of ten speakers", timing)


def _crowd(size: int) -> list[AudioFrame]:
    """Return what arrives when as many talk at once."""
    came = []
    for user in range(1, size + 1):
        for f in frames(make_trace("talk, bursts, 60 ms", seed=user, seconds=TIMED)):
            came.append(AudioFrame(user, user, f.opus, f.sequence, f.rtp_time, arrived=f.arrived))
    return sorted(came, key=lambda frame: frame.arrived)


def _compare(trace: Trace) -> Iterator[Row]:
    within = trace.name in BUDGET
    ours = adaptive(trace)
    for name, way in WAYS.items():
        heard = ours if way is adaptive else way(trace)
        yield Row(
            "jitter",
            f"added delay: {trace.name}",
            heard.added * 1e3,
            "ms",
            ours=None if heard is ours else ours.added * 1e3,
            peer="" if heard is ours else name,
            budget="jitter delay" if within and heard is ours else "",
            note=f"{heard.dropped:.2%} dropped, {heard.missed:.2%} with those waited for",
        )
    if within:
        late = ours.dropped * 100
        yield Row("jitter", f"late: {trace.name}", late, "%", budget="jitter late")


def _curves(trace: Trace) -> Iterator[Row]:
    """Percent that missed their turn, by the added delay in ms; the value is the best of them."""
    for name, sweep in SWEEPS.items():
        points = {f"{heard.added * 1e3:.1f}": heard.missed * 100 for heard in sweep(trace)}
        yield Row(
            "jitter",
            f"curve: {trace.name}",
            min(points.values()),
            "%",
            peer="" if name == "voicekit" else name,
            note="least share that missed its turn",
            points=points,
        )
