"""Which task became slower: base against head, with some slack."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["SLACK", "Change", "Verdict", "compare", "is_slower", "table"]

#: Percent. Two runs of one tree count the same to the instruction; the slack is for changes.
SLACK = 3.0


class Verdict(StrEnum):
    SAME = "same"  #: within the slack
    SLOWER = "SLOWER"
    FASTER = "faster"
    NEW = "new"  #: the base lacks it: nothing to compare
    GONE = "GONE"  #: the head lacks it: what is not measured is not guarded


@dataclass(frozen=True)
class Change:
    """One task: instructions per packet in the base and in the head, None where it lacks it."""

    task: str
    base: float | None
    head: float | None
    slack: float

    @property
    def percent(self) -> float | None:
        """By how much more the head executes."""
        if self.base is None or self.head is None:
            return None
        return 100 * (self.head / self.base - 1)

    @property
    def verdict(self) -> Verdict:
        if self.base is None:
            return Verdict.NEW
        if self.percent is None:
            return Verdict.GONE
        if self.percent > self.slack:
            return Verdict.SLOWER
        return Verdict.FASTER if self.percent < -self.slack else Verdict.SAME


def compare(
    base: Mapping[str, float], head: Mapping[str, float], slack: float = SLACK
) -> list[Change]:
    """Return the change of every task that either has."""
    return [Change(task, base.get(task), head.get(task), slack) for task in {**base, **head}]


def is_slower(changes: list[Change]) -> bool:
    """True: the gate fails. So it does when there was nothing to compare."""
    verdicts = {change.verdict for change in changes}
    return bool(verdicts & {Verdict.SLOWER, Verdict.GONE}) or verdicts <= {Verdict.NEW}


def table(changes: list[Change]) -> str:
    """Return the changes as text, a line each."""
    lines = [f"{'instructions per packet':<42}{'base':>8}{'head':>8}{'change':>9}"]
    for change in changes:
        numbers = "".join(
            f"{'-' if count is None else format(count, '.0f'):>8}"
            for count in (change.base, change.head)
        )
        percent = "" if change.percent is None else f"{change.percent:+.1f} %"
        lines.append(f"{change.task:<42}{numbers}{percent:>9}  {change.verdict}")
    return "\n".join(lines)
