"""``voicekit bench``: the suite in `bench/`, which is in a checkout only."""

import sys
from importlib import import_module
from pathlib import Path

import typer

from ..errors import VoicekitError

__all__ = ["SETTINGS", "bench"]

#: The suite reads its own command line, ``--help`` too.
SETTINGS = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}

#: What holds `voicekit/`, and in a checkout `bench/` beside it.
ROOT = Path(__file__).resolve().parents[2]


class NoCheckout(VoicekitError):
    """The suite is not here."""


def bench(context: typer.Context) -> None:
    """Run the benchmarks, in a checkout: the same as ``python -m bench``."""
    if not (ROOT / "bench" / "__main__.py").is_file() or not (ROOT / "setup.py").is_file():
        raise NoCheckout(
            "the benchmarks are in a checkout only: pip install -e '.[all,bench]' there,"
            " then python -m bench"
        )
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    code: int = import_module("bench.__main__").main(context.args)
    raise typer.Exit(code)
