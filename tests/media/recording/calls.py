"""Calls to record: several speakers, each over a path of its own."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from voicekit._frame import AudioFrame

RATE = 48_000


def speech(
    packets: Iterable[bytes],
    *,
    user_id: int = 42,
    ssrc: int = 7,
    sequence: int = 65_530,
    rtp_time: int = 2**32 - 9600,
    at: float = 1000.0,
    path: float = 0.02,
    jitter: float = 0.0,
    drift: float = 0.0,
    lose: Iterable[int] = (),
    seed: int = 1,
    e2ee: bool = False,
) -> Iterator[AudioFrame]:
    """Frames of 20 ms that are spoken from ``at`` on, in the order in which they were sent."""
    rng = random.Random(seed)
    lost = frozenset(lose)
    for n, packet in enumerate(packets):
        arrived = at + 0.02 * n / (1 + drift) + path + rng.random() * jitter
        if n not in lost:
            yield AudioFrame(
                user_id,
                ssrc,
                packet,
                sequence=sequence + n,
                rtp_time=rtp_time + 960 * n,
                arrived=arrived,
                e2ee=e2ee,
            )


def together(*calls: Iterable[AudioFrame]) -> list[AudioFrame]:
    """What arrives of several speakers, in that order."""
    return sorted((frame for call in calls for frame in call), key=lambda frame: frame.arrived)


def audio_of(file: Any, track: int = 0) -> npt.NDArray[np.int16]:
    """Decode a track of a file to stereo samples at 48 kHz, as a player has them.

    Where its timestamps leave a gap there is silence.
    """
    with av.open(str(file) if isinstance(file, Path) else file) as container:
        stream = container.streams.audio[track]
        resampler = av.AudioResampler(format="s16", layout="stereo", rate=RATE)
        chunks: list[npt.NDArray[np.int16]] = []
        length = 0
        for frame in container.decode(stream):
            at = round(float(frame.time or 0) * RATE)
            # MP3's timestamps count the delay of the encoder, which is not played.
            if at - length > 100 and container.format.name != "mp3":
                chunks.append(np.zeros((at - length, 2), np.int16))
                length = at
            for out in resampler.resample(frame):
                samples = out.to_ndarray().reshape(-1, 2)
                chunks.append(samples)
                length += len(samples)
        return np.concatenate(chunks) if chunks else np.zeros((0, 2), np.int16)
