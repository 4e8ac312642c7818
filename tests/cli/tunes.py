"""Files to play: made here, never stored."""

import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 48_000


def tune(seconds: float) -> "np.ndarray[tuple[int, int], np.dtype[np.int16]]":
    """A melody over a chord with a little noise: samples x 2, different left and right."""
    time = np.arange(round(seconds * RATE)) / RATE
    random = np.random.default_rng(1)
    notes = [262, 330, 392, 523, 494, 392, 349, 294]
    step = np.floor(time / 0.4).astype(int)
    pitch = np.choose(step % len(notes), notes)
    phase = 2 * math.pi * np.cumsum(pitch) / RATE
    envelope = np.exp(-3 * (time % 0.4)) * np.minimum(1, (time % 0.4) / 0.005)
    melody = envelope * (np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.2 * np.sin(3 * phase))
    chord = sum(np.sin(2 * math.pi * f * time) for f in (131, 165, 196)) / 6
    noise = 0.003 * random.standard_normal(len(time))
    left, right = 0.4 * melody + 0.3 * chord + noise, 0.3 * melody + 0.4 * chord - noise
    return (np.stack([left, right], axis=1) * 0.6 * 32767).astype(np.int16)


def write_tune(path: Path, seconds: float) -> Path:
    """Write `tune` in the format that the suffix names; .ogg is Opus in 20 ms packets."""
    samples = tune(seconds)
    codec = {".ogg": "libopus", ".wav": "pcm_s16le", ".mp3": "libmp3lame", ".flac": "flac"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec[path.suffix], rate=RATE)
        stream.layout = "stereo"
        if path.suffix in (".ogg", ".mp3"):
            stream.bit_rate = 128_000
        for start in range(0, len(samples), 960):
            block = samples[start : start + 960]
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(block).reshape(1, -1), format="s16", layout="stereo"
            )
            frame.sample_rate = RATE
            frame.pts = start
            frame.time_base = Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
