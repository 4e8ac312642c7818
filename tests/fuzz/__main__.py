"""Fuzz voicekit: ``python -m tests.fuzz --datagrams N --messages M --seed S [--sanitized]``.

Prints one JSON line of counts; the exit code is not 0, with the seed and the number of the
input, if anything fails. ``--sanitized`` first builds the extensions with AddressSanitizer
and UBSan into a temporary directory, and runs on those.
"""

import argparse
import json
import sys
import tempfile
import time
import traceback
from pathlib import Path

import voicekit._rtp
from tests.fuzz import sanitized
from tests.fuzz.datagrams import DatagramFuzz
from tests.fuzz.messages import MessageFuzz

#: A run is made of rounds, each with new connections, keys and a seed of its own: a failure
#: is repeated by ``--seed`` of the round alone.
DATAGRAMS_PER_ROUND = 50_000
MESSAGES_PER_ROUND = 10_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--datagrams", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sanitized", action="store_true")
    options = parser.parse_args()
    if options.sanitized:
        return run_sanitized([argument for argument in sys.argv[1:] if argument != "--sanitized"])
    started = time.monotonic()
    counts: dict[str, dict[str, int]] = {"datagrams": {}, "messages": {}}
    rounds: list[tuple[str, type[DatagramFuzz] | type[MessageFuzz], int, int]] = [
        ("datagrams", DatagramFuzz, options.datagrams, DATAGRAMS_PER_ROUND),
        ("messages", MessageFuzz, options.messages, MESSAGES_PER_ROUND),
    ]
    for name, kind, total, size in rounds:
        for number, done in enumerate(range(0, total, size)):
            seed = options.seed + number
            fuzz = kind(seed)
            try:
                fuzz.run(min(size, total - done))
            except BaseException:
                traceback.print_exc()
                print(f"--seed {seed}, {name}, input {fuzz.inputs}", file=sys.stderr)
                return 1
            for verdict, count in fuzz.counts.items():
                counts[name][verdict] = counts[name].get(verdict, 0) + count
    print(
        json.dumps(
            {
                "datagrams": options.datagrams,
                "messages": options.messages,
                "seed": options.seed,
                "seconds": round(time.monotonic() - started, 1),
                "sanitized": is_sanitized(),
                "module": voicekit._rtp.__file__,
                "counts": {name: dict(sorted(found.items())) for name, found in counts.items()},
            }
        )
    )
    return 0


def run_sanitized(arguments: list[str]) -> int:
    if sanitized.libasan() is None:
        print("this needs Linux and gcc with libasan", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as directory:
        library = sanitized.build(Path(directory))
        run = sanitized.run(library, "-m", "tests.fuzz", *arguments, timeout=None)
    sys.stdout.write(run.stdout)
    sys.stderr.write(run.stderr)
    return run.returncode


def is_sanitized() -> bool:
    """Whether AddressSanitizer watches this process, and knows our extensions."""
    maps = Path("/proc/self/maps")
    return (
        maps.exists()
        and "libasan" in maps.read_text()
        and b"__asan_" in Path(voicekit._rtp.__file__).read_bytes()
    )


if __name__ == "__main__":
    sys.exit(main())
