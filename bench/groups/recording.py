"""What a recording costs: an hour of ten speakers on a virtual clock, in the default format."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from voicekit import AudioFrame
from voicekit.media import Recorder
from voicekit.media.recording.running import WORK_INTERVAL, RunningRecording

from ..options import Options
from ..results import Row

__all__ = ["run"]

SPEAKERS = 10
PACKET_BYTES = 160  # 64 kbit/s, what Discord's channels have
PACKETS_PER_SECOND = 50
TURN_SECONDS = 10
#: Who speaks in the n-th 20 ms.
PATTERNS: dict[str, Callable[[int], tuple[int, ...]]] = {
    "all at once": lambda n: tuple(range(SPEAKERS)),
    "in turns": lambda n: (n // (TURN_SECONDS * PACKETS_PER_SECOND) % SPEAKERS,),
}


def run(options: Options) -> Iterator[Row]:
    """Measure CPU time from the queue to the disk, memory of the process, and what is there."""
    seconds = 3600 if not options.quick else max(1, round(options.duration * 10))
    for name, speakers in PATTERNS.items():
        yield from _record(name, speakers, seconds)


def _record(name: str, speakers: Callable[[int], tuple[int, ...]], seconds: int) -> Iterator[Row]:
    rng = random.Random(1)
    packets = [b"\xfc" + rng.randbytes(PACKET_BYTES - 1) for _ in range(64)]
    sequences = [0] * SPEAKERS
    cpu = 0.0
    received = 0
    with tempfile.TemporaryDirectory() as directory:
        running = RunningRecording(Recorder(directory, begin=0.0))
        due = 0.0
        before = most = _resident()
        for n in range(seconds * PACKETS_PER_SECOND):
            frames = []
            for user in speakers(n):
                opus = packets[(n + user) % len(packets)]
                at = n / PACKETS_PER_SECOND
                frames.append(AudioFrame(user, user, opus, sequences[user], 960 * n, arrived=at))
                sequences[user] += 1
                received += len(opus)
            start = time.process_time()
            running.put_many(frames)
            if n / PACKETS_PER_SECOND >= due:
                due += WORK_INTERVAL
                running.work(n / PACKETS_PER_SECOND)
            cpu += time.process_time() - start
            if n % 5000 == 0:
                most = max(most, _resident())
        start = time.process_time()
        running.finish()
        cpu += time.process_time() - start
        most = max(most, _resident())
        files = [path.stat().st_size for path in Path(directory).iterdir()]
    what = f"{SPEAKERS} speakers, {name}, {seconds} s"
    yield Row("recording", f"{what}: a core", 100 * cpu / seconds, "%", budget="recording cpu")
    if before:
        growth = max(most - before, 4096) / 2**20
        yield Row("recording", f"{what}: memory", growth, "MiB", budget="recording memory")
    yield Row(
        "recording",
        f"{what}: disk above the Opus received",
        max(100 * (sum(files) / received - 1), 0.001),
        "%",
        # The headers of a file are a larger part of a short one.
        budget="recording disk" if seconds >= 3600 else "",
        note="with recording.json",
    )


def _resident() -> int:
    """Bytes of this process in memory; 0 where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * 4096
