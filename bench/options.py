"""How a run is to be done: what every group is handed."""

from dataclasses import dataclass, field
from pathlib import Path

from .peer_process import Peers
from .rounds import Timing, Work, interleave

__all__ = ["CHECKOUT", "Options"]

#: The directory that holds `bench/` and `voicekit/`.
CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass
class Options:
    """Flags of the command line, and the peers that are there."""

    quick: bool = False
    #: Many short rounds: the minimum needs one that nothing disturbed.
    rounds: int = 200
    #: Of one turn of one thing. Far above the clock's resolution, below a scheduler's slice.
    round_seconds: float = 0.002
    #: Of what has to run for some time: streams, calls.
    duration: float = 60.0
    #: `pacing`: with a thread that computes without pause.
    hog: bool = False
    #: `calls`: this many, instead of looking for the most that can be held.
    calls: int | None = None
    peers: Peers = field(default_factory=Peers)

    @classmethod
    def fast(cls) -> "Options":
        """Return what ``--quick`` means: all groups in under a minute."""
        return cls(quick=True, rounds=15, round_seconds=0.001, duration=3.0)

    def measure(self, work: dict[str, Work], *, most: int = 1_000_000) -> dict[str, Timing]:
        """Measure in as many rounds as asked for; see `rounds.interleave`."""
        return interleave(work, rounds=self.rounds, seconds=self.round_seconds, most=most)
