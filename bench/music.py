"""Half a second of stereo music at 48 kHz, for encoders. The standard library is enough for it,
so that workers of peers encode the very same.
"""

import array
import math
import random

__all__ = ["FRAMES", "FRAME_BYTES", "music"]

#: Frames of 20 ms, and bytes of one as int16.
FRAMES = 25
FRAME_BYTES = 3840

_SAMPLES = FRAMES * 960
#: Pitch in Hz and balance from left (0) to right (1): a chord over a bass.
_NOTES = ((98.0, 0.5), (196.0, 0.3), (293.7, 0.7), (493.9, 0.4))
_OVERTONES = ((1, 1.0), (2, 0.35), (3, 0.2), (5, 0.09))


def music() -> list[bytes]:
    """Return the frames: a chord that glides, so that no frame is like another, and brushes."""
    noise = random.Random(1)
    left, right = [0.0] * _SAMPLES, [0.0] * _SAMPLES
    for pitch, balance in _NOTES:
        for multiple, strength in _OVERTONES:
            phase = noise.uniform(0, 2 * math.pi)
            for n in range(_SAMPLES):
                t = n / 48_000
                glide = t + 0.002 * math.sin(2 * math.pi * 5 * t)
                value = strength * math.sin(2 * math.pi * pitch * multiple * glide + phase)
                left[n] += value * (1 - balance)
                right[n] += value * balance
    for beat in range(0, _SAMPLES, 6000):
        for n in range(beat, beat + 2400):
            hit = noise.gauss(0, 1) * math.exp((beat - n) / 500)
            left[n] += 0.5 * hit
            right[n] += 0.5 * hit
    loudest = max(max(map(abs, left)), max(map(abs, right)))
    pcm = array.array("h", bytes(FRAMES * FRAME_BYTES))
    for side, signal in enumerate((left, right)):
        pcm[side::2] = array.array("h", [round(value / loudest * 20_000) for value in signal])
    data = pcm.tobytes()
    return [data[at : at + FRAME_BYTES] for at in range(0, len(data), FRAME_BYTES)]
