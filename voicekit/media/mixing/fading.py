"""From one source to the next: gains that keep the loudness."""

import math

__all__ = ["equal_power"]


def equal_power(progress: float) -> tuple[float, float]:
    """Return the gains of what goes and of what comes, ``progress`` from 0 to 1 through a fade.

    The sum of their squares is 1: two different pieces of music are as loud together as each
    alone. Beyond 0 to 1 the fade has not begun, or is over.
    """
    if progress <= 0:
        return 1.0, 0.0
    if progress >= 1:
        return 0.0, 1.0
    angle = progress * math.pi / 2
    return math.cos(angle), math.sin(angle)
