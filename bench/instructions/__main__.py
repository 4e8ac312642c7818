"""`python -m bench.instructions`: fails when a packet costs more instructions than before.

Instructions, not seconds: on a shared machine no clock sees three percent, callgrind counts
the same on each run. Base and head are built and counted in one run, by one interpreter.

    python -m bench.instructions [--base COMMIT] [--slack PERCENT] [--skip]

Exit status: 0 no slower (or skipped), 1 slower, 2 could not be measured.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from .compare import SLACK, compare, is_slower, table
from .count import CountFailed, count, find_valgrind
from .trees import TreeFailed, build, copy_checkout, copy_commit, find_base, is_same

TOP = Path(__file__).parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Compare the checkout with a commit; return the exit status."""
    options = _options(arguments)
    if options.skip or os.environ.get("VOICEKIT_SKIP_INSTRUCTIONS") == "1":
        print("instructions: skipped, as told")
        return 0
    try:
        find_valgrind()
        with tempfile.TemporaryDirectory(prefix="voicekit-instructions-") as work:
            return _gate(Path(work), options.base, options.slack)
    except (CountFailed, TreeFailed) as error:
        print(f"instructions: {error}", file=sys.stderr)
        return 2


def _gate(work: Path, wanted: str | None, slack: float) -> int:
    commit = find_base(TOP, wanted)
    base, head = work / "base", work / "head"  # paths of one length: they are in memory, too
    copy_commit(TOP, commit, base)
    copy_checkout(TOP, head)
    if is_same(base, head):
        print(f"instructions: the code is that of {commit[:10]}, nothing to compare")
        return 0
    build(base, head)
    changes = compare(count(base, work / "b"), count(head, work / "h"), slack)
    print(f"base {commit[:10]}, slack {slack:g} %")
    print(table(changes))
    return 1 if is_slower(changes) else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.instructions",
        description="Count instructions per packet, and fail when they have grown.",
    )
    parser.add_argument(
        "--base",
        default=os.environ.get("VOICEKIT_BASE"),
        help="the commit to compare with (default: $VOICEKIT_BASE, or where the branch began)",
    )
    parser.add_argument(
        "--slack",
        type=float,
        default=SLACK,
        help="percent of growth allowed (default: %(default)s)",
    )
    parser.add_argument(
        "--skip", action="store_true", help="measure nothing, as VOICEKIT_SKIP_INSTRUCTIONS=1 does"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
