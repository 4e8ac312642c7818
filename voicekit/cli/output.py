"""What commands print: JSON lines for scripts, sentences and a progress bar for people."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["Report"]


class Report:
    """Prints the events of one command, each either as JSON or as a sentence."""

    def __init__(self, json: bool) -> None:
        self.json = json
        self._encode = msgspec.json.Encoder(enc_hook=str).encode

    def event(self, name: str, sentence: str | None = None, /, **members: object) -> None:
        """Print one event; without a sentence people do not see it."""
        if self.json:
            line = self._encode({"event": name, **members}).decode()
            print(line, flush=True)
        elif sentence is not None:
            print(sentence, flush=True)

    @contextmanager
    def progress(self, what: str, total: float | None) -> "Iterator[Bar]":
        """Show a bar on a terminal, nothing elsewhere. ``total`` in seconds."""
        console = Console(stderr=True)
        if self.json or not console.is_terminal:
            yield Bar(None, None)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f} s"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            yield Bar(progress, progress.add_task(what, total=total))

    def warn(self, sentence: str) -> None:
        """Print a line on stderr."""
        print(f"voicekit: {sentence}", file=sys.stderr, flush=True)


class Bar:
    """A progress bar, or nothing."""

    def __init__(self, progress: "Progress | None", task: "object | None") -> None:
        self._progress = progress
        self._task = task

    def update(self, seconds: float) -> None:
        """Show how far it is."""
        if self._progress is not None:
            self._progress.update(self._task, completed=seconds)  # type: ignore[arg-type]
