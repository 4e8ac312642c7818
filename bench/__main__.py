"""``python -m bench``: the command line of the suite."""

import argparse
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

from .groups import NAMES, NotHere, load
from .options import CHECKOUT, Options
from .results import Row, Run, save

__all__ = ["main"]

USAGE = """\
python -m bench [GROUP ...] [flags]     run all groups, or some
       python -m bench compare A.json B.json   what changed from A to B
       python -m bench report FILE             write docs/performance.md and its plots anew"""

#: Where a run leaves what it found, unless told otherwise. Not in git.
RESULTS = "bench-results"


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments[:1] == ["compare"]:
            return _compare(arguments[1:])
        if arguments[:1] == ["report"]:
            return _report(arguments[1:])
        return _run(arguments)
    except (OSError, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
    except ImportError as error:
        missing = f"{error.name} is missing: pip install -e '.[all,bench]' in the checkout"
        print(f"bench: {missing}", file=sys.stderr)
    return 1


def _run(arguments: list[str]) -> int:
    flags = _parser().parse_args(arguments)
    options = Options.fast() if flags.quick else Options()
    for name in ("rounds", "duration", "calls"):
        if getattr(flags, name) is not None:
            setattr(options, name, getattr(flags, name))
    options.hog = flags.hog
    from .peer_process import Peers

    if not flags.no_peers:
        options.peers = Peers.found(CHECKOUT)
    try:
        run = run_groups(flags.groups or NAMES, options)
    finally:
        options.peers.close()
    save(run, _parent_made(flags.json))
    print(f"\nwritten: {flags.json}")
    if flags.plots is not None:
        _plot(run, flags.plots)
    return 1 if any(why.startswith("failed") for why in run.skipped.values()) else 0


def run_groups(names: tuple[str, ...] | list[str], options: Options) -> Run:
    """Run groups, print their tables, and return everything. A group's failure ends no other."""
    from .machine import commit, machine, versions
    from .table import render

    began, at = datetime.now(UTC), commit(CHECKOUT)
    rows: list[Row] = []
    seconds: dict[str, float] = {}
    skipped: dict[str, str] = {}
    for name in names:
        start = time.perf_counter()
        found: list[Row] = []
        try:
            for row in load(name)(options):
                found.append(row)
        except NotHere as why:
            skipped[name] = str(why)
        except Exception as error:
            traceback.print_exc()
            skipped[name] = f"failed: {type(error).__name__}: {error}"
        seconds[name] = time.perf_counter() - start
        rows += found
        if found:
            print(render(name, found), flush=True)
        if name in skipped:
            print(f"{name}: {skipped[name]}", flush=True)
        print(f"({seconds[name]:.1f} s)\n", flush=True)
    for failure in options.peers.failures:
        print(f"a peer is left out: {failure}", file=sys.stderr)
    return Run(
        machine=machine(),
        versions=versions() | options.peers.versions(),
        commit=at,
        date=f"{began:%Y-%m-%d}",
        quick=options.quick,
        groups=seconds,
        rows=rows,
        skipped=skipped,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        usage=USAGE,
        description="Measure voicekit. See docs/performance.md.",
    )
    add = parser.add_argument
    add("groups", nargs="*", metavar="GROUP", type=_group, help=", ".join(NAMES))
    add("--quick", action="store_true", help="all groups in under a minute, roughly right")
    add("--json", type=Path, default=Path(RESULTS, "last.json"), help="the file of results")
    add("--plots", type=Path, default=Path(RESULTS), help="the directory of plots")
    add("--no-peers", action="store_true", help="leave other libraries out")
    add("--rounds", type=int, help="interleaved rounds of everything that is compared")
    add("--duration", type=float, help="seconds for which streams and calls run")
    add("--calls", type=int, help="calls: how many, instead of looking for the most")
    add("--hog", action="store_true", help="pacing: only with a thread that computes without pause")
    return parser


def _group(name: str) -> str:
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(NAMES)}")
    return name


def _compare(arguments: list[str]) -> int:
    from .compare import compare
    from .results import load

    parser = argparse.ArgumentParser(prog="python -m bench compare")
    parser.add_argument("a", type=Path, metavar="A.json")
    parser.add_argument("b", type=Path, metavar="B.json")
    flags = parser.parse_args(arguments)
    print(compare(load(flags.a), load(flags.b)))
    return 0


def _report(arguments: list[str]) -> int:
    from .report import write
    from .results import load

    parser = argparse.ArgumentParser(prog="python -m bench report")
    parser.add_argument("file", type=Path, metavar="FILE")
    flags = parser.parse_args(arguments)
    run = load(flags.file)
    write(run, CHECKOUT / "docs" / "performance.md")
    _plot(run, CHECKOUT / "docs" / "plots")
    return 0


def _plot(run: Run, directory: Path) -> None:
    try:
        from .plots import draw
    except ImportError as error:
        print(f"no plots: {error.name} is missing: pip install -e '.[all,bench]'")
        return
    directory.mkdir(parents=True, exist_ok=True)
    for path in draw(run, directory):
        print(f"drawn: {path}")


def _parent_made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


if __name__ == "__main__":
    sys.exit(main())
