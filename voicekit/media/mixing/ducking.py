"""Ducking: music makes room while somebody speaks, and comes back."""

import math
from dataclasses import dataclass

from ..pcm import FRAME_SECONDS

__all__ = ["Ducker", "Ducking", "Voicing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ducking:
    """How much, and how fast. Raises ``ValueError`` for what is none."""

    #: dB by which what is ducked gets quieter. 12: clearly behind, and still to be followed.
    depth: float = 12.0
    #: Seconds down: within the first syllable, and no pumping.
    attack: float = 0.1
    #: Seconds up again: slow enough not to be noticed.
    release: float = 0.6
    #: Seconds after the last sound before it comes up: pauses between words are shorter.
    hold: float = 0.4
    #: dB below full scale (RMS of 20 ms), negative: quieter is no speech.
    threshold: float = -45.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("depth", 0, 100),
            ("attack", 0, 60),
            ("release", 0, 60),
            ("hold", 0, 60),
            ("threshold", -100, 0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {low} to {high}, not {value!r}")


class Voicing:
    """Whether somebody speaks, frame by frame, over the pauses between words."""

    def __init__(self, settings: Ducking) -> None:
        self._threshold = _factor(settings.threshold)
        self._hold = round(settings.hold / FRAME_SECONDS)
        self._frames_left = 0

    def hear(self, level: float) -> bool:
        """Take the level of the next frame, 0 to 1; return whether it is speech."""
        if level >= self._threshold:
            self._frames_left = self._hold + 1
        speaks = self._frames_left > 0
        self._frames_left = max(0, self._frames_left - 1)
        return speaks


class Ducker:
    """The gain of one input that others duck. It moves by dB: that is how it is heard."""

    def __init__(self, settings: Ducking) -> None:
        self._depth = settings.depth
        self._down = _per_frame(settings.depth, settings.attack)
        self._up = _per_frame(settings.depth, settings.release)
        self._decibel = 0.0  # below full

    def move(self, ducked: bool) -> float:
        """Return the gain with which the next frame ends."""
        if ducked:
            self._decibel = min(self._depth, self._decibel + self._down)
        else:
            self._decibel = max(0.0, self._decibel - self._up)
        return _factor(-self._decibel)


def _per_frame(decibel: float, seconds: float) -> float:
    return decibel if seconds <= FRAME_SECONDS else decibel * FRAME_SECONDS / seconds


def _factor(decibel: float) -> float:
    return math.pow(10, decibel / 20)
