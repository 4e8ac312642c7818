"""What the figures have to be: the table of the design, as data.

A row names its budget by the key here; several rows may share one. Lines of `LINES` are in
the order of the design's table, which `docs/performance.md` shows with what was measured.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .figures import figure
from .results import Row

__all__ = ["BUDGETS", "LINES", "Budget", "Line", "Verdict", "judge"]


@dataclass(frozen=True)
class Verdict:
    """Whether a budget is met, and by how much, in words."""

    met: bool
    text: str


#: For each kind of bound: the furthest that a row's value may go, or None if it can not be told.
_FURTHEST: dict[str, Callable[[Row, float], float | None]] = {
    "above the limit": lambda row, bound: None if row.limit is None else row.limit + bound,
    "times the limit": lambda row, bound: None if row.limit is None else row.limit * bound,
    "times ours": lambda row, bound: None if row.ours is None else row.ours * bound,
    "at most": lambda row, bound: bound,
    "at least": lambda row, bound: bound,
}
#: Those whose values have to be above the bound: a peer may be slower still, calls may be more.
_AT_LEAST = frozenset({"times ours", "at least"})


@dataclass(frozen=True)
class Budget:
    """A bound. ``unit`` is that of the row, which must be measured in it."""

    kind: str
    bound: float
    unit: str

    def judge(self, row: Row) -> Verdict | None:
        """Return whether a row is within it; None if the row lacks what it is compared with."""
        if row.unit != self.unit:
            raise ValueError(f"{row.name} is in {row.unit}, its budget in {self.unit}")
        furthest = _FURTHEST[self.kind](row, self.bound)
        if furthest is None:
            return None
        margin = row.value - furthest if self.kind in _AT_LEAST else furthest - row.value
        if margin >= 0:
            return Verdict(True, "met")
        return Verdict(False, f"missed by {figure(-margin, row.unit)}")


@dataclass(frozen=True)
class Line:
    """A line of the design's table."""

    what: str
    must: str
    budgets: dict[str, Budget]


LINES = (
    Line(
        "`seal_audio` one packet, from Python",
        "≤ C + 90 ns (the bare cipher object: + 60)",
        {
            "seal_audio": Budget("above the limit", 90, "ns"),
            "bare seal": Budget("above the limit", 60, "ns"),
        },
    ),
    Line(
        "`seal` a batch of 64",
        "≤ C + 25 ns per packet",
        {"seal_many": Budget("above the limit", 25, "ns")},
    ),
    Line(
        "bare open to bytes / `open_datagram` to AudioFrame",
        "≤ C + 80 / + 160 ns",
        {
            "bare open": Budget("above the limit", 80, "ns"),
            "open_datagram": Budget("above the limit", 160, "ns"),
        },
    ),
    Line(
        "socket to AudioFrame in the trio runner, AES",
        "≤ 1.5 µs per datagram",
        {"datagram": Budget("at most", 1500, "ns")},
    ),
    Line(
        "against discord.py (send)",
        "≥ 10× XChaCha20, ≥ 30× AES",
        {
            "discord.py xchacha": Budget("times ours", 10, "ns"),
            "discord.py aes": Budget("times ours", 30, "ns"),
        },
    ),
    Line(
        "against discord-ext-voice-recv (receive)",
        "≥ 10×",
        {"voice-recv": Budget("times ours", 10, "ns")},
    ),
    Line(
        "Opus encode / decode",
        "≤ 1.05× / 1.10× of C",
        {
            "opus encode": Budget("times the limit", 1.05, "µs"),
            "opus decode": Budget("times the limit", 1.10, "µs"),
        },
    ),
    Line(
        "default encoder settings",
        "CELT mode for music: ≤ 1.2× of FEC off",
        # The limit of that row is the same encoder with FEC off.
        {"opus defaults": Budget("times the limit", 1.2, "µs")},
    ),
    Line(
        "send lateness, 1 000 streams",
        "p99 ≤ 1 ms, ≤ 25 % of a core",
        {
            "pacing p99": Budget("at most", 1, "ms"),
            "pacing cpu": Budget("at most", 25, "%"),
        },
    ),
    Line(
        "the same with a Python thread that hogs the GIL",
        "p99 ≤ 2 ms",
        {"hog p99": Budget("at most", 2, "ms")},
    ),
    Line(
        "live sessions per core, sending 50 E2EE packets/s (WebSocket, heartbeat, DAVE)",
        "≥ 2 000, aim 4 000",
        {"calls send": Budget("at least", 2000, "calls")},
    ),
    Line(
        "the same, full duplex (each also receives and decrypts 50 packets/s)",
        "≥ 1 000",
        {"calls duplex": Budget("at least", 1000, "calls")},
    ),
    Line(
        "memory of a call, its group established",
        "≤ 64 KiB above the interpreter",
        {"memory": Budget("at most", 64, "KiB")},
    ),
    Line(
        "jitter buffer, 5 % lost in bursts, 60 ms of jitter",
        "≤ 120 ms added in the mean, ≤ 0.1 % late",
        {
            "jitter delay": Budget("at most", 120, "ms"),
            "jitter late": Budget("at most", 0.1, "%"),
        },
    ),
    Line(
        "an hour of recording, 10 speakers, Opus as it came",
        "≤ 2 % of a core, ≤ 50 MiB, disk ≤ the Opus received + 3 %",
        {
            "recording cpu": Budget("at most", 2, "%"),
            "recording memory": Budget("at most", 50, "MiB"),
            "recording disk": Budget("at most", 3, "%"),
        },
    ),
)

BUDGETS = {key: budget for line in LINES for key, budget in line.budgets.items()}


def judge(row: Row) -> Verdict | None:
    """Return what a row's budget says of it; None without one."""
    return BUDGETS[row.budget].judge(row) if row.budget else None
