"""``voicekit report``: a recording drawn as one page of HTML."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import MediaError
from ..media.recording import Manifest, read_manifest
from ..media.recording.page import draw_page, read_levels
from .options import Json
from .output import Report

__all__ = ["report"]


def report(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="What `voicekit record` wrote into.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Where to write it; DIR/report.html by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Draw who spoke when, how loud, and what was lost, as one page that opens offline."""
    printed = Report(json)
    manifest = read_manifest(directory)
    target = out or directory / "report.html"
    levels = _levels(manifest, directory, printed)
    name = directory.resolve().name
    try:
        target.write_text(draw_page(manifest, levels, name), encoding="utf-8")
    except OSError as error:
        raise MediaError(f"can not write {target}: {error.strerror}") from error
    printed.event("done", f"{target}", path=target, tracks=len(manifest.tracks))


def _levels(manifest: Manifest, directory: Path, printed: Report) -> dict[int, list[float]]:
    levels: dict[int, list[float]] = {}
    streams: dict[str, int] = {}
    for n, track in enumerate(manifest.tracks):
        if track.file is None:
            continue
        stream = streams[track.file] = streams.get(track.file, -1) + 1
        try:
            levels[n] = read_levels(directory / track.file, track.seconds, stream=stream)
        except MediaError as error:  # the rest is worth drawing
            printed.warn(str(error))
    return levels
