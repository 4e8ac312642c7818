"""The commands, and how an error becomes one line."""

import sys
from typing import Annotated

import typer

from ..errors import VoicekitError
from . import demo, doctor, play, record, serve

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


app.command("serve")(serve.serve)
app.command("play")(play.play)
app.command("record")(record.record)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)


def run(arguments: list[str]) -> int:
    """Run one command line; return the exit code."""
    try:
        code = app(arguments, prog_name="voicekit", standalone_mode=False)
    except typer.Abort:
        return 130
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
