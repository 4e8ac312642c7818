"""What a run finds: rows, and the file they are kept in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from .rounds import Timing

__all__ = ["SCHEMA", "Row", "Run", "load", "save"]

#: Changes when old files can no longer be read.
SCHEMA = 1

#: How many of each unit are in a second.
PER_SECOND = {"ns": 1e9, "µs": 1e6, "ms": 1e3, "s": 1.0}


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One figure.

    ``value`` is the minimum of the rounds where there are rounds. ``limit`` is what the work
    costs at least, measured in the same rounds: a loop in C over the bare library call, named
    by ``limit_name``. A row of a peer has ``peer`` (name and version) and ``ours``: our figure
    for the same work from the same rounds. ``budget`` is a key of `budgets.BUDGETS`.
    """

    group: str
    name: str
    value: float
    unit: str
    median: float | None = None
    spread: float | None = None
    limit: float | None = None
    limit_name: str = ""
    peer: str = ""
    ours: float | None = None
    budget: str = ""
    note: str = ""
    higher_is_better: bool = False
    #: More of the same thing, such as {"p50": 0.1, "p99": 0.4} in ``unit``, for the plots.
    points: dict[str, float] = {}

    @classmethod
    def timed(
        cls,
        group: str,
        name: str,
        timing: Timing,
        unit: str = "ns",
        *,
        limit: Timing | None = None,
        limit_name: str = "",
        ours: Timing | None = None,
        peer: str = "",
        budget: str = "",
        note: str = "",
    ) -> Self:
        """Make the row of something that was measured in rounds."""
        scale = PER_SECOND[unit]
        return cls(
            group,
            name,
            timing.minimum * scale,
            unit,
            median=timing.median * scale,
            spread=timing.spread,
            limit=None if limit is None else limit.minimum * scale,
            limit_name=limit_name,
            ours=None if ours is None else ours.minimum * scale,
            peer=peer,
            budget=budget,
            note=note,
        )

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same row in another run; versions of peers may differ."""
        return self.group, self.name, self.peer.partition(" ")[0]

    @property
    def ratio(self) -> float | None:
        """``value`` in terms of the limit; of a peer, in terms of ours."""
        return self.value / self._base if self._base else None

    @property
    def difference(self) -> float | None:
        """``value`` above the limit; of a peer, above ours."""
        return None if self._base is None else self.value - self._base

    @property
    def _base(self) -> float | None:
        return self.limit if self.ours is None else self.ours


class Run(msgspec.Struct, frozen=True):
    """Everything that one run found, and where."""

    machine: dict[str, str]
    versions: dict[str, str]
    commit: str
    date: str
    quick: bool
    #: Seconds each group took.
    groups: dict[str, float]
    rows: list[Row]
    #: Groups that could not run, and why.
    skipped: dict[str, str] = {}
    schema: int = SCHEMA

    @property
    def by_key(self) -> Mapping[tuple[str, str, str], Row]:
        return {row.key: row for row in self.rows}


def save(run: Run, path: Path) -> None:
    """Write a run as JSON, with ratio and difference written out for other readers."""
    members = msgspec.to_builtins(run)
    for row, found in zip(members["rows"], run.rows, strict=True):
        if found.ratio is not None:
            row |= {"ratio": found.ratio, "difference": found.difference}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(members), indent=1) + b"\n")


def load(path: Path) -> Run:
    """Read a run. Raises `ValueError` for a file that is none, or of another schema."""
    try:
        run = msgspec.json.decode(path.read_bytes(), type=Run)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} is no result of this suite: {error}") from None
    if run.schema != SCHEMA:
        raise ValueError(f"{path} has schema {run.schema}; this suite reads {SCHEMA}")
    return run
