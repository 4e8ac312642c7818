"""Rows as a table of text."""

from collections.abc import Iterable, Sequence

from .budgets import judge
from .figures import figure, signed
from .results import Row

__all__ = ["HEAD", "cells", "columns", "percentiles", "render"]

HEAD = ("what", "minimum", "median", "spread", "limit", "× limit", "above", "budget", "")


def cells(row: Row) -> tuple[str, ...]:
    """Return what stands in the columns of `HEAD`.

    For a peer the limit is ours: the ratio says how many times as long it takes.
    """
    base = row.limit if row.ours is None else row.ours
    verdict = judge(row)
    notes = [row.limit_name if row.ours is None else "limit: ours", percentiles(row), row.note]
    return (
        f"{row.name}, {row.peer}" if row.peer else row.name,
        figure(row.value, row.unit),
        figure(row.median, row.unit),
        "" if row.spread is None else f"{row.spread:.0%}",
        figure(base, row.unit),
        "" if row.ratio is None else f"{row.ratio:.2f}×",
        signed(row.difference),
        "" if verdict is None else verdict.text,
        "; ".join(filter(None, notes)),
    )


def percentiles(row: Row) -> str:
    """Return the percentiles of lateness beside the one that is the row's value."""
    if "p99" not in row.points:
        return ""
    return ", ".join(f"{name} {figure(value)}" for name, value in row.points.items())


def columns(lines: Sequence[Sequence[str]]) -> list[str]:
    """Align cells: the first and the last column to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    last = len(widths) - 1
    return [
        "  ".join(
            cell.ljust(width) if at in (0, last, last - 1) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def render(group: str, rows: Iterable[Row]) -> str:
    """Return the table of one group."""
    lines = columns([(group, *HEAD[1:]), *map(cells, rows)])
    return "\n".join([lines[0], "─" * max(map(len, lines)), *lines[1:]])
