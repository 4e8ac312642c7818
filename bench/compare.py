"""What changed from one run to another."""

from .figures import figure
from .results import Row, Run
from .table import columns

__all__ = ["compare"]

#: Below this a change of a minimum is nothing, however quiet the rounds were.
NOISE = 0.03


def compare(a: Run, b: Run) -> str:
    """Return a table of the rows that both runs have, the largest change for the worse first.

    Beside each figure stands its ratio to the limit, which was measured in the same rounds: if a
    figure changed and its ratio did not, it was the machine that changed.
    """
    lines = [("what", "A", "B", "change", "A × limit", "B × limit", "")]
    both = [(a.by_key[key], row) for key, row in b.by_key.items() if key in a.by_key]
    for old, new in sorted(both, key=lambda rows: -_worse(*rows)):
        worse = _worse(old, new)
        noise = max(NOISE, old.spread or 0.0, new.spread or 0.0)
        verdict = "" if abs(worse) <= noise else "worse" if worse > 0 else "better"
        change = new.value / old.value - 1 if old.value else 0.0
        lines.append(
            (
                f"{new.group}: {new.name}{f', {new.peer}' if new.peer else ''}",
                figure(old.value, old.unit),
                figure(new.value, new.unit),
                f"{change:+.1%}",
                "" if old.ratio is None else f"{old.ratio:.2f}×",
                "" if new.ratio is None else f"{new.ratio:.2f}×",
                verdict,
            )
        )
    return "\n".join(
        [
            f"A: {_origin(a)}",
            f"B: {_origin(b)}",
            *_differences(a, b),
            "",
            *columns(lines),
            *(f"only in A: {': '.join(key[:2])}" for key in a.by_key if key not in b.by_key),
            *(f"only in B: {': '.join(key[:2])}" for key in b.by_key if key not in a.by_key),
        ]
    )


def _worse(old: Row, new: Row) -> float:
    """By which part of the old value the new one is worse; below 0: better."""
    if not old.value:
        return 0.0
    change = new.value / old.value - 1
    return -change if new.higher_is_better else change


def _origin(run: Run) -> str:
    return f"{run.commit or 'unknown commit'}, {run.date}{', quick' if run.quick else ''}"


def _differences(a: Run, b: Run) -> list[str]:
    """Say what else is different: a comparison across machines is none."""
    return [
        f"differs: {name}: {one.get(name, 'none')} and {other.get(name, 'none')}"
        for one, other in ((a.machine, b.machine), (a.versions, b.versions))
        for name in {**one, **other}
        if one.get(name) != other.get(name)
    ]
