"""``recording.json`` beside the tracks: what is complete, who spoke when, what was lost.

It is replaced as a whole, so that a reader finds the old one or the new one, never half of one.
"""

import os
from pathlib import Path
from typing import Literal

import msgspec

from ...errors import MediaError
from .activity import Activity

__all__ = ["MANIFEST", "Manifest", "Track", "TrackEntry", "read_manifest", "write_manifest"]

MANIFEST = "recording.json"
VERSION = 1

State = Literal["recording", "complete", "failed"]


class Track(msgspec.Struct, frozen=True):
    """One recorded track."""

    user_id: int | None  #: None: the mix of all
    path: Path | None  #: the file; None: in memory, or a sink of your own
    seconds: float  #: its length
    frames: int  #: packets written
    lost: int  #: packets that never came, or too late, or were no Opus
    concealed: int  #: those of them whose place was filled
    late: int  #: packets that came after their place had been given up, or twice
    start: float = 0.0  #: seconds from the beginning of the recording to its first frame
    error: str | None = None  #: why it ended early; what came before is in the file


class TrackEntry(msgspec.Struct, frozen=True):
    """One track in the manifest. Times are in seconds from the beginning of the recording."""

    user_id: int | None  #: None: the mix
    file: str | None  #: name in the same directory
    state: State  #: ``failed``: complete up to where the sink failed
    start: float  #: where the file begins
    first: float  #: where the first frame is
    seconds: float  #: length of the file so far
    frames: int
    lost: int
    concealed: int
    late: int
    e2ee_frames: int  #: frames that came end-to-end encrypted
    clear_frames: int  #: frames that did not; silence frames are in neither
    error: str | None = None
    spurts: list[tuple[float, float]] = []  #: begin and end of what was said
    losses: list[tuple[int, int, int]] = []  #: second, packets lost in it, of which concealed
    e2ee: list[tuple[float, bool]] = []  #: from when on it was encrypted, or was not


class Manifest(msgspec.Struct, frozen=True):
    """All of one recording."""

    state: State
    format: str
    began: float | None  #: Unix time of the beginning, where it was told
    seconds: float  #: from there to the last frame
    tracks: list[TrackEntry]
    pauses: list[tuple[float, float]] = []  #: when recording was paused
    overflowed: int = 0  #: frames that were left out because the disk was too slow
    version: int = VERSION


def entry_of(track: Track, activity: Activity | None, begin: float, state: State) -> TrackEntry:
    """Describe a track and its activity."""
    return TrackEntry(
        user_id=track.user_id,
        file=track.path.name if track.path else None,
        state="failed" if track.error else state,
        start=begin,
        first=track.start,
        seconds=round(track.seconds, 6),
        frames=track.frames,
        lost=track.lost,
        concealed=track.concealed,
        late=track.late,
        e2ee_frames=activity.encrypted if activity else 0,
        clear_frames=activity.clear if activity else 0,
        error=track.error,
        spurts=activity.all_spurts() if activity else [],
        losses=activity.losses if activity else [],
        e2ee=activity.encryption if activity else [],
    )


def write_manifest(path: Path, manifest: Manifest) -> int:
    """Replace the manifest; return its size. Raises `MediaError`."""
    data = msgspec.json.encode(manifest)
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    except OSError as error:
        raise MediaError(f"can not write {path}: {error.strerror}") from error
    return len(data)


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Read ``recording.json``, or the latest one of a directory. Raises `MediaError`."""
    where = Path(path)
    if where.is_dir():
        stem, ending = MANIFEST.split(".")
        there = where.glob(f"{stem}*.{ending}")
        where = max(there, key=lambda one: one.stat().st_mtime_ns, default=where / MANIFEST)
    try:
        return msgspec.json.decode(where.read_bytes(), type=Manifest)
    except OSError as error:
        raise MediaError(f"can not read {where}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise MediaError(f"{where} is not the manifest of a recording: {error}") from error
