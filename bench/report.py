"""`docs/performance.md` from a run: the parts of the page that are figures."""

from pathlib import Path

from .budgets import LINES, judge
from .figures import figure, signed
from .plots import has_plot
from .results import Row, Run
from .table import HEAD, cells, percentiles

__all__ = ["MARKS", "blocks", "write"]

#: Around each part that is generated.
MARKS = ("<!-- measured: {} -->", "<!-- end of {} -->")


def blocks(run: Run) -> dict[str, str]:
    """Return the generated parts by name."""
    return {"machine": _machine(run), "budget": _budget(run), "figures": _figures(run)}


def write(run: Run, page: Path) -> None:
    """Replace the generated parts of the page. Raises `ValueError` if it lacks a place."""
    text = page.read_text()
    for name, block in blocks(run).items():
        begin, end = (mark.format(name) for mark in MARKS)
        before, found, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found or not found_end:
            raise ValueError(f"{page} lacks the line {begin} or {end}")
        text = f"{before}{begin}\n{block}\n{end}{after}"
    page.write_text(text)


def _table(lines: list[tuple[str, ...]]) -> str:
    head, *body = ["| " + " | ".join(cell for cell in line) + " |" for line in lines]
    return "\n".join([head, "|" + " --- |" * len(lines[0]), *body])


def _machine(run: Run) -> str:
    machine = dict(run.machine)
    cores = machine.pop("cores", "?")
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    quick = " It was a `--quick` run: rough figures." if run.quick else ""
    return (
        f"One run on one machine: {machine.get('cpu')}, {cores} cores, {machine.get('system')}"
        f" {machine.get('kernel')}, {run.date}, commit {run.commit or 'unknown'}.{quick}\n\n"
        f"{versions}."
    )


def _budget(run: Run) -> str:
    lines: list[tuple[str, ...]] = [
        ("what", "must", "case", "measured", "C limit or ours", "ratio", "difference", "")
    ]
    for line in LINES:
        rows = [row for row in run.rows if row.budget in line.budgets]
        for number, row in enumerate(rows):
            first = (line.what, line.must) if number == 0 else ("", "")
            lines.append((*first, *_measured(row)))
        if not rows:
            lines.append((line.what, line.must, "", "not measured", "", "", "", ""))
    return _table(lines)


def _measured(row: Row) -> tuple[str, ...]:
    verdict, told = judge(row), percentiles(row)
    return (
        f"{row.name}, {row.peer}" if row.peer else row.name,
        f"{figure(row.value, row.unit)} ({told})" if told else figure(row.value, row.unit),
        figure(row.limit if row.ours is None else row.ours, row.unit),
        "" if row.ratio is None else f"{row.ratio:.2f}×",
        signed(row.difference) and f"{signed(row.difference)} {row.unit}",
        "no verdict" if verdict is None else verdict.text,
    )


def _figures(run: Run) -> str:
    """Every row, group by group, with its plot."""
    parts = []
    for group in run.groups:
        rows = [row for row in run.rows if row.group == group]
        if group in run.skipped and not rows:
            parts.append(f"### {group}\n\nNot in this run: {run.skipped[group]}.")
        if rows:
            table = _table([HEAD, *map(cells, rows)])
            plot = f"\n\n![{group}](plots/{group}.svg)" if has_plot(group, rows) else ""
            parts.append(f"### {group}\n\n{table}{plot}")
    return "\n\n".join(parts)
