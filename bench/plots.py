"""Plots of a run, as SVG: one for each group whose rows a picture says more about than a table."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from .figures import figure
from .results import Row, Run

__all__ = ["PLOTS", "draw", "has_plot"]

_LIMIT, _OURS, _PEER = "#202124", "#6ea8fe", "#e3a06e"

#: The same bytes from the same figures, and text that a reader can search.
_STYLE: Any = {
    "svg.hashsalt": "voicekit",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def bars(axes: Axes, rows: list[Row]) -> None:
    """Draw a bar for each row in the first one's unit, with a stroke at the limit."""
    unit = rows[0].unit
    rows = [row for row in rows if row.unit == unit]
    labels = [f"{row.name}, {row.peer}" if row.peer else row.name for row in rows]
    at = list(range(len(rows)))[::-1]
    axes.barh(at, [row.value for row in rows], color=[_PEER if r.peer else _OURS for r in rows])
    for y, row in zip(at, rows, strict=True):
        ratio = "" if row.ratio is None else f" ({row.ratio:.2f}×)"
        axes.annotate(f" {figure(row.value)}{ratio}", (row.value, y), va="center")
        if row.limit:
            axes.plot([row.limit] * 2, [y - 0.4, y + 0.4], color=_LIMIT, linewidth=2)
    axes.set_yticks(at, labels)
    values = [row.value for row in rows if row.value > 0]
    if max(values, default=0) > 20 * min(values, default=1):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: figure(value))
    # Room for the figures behind the bars.
    axes.set_xlim(right=max(values, default=1) * (6 if axes.get_xscale() == "log" else 1.3))
    axes.set_xlabel(f"{unit}. Stroke: the limit; ratio: to it, of other libraries: to ours")


def percentiles(axes: Axes, rows: list[Row]) -> None:
    """Draw the percentiles of each row's ``points``, on a logarithmic scale."""
    rows = [row for row in rows if row.points]
    for row in rows:
        name = row.name.removesuffix(", p99")
        label = f"{name}, {row.peer}" if row.peer else name
        axes.plot(list(row.points), list(row.points.values()), marker="o", label=label)
    axes.set_ylabel(rows[0].unit)
    axes.set_yscale("log")
    axes.figure.legend(loc="outside lower center", frameon=False)


def delay_and_loss(axes: Axes, rows: list[Row]) -> None:
    """Draw each row's ``points`` as a curve of percent over ms; one style of line per name."""
    rows = [row for row in rows if row.points]
    styles = dict(zip(dict.fromkeys(row.name for row in rows), ("-", "--", ":"), strict=False))
    colours: dict[str, str] = {}
    for row in rows:
        colour = colours.setdefault(row.peer, _OURS if not row.peer else f"C{len(colours)}")
        axes.plot(
            [float(delay) for delay in row.points],
            list(row.points.values()),
            styles[row.name],
            color=colour,
            marker="o",
            markersize=3 if row.peer else 5,
            label=f"{row.peer or 'voicekit'}, {row.name.partition(': ')[2]}",
        )
    axes.set_yscale("symlog", linthresh=0.1)
    axes.set_ylim(bottom=-0.01)
    axes.set_yticks([0, 0.1, 1, 10], ["0", "0.1", "1", "10"])
    axes.set_xlabel("ms added to the fastest packet's way, in the mean")
    axes.set_ylabel("% of packets that missed their turn")
    axes.axhline(0.1, color=_LIMIT, linewidth=0.5)
    axes.axvline(120, color=_LIMIT, linewidth=0.5)
    axes.legend(frameon=False)


#: Group: how it is drawn.
PLOTS: dict[str, Callable[[Axes, list[Row]], None]] = {
    "seal": bars,
    "open": bars,
    "opus": bars,
    "dave": bars,
    "gateway": bars,
    "jitter": delay_and_loss,
    "udp": bars,
    "pacing": percentiles,
    "calls": percentiles,
}


def has_plot(group: str, rows: list[Row]) -> bool:
    """Whether there is something to draw of a group's rows."""
    if group not in PLOTS:
        return False
    return bool(rows) if PLOTS[group] is bars else any(row.points for row in rows)


def draw(run: Run, directory: Path) -> Iterator[Path]:
    """Draw what a run has rows for; yield the files."""
    for group, paint in PLOTS.items():
        rows = [row for row in run.rows if row.group == group]
        if not has_plot(group, rows):
            continue
        with mpl.rc_context(_STYLE):
            height = 1.2 + 0.3 * len(rows) if paint is bars else 5.0
            canvas, axes = plt.subplots(figsize=(9, height), layout="constrained")
            paint(axes, rows)
            axes.set_title(f"{group}: {run.machine.get('cpu', '')}", loc="left")
            path = directory / f"{group}.svg"
            canvas.savefig(path, metadata={"Date": None, "Creator": None})
            plt.close(canvas)
        yield path
