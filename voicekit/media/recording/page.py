"""A recording as one HTML page: who spoke when, how loud, what was lost. Opens offline."""

import html
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..._rtp import SAMPLE_RATE
from ...errors import MediaError
from .manifest import Manifest, TrackEntry

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["draw_page", "read_levels"]

#: Columns of the drawing: about one per pixel.
COLUMNS = 1000
LANE = 48  # pixels of one track
#: What is drawn as nothing, in dB of full scale.
FLOOR = -60.0
#: Samples of raw PCM that are read at once.
CHUNK = 4800

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --faint: #8a97a6; --paper: #fbfcfd;
  --lane: #eef2f6; --spurt: #b9d7f2; --level: #1c6fb8; --loss: #d3322b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e9ef; --faint: #8492a0; --paper: #14191f;
  --lane: #1f262e; --spurt: #24425e; --level: #6fb4ee; --loss: #ff6a5e; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1rem; margin: 1.4rem 0 .2rem; }
p, table { color: var(--ink); } .faint { color: var(--faint); font-weight: normal; }
svg { width: 100%; height: 48px; display: block; background: var(--lane); border-radius: 4px; }
svg.axis { height: 18px; background: none; } svg.axis text { font-size: 11px; fill: var(--faint); }
.spurt { fill: var(--spurt); } .level { fill: var(--level); } .loss { fill: var(--loss); }
table { border-collapse: collapse; margin-top: 1.5rem; font-variant-numeric: tabular-nums; }
td, th { text-align: right; padding: .2rem .7rem; border-bottom: 1px solid var(--lane); }
td:first-child, th:first-child { text-align: left; padding-left: 0; }
.key span { display: inline-block; width: .8em; height: .8em; border-radius: 2px;
  margin: 0 .35em 0 1em; }
"""


def draw_page(manifest: Manifest, levels: dict[int, list[float]], title: str = "Recording") -> str:
    """Return the page.

    ``levels`` are those of `read_levels`, by the index of the track in the manifest.
    """
    length = max(
        [manifest.seconds, *(track.start + track.seconds for track in manifest.tracks)], default=0
    )
    length = max(length, 0.001)
    lanes = "\n".join(
        _lane(track, length, levels.get(n, [])) for n, track in enumerate(manifest.tracks)
    )
    state = {
        "recording": "This recording was not ended: it is complete up to about its last second.",
        "complete": "This recording is complete.",
        "failed": "This recording failed.",
    }[manifest.state]
    if manifest.overflowed:
        state += f" The disk was too slow for {manifest.overflowed} packets: they count as lost."
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{html.escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{html.escape(title)}</h1>
<p>{_clock(length)} in {html.escape(manifest.format)}, {len(manifest.tracks)} tracks. {state}</p>
<p class="key faint"><span style="background: var(--spurt)"></span>speaks<span
 style="background: var(--level)"></span>level<span
 style="background: var(--loss)"></span>packets lost</p>
{_axis(length)}
{lanes}
{_table(manifest)}
</body>
</html>
"""


def read_levels(path: Path, seconds: float, columns: int = COLUMNS, stream: int = 0) -> list[float]:
    """Return the loudness of each column of a file, in dB of full scale (RMS).

    Raises `MediaError` when the file can not be read; raw PCM is taken for what we write.
    """
    import numpy as np

    per_column = max(1, math.ceil(seconds * SAMPLE_RATE / columns))
    energy = np.zeros(columns)
    for position, samples in _samples_of(path, stream):
        column = position // per_column
        if 0 <= column < columns:
            energy[column] += float((samples.astype(np.float64) ** 2).mean(axis=1).sum())
    power = energy / per_column / 32_768**2
    return [round(float(level), 1) for level in 10 * np.log10(np.maximum(power, 1e-12))]


def _samples_of(path: Path, number: int) -> "Iterator[tuple[int, npt.NDArray[np.int16]]]":
    import numpy as np

    if path.suffix == ".pcm":
        with path.open("rb") as file:
            for at in itertools.count(0, CHUNK):
                data = np.frombuffer(file.read(4 * CHUNK), np.int16).reshape(-1, 2)
                if not len(data):
                    return
                yield at, data
    import av

    try:
        with av.open(str(path), "r") as container:
            audio = container.streams.audio[number]
            resampler = av.AudioResampler(format="s16", layout="stereo", rate=SAMPLE_RATE)
            for frame in container.decode(audio):
                at = round(float(frame.time or 0.0) * SAMPLE_RATE)
                for out in resampler.resample(frame):
                    yield at, np.asarray(out.to_ndarray(), np.int16).reshape(-1, 2)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise MediaError(f"{path} can not be read: {error}") from error


def _lane(track: TrackEntry, length: float, levels: list[float]) -> str:
    shapes = []
    scale = COLUMNS / length
    for begin, end in track.spurts:
        width = max(1.0, (end - begin) * scale)
        shapes.append(
            f'<rect class="spurt" x="{begin * scale:.1f}" width="{width:.1f}"'
            f' y="0" height="{LANE}"><title>{_clock(begin)} to {_clock(end)}</title></rect>'
        )
    bars = []
    for n, level in enumerate(levels):
        height = (level - FLOOR) / -FLOOR * (LANE - 8)
        if height > 0.5:
            x = (track.start + n * track.seconds / len(levels)) * scale
            bars.append(f"M{x:.1f} {(LANE + height) / 2:.1f}v-{height:.1f}")
    if bars:
        shapes.append(f'<path stroke="var(--level)" stroke-width="1" d="{"".join(bars)}"/>')
    for second, lost, concealed in track.losses:
        what = f"{_clock(second)}: {lost} lost, {concealed} concealed"
        shapes.append(
            f'<rect class="loss" x="{second * scale:.1f}" width="{max(1.5, scale):.1f}"'
            f' y="{LANE - 6}" height="6"><title>{what}</title></rect>'
        )
    drawing = "\n".join(shapes)
    return (
        f'<h2>{_name(track)} <span class="faint">{html.escape(_sentence(track))}</span></h2>\n'
        f'<svg viewBox="0 0 {COLUMNS} {LANE}" preserveAspectRatio="none">\n{drawing}\n</svg>'
    )


def _axis(length: float) -> str:
    step = next(s for s in (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 14_400, 1e9) if length / s < 12)
    marks = []
    second = 0.0
    while second < length * 0.97:
        x = second / length * 100
        marks.append(f'<text x="{x:.2f}%" y="13">{_clock(second)}</text>')
        second += step
    return f'<svg class="axis">{"".join(marks)}</svg>'


def _table(manifest: Manifest) -> str:
    heads = ("track", "file", "spoke", "frames", "lost", "concealed", "late", "encrypted")
    rows = []
    for track in manifest.tracks:
        spoke = sum(end - begin for begin, end in track.spurts)
        frames = track.e2ee_frames + track.clear_frames
        encrypted = f"{track.e2ee_frames / frames:.0%}" if frames else ""
        cells = (
            *(_name(track), html.escape(track.file or ""), _clock(spoke), f"{track.frames}"),
            *(f"{track.lost}", f"{track.concealed}", f"{track.late}", encrypted),
        )
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _name(track: TrackEntry) -> str:
    return "everybody" if track.user_id is None else f"user {track.user_id}"


def _sentence(track: TrackEntry) -> str:
    sent = track.frames + track.lost
    parts = [f"{track.lost / sent:.1%} lost"] if sent else []
    if track.error is not None:
        parts.append(f"ended early: {track.error}")
    if track.clear_frames and track.e2ee_frames:
        parts.append("not encrypted all the time")
    elif track.clear_frames:
        parts.append("not end-to-end encrypted")
    return "; ".join(parts)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
