"""What commands print: JSON lines for scripts, sentences and a progress bar for people."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

__all__ = ["Bar", "Report"]


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
            yield Bar()
            return
        columns = (
            TextColumn("{task.description}", markup=False),  # names may have brackets
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

    def __init__(self, progress: Progress | None = None, task: TaskID | None = None) -> None:
        self._progress = progress
        self._task = task

    def begin(self, what: str, total: float | None) -> None:
        """Show the next thing, from its beginning. ``total`` in seconds, None if unknown."""
        if self._progress is not None and self._task is not None:
            name = what.rpartition("/")[2] or what
            self._progress.reset(self._task, description=name, total=total)

    def update(self, seconds: float) -> None:
        """Show how far it is."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=seconds)
