"""Counting instructions: one run of `loops.py` in a tree, under callgrind.

Callgrind writes what it has counted to a numbered file at each mark and starts again at
zero, so one start of the interpreter serves all tasks. Three files belong to a task: the
preparation, the short loop, the long loop.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

LOOPS = Path(__file__).with_name("loops.py")
#: Seconds; a run takes ten on an idle machine.
TIMEOUT = 300
#: A count of a dump: ``totals: 475952``.
_TOTALS = re.compile(r"^totals: (\d+)$", re.MULTILINE)


class CountFailed(Exception):
    """The program could not be counted; the text says why, in one line."""


def count(tree: Path, scratch: Path) -> dict[str, float]:
    """Return the instructions per packet of each task in ``tree``, which is built."""
    valgrind = find_valgrind()
    python = [sys.executable, "-P", str(LOOPS)]
    # Natively first: a broken tree shows at once, and its bytecode is compiled and kept.
    _run(python, tree)
    scratch.mkdir()
    out = scratch / "out"
    tool = [valgrind, "-q", "--tool=callgrind", "--dump-before=getppid"]
    done = json.loads(_run([*tool, f"--callgrind-out-file={out}", *python], tree))
    files = (out.with_name(f"out.{number + 1}") for number in range(3 * len(done["tasks"])))
    totals = [_total(file) for file in files]
    pairs = zip(done["tasks"], totals[1::3], totals[2::3], strict=True)
    return {task: (many - few) / done["packets"] for task, few, many in pairs}


def find_valgrind() -> str:
    """Return its path."""
    found = shutil.which("valgrind")
    if found is None:
        raise CountFailed(
            "valgrind is not installed; install it, or skip with VOICEKIT_SKIP_INSTRUCTIONS=1"
        )
    return found


def _total(dump: Path) -> int:
    found = _TOTALS.search(dump.read_text()) if dump.exists() else None
    if found is None:
        raise CountFailed(f"callgrind wrote no total into {dump.name}")
    return int(found[1])


def _run(command: list[str], tree: Path) -> str:
    # An environment of its own: its size moves the stack, its variables move hashes.
    environment = {"PYTHONPATH": str(tree), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    for kept in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT"):
        if kept in os.environ:
            environment[kept] = os.environ[kept]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise CountFailed(f"{Path(command[0]).name} took more than {TIMEOUT} s") from None
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        raise CountFailed(f"{Path(command[0]).name} ended with {done.returncode}: {why}")
    return done.stdout
