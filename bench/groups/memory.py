"""What things weigh: by how much a process grows with each of many."""

from collections.abc import Iterator

from ..options import Options
from ..processes.process import started
from ..results import Row
from .calls import measure_one

__all__ = ["run"]

GROUP = "memory"
#: What is weighed, and how many for a figure that memory in pages does not blur: (all, quick).
COUNTS = {
    "RtpSession": (5000, 1000),
    "VoiceConnection": (400, 40),
    "VoiceConnection in a group": (400, 40),
    "stream": (2000, 500),
    "stream of a second": (1000, 300),
}
LABELS = {
    "RtpSession": "RtpSession with a key",
    "VoiceConnection": "VoiceConnection, ready",
    "VoiceConnection in a group": "VoiceConnection in an MLS group of two",
    "stream": "stream of the pacer, 100 ms, with its RtpSession",
    "stream of a second": "stream of the pacer, 1 s, with its RtpSession",
}
CALLS = 1000


def run(options: Options) -> Iterator[Row]:
    """From the parts to the whole."""
    for what, counts in COUNTS.items():
        with started(
            "bench.processes.weights", None, what=what, count=counts[options.quick]
        ) as process:
            weight = process.answer()["bytes"]
        yield Row(GROUP, LABELS[what], weight / 1024, "KiB")
    if not options.quick:
        found = measure_one(CALLS, 1.0, duplex=False)
        yield Row(
            GROUP,
            f"a whole call of {CALLS}: trio, WebSocket, sockets, group, pacer",
            found.bytes_per_call / 1024,
            "KiB",
            budget="memory",
        )
