"""How close a decoded recording is to what was played.

The measure: align both by cross-correlation (codecs and files add a delay), then compare.
Signal to difference, in dB, is ``10 log10(sum(s²) / sum((s - d)²))``. Over the whole signal it
says how good the codec is, but one wrong frame of 20 ms among 3000 hardly moves it: so it is
also taken frame by frame, where a frame in a wrong place stands out.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float64]

SAMPLE_RATE = 48_000
FRAME = 960
#: Furthest that a decoded signal may lag, in samples: codec lookahead, resampler, pre-skip.
MAX_LAG = 4_800
#: Frames below this RMS (of int16 full scale 1) are silence, where the ratio says nothing.
SILENCE = 10 ** (-50 / 20)

#: What a faithful call reaches at 128 kbit/s, overall and in its worst audible frame. `music`
#: has 25 and 18 dB; with any two neighbours swapped, below 9 in the worst.
MIN_SNR = 10.0
MIN_FRAME_SNR = 10.0


@dataclass(frozen=True)
class Fidelity:
    """The verdict on one decoded signal."""

    lag: int  # samples by which it comes later than the source
    snr: float  # dB, all of it
    worst: float  # dB, the worst audible frame of 20 ms
    worst_frame: int

    @property
    def faithful(self) -> bool:
        return self.snr >= MIN_SNR and self.worst >= MIN_FRAME_SNR


def measure(source: npt.NDArray[Any], decoded: npt.NDArray[Any]) -> Fidelity:
    """Compare two int16 signals of shape (samples, channels).

    The last frame of the source is left out: an encoder still holds its end when the file ends.
    """
    s, d = _scaled(source)[:-FRAME], _scaled(decoded)
    lag = find_lag(s, d)
    length = min(len(s) - max(0, -lag), len(d) - max(0, lag)) // FRAME * FRAME
    s, d = s[max(0, -lag) :][:length], d[max(0, lag) :][:length]
    frames = (s**2).reshape(-1, FRAME * s.shape[1])
    wrong = ((s - d) ** 2).reshape(frames.shape)
    audible = np.sqrt(frames.mean(axis=1)) > SILENCE
    per_frame = np.where(audible, _decibel(frames.sum(axis=1), wrong.sum(axis=1)), np.inf)
    worst = int(per_frame.argmin())
    return Fidelity(lag, float(_decibel(frames.sum(), wrong.sum())), float(per_frame[worst]), worst)


def find_lag(source: Signal, decoded: Signal) -> int:
    """Samples by which ``decoded`` comes later, by the peak of the cross-correlation."""
    length = min(len(source), len(decoded), 10 * SAMPLE_RATE)
    size = 1 << (2 * length - 1).bit_length()
    spectra = [np.fft.rfft(x[:length].mean(axis=1), size) for x in (source, decoded)]
    correlation = np.fft.irfft(spectra[1] * spectra[0].conj(), size)
    lags = np.concatenate((correlation[-MAX_LAG:], correlation[: MAX_LAG + 1]))
    return int(lags.argmax()) - MAX_LAG


def music(seconds: float, *, seed: int = 1) -> npt.NDArray[np.int16]:
    """Gliding chords with overtones over a bass, and soft percussion: shape (samples, 2).

    The pitches never stand still, so that no frame looks like its neighbour.
    """
    rng = np.random.default_rng(seed)
    total = round(seconds * SAMPLE_RATE)
    step = SAMPLE_RATE // 2
    out = np.zeros((total + 2 * step, 2))
    t = np.arange(2 * step) / SAMPLE_RATE
    fade = np.minimum(1, t / 0.01) * np.minimum(1, t[::-1] / 0.05) * np.exp(-2 * t)
    glide = 2 * np.pi * np.cumsum(1 + 0.02 * np.sin(2 * np.pi * 5 * t)) / SAMPLE_RATE
    for start in range(0, total, step):
        root = int(rng.choice([45, 48, 50, 52, 53, 55]))
        for note in (root - 12, root, root + 7, root + 16):
            pan = rng.uniform(0.2, 0.8)
            phase = 440 * 2 ** ((note - 69) / 12) * glide + rng.uniform(0, 6)
            tone = sum(np.sin(k * phase) / k**1.5 for k in (1, 2, 3, 5))
            out[start : start + 2 * step] += np.outer(tone * fade, [1 - pan, pan])
        hit = rng.standard_normal(2400) * np.exp(-np.arange(2400) / 300)
        out[start : start + 2400] += 0.08 * hit[:, None]
    out = out[:total]
    return np.int16(np.round(out / np.abs(out).max() * 20_000))


def _scaled(signal: npt.NDArray[Any]) -> Signal:
    return np.asarray(signal, np.float64).reshape(len(signal), -1) / 32_768


def _decibel(signal: npt.NDArray[Any], noise: npt.NDArray[Any]) -> npt.NDArray[Any]:
    floor = 1e-12  # 240 dB below a full frame: equal signals
    return 10 * np.log10(np.maximum(signal, floor) / np.maximum(noise, floor))
