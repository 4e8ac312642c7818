"""What `import voicekit` costs: time, and modules that are loaded."""

import subprocess
import sys
import time
from collections.abc import Iterator

from ..options import CHECKOUT, Options
from ..results import Row
from ..rounds import Work, interleave

__all__ = ["run"]

#: How it is called: the program.
PROGRAMS = {
    "an empty interpreter": "pass",
    "import voicekit": "import voicekit",
    "import voicekit, and its VoiceConnection": "import voicekit; voicekit.VoiceConnection",
    "import voicekit.opus": "import voicekit.opus",
    "import voicekit.trio": "import voicekit.trio; voicekit.trio.connect",
}
EMPTY = "an empty interpreter"
#: A start takes some 10 to 200 ms: fewer rounds than what takes nanoseconds.
ROUNDS, QUICK_ROUNDS = 20, 3


def run(options: Options) -> Iterator[Row]:
    """Start interpreters in turns; the one that imports nothing is the limit."""
    rounds = min(options.rounds, QUICK_ROUNDS if options.quick else ROUNDS)
    modules = {name: _modules(program) for name, program in PROGRAMS.items()}
    work = {name: _starting(program) for name, program in PROGRAMS.items()}
    found = interleave(work, rounds=rounds, seconds=0.0, most=1)
    for name in PROGRAMS:
        if name == EMPTY:
            continue
        yield Row.timed("import", name, found[name], "ms", limit=found[EMPTY], limit_name=EMPTY)
        yield Row(
            "import",
            f"{name}: modules",
            modules[name],
            "modules",
            limit=modules[EMPTY],
            limit_name=EMPTY,
        )


def _starting(program: str) -> Work:
    def work(n: int) -> float:
        start = time.perf_counter()
        for _ in range(n):
            subprocess.run([sys.executable, "-c", program], check=True, cwd=CHECKOUT)
        return time.perf_counter() - start

    return work


def _modules(program: str) -> int:
    counting = f"{program}\nimport sys; print(len(sys.modules))"
    command = [sys.executable, "-c", counting]
    answer = subprocess.run(command, check=True, cwd=CHECKOUT, capture_output=True, text=True)
    return int(answer.stdout)
