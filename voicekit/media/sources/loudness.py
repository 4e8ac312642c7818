"""Playing everything equally loud: EBU R128, by one gain for a whole file."""

import math

__all__ = ["LOUDNESS", "normalising_gain"]

#: LUFS. EBU R128 has -23 for broadcast, music services play at -14 to -16; people talk in
#: calls at about -20.
LOUDNESS = -16.0

#: dB below full scale that the loudest sample keeps: codecs overshoot.
_PEAK = -1.0
#: dB. Nearly silent files are noise: it should not roar.
_MOST = 24.0


def normalising_gain(loudness: float, peak: float, target: float = LOUDNESS) -> float:
    """Return the factor that brings a signal to ``target`` LUFS.

    ``loudness`` in LUFS, ``peak`` in dB below full scale. Dynamics stay as they are: music with
    loud peaks stays quieter than the target rather than be squeezed.
    """
    if math.isinf(loudness):
        return 1.0
    decibel = min(target - loudness, _PEAK - peak, _MOST)
    return float(10 ** (decibel / 20))
