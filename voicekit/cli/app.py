"""The commands, and how an error becomes one line."""

import sys
from importlib import import_module
from typing import Annotated

import typer

from ..errors import VoicekitError

__all__ = ["app", "run"]

app = typer.Typer(
    name="voicekit",
    help="Voice protocol toolkit: a loopback voice server, a player, a recorder.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)
    ] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        print(f"voicekit {version_of('voicekit')}")
        raise typer.Exit


def _add(name: str) -> None:
    """Add the command of a module; one that lacks a library says so when it is called."""
    try:
        module = import_module(f".{name}", __package__)
        settings = getattr(module, "SETTINGS", None)
        app.command(name, context_settings=settings)(getattr(module, name))
    except ImportError as error:
        missing = error

        def unavailable(_: typer.Context) -> None:
            raise missing

        anything = {"allow_extra_args": True, "ignore_unknown_options": True}
        help_line = f"Not available: {missing.name} is missing."
        app.command(name, help=help_line, context_settings=anything)(unavailable)


# Each on its own: `doctor` runs without what the others need.
for _name in ("serve", "play", "record", "report", "demo", "doctor", "bench"):
    _add(_name)


def run(arguments: list[str]) -> int:
    """Run one command line; return the exit code."""
    try:
        code = app(arguments, prog_name="voicekit", standalone_mode=False)
    except typer.Abort:
        return 130
    except ImportError as error:
        if not error.name or error.name.startswith("voicekit"):
            raise
        print(f"voicekit: {error.name} is missing: pip install 'voicekit[cli]'", file=sys.stderr)
        return 2
    except (VoicekitError, OSError) as error:
        print(f"voicekit: {_sentence(error)}", file=sys.stderr)
        return 1
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise  # a bug: let it be seen
        # typer's own: an unknown flag, a missing argument, a value out of range.
        context = getattr(error, "ctx", None)
        where = context.command_path if context is not None else "voicekit"
        print(f"{where}: {error.format_message()} (see: {where} --help)", file=sys.stderr)
        return 2
    return code if isinstance(code, int) else 0


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        subject = f"{error.filename}: " if error.filename else ""
        return f"{subject}{error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
