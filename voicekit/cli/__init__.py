"""The command line: ``voicekit serve | play | record | report | demo | doctor | bench``.

One file per command; `options` holds the flags that several share, `report` what is
printed. Every error is one line on stderr that says what to do: exit code 2 for a wrong
command line, 1 for everything else.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit."""
    try:
        from .app import run
    except ImportError as error:
        print(f"voicekit: {error.name} is missing: pip install 'voicekit[cli]'", file=sys.stderr)
        sys.exit(2)
    sys.exit(run(sys.argv[1:]))
