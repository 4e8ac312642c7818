"""Speech through a network that loses 5 %: what is recorded is closer to it than with holes.

The measure is the log-spectral distance to what is recorded without loss: the RMS over frequency of
the difference in dB, the mean over frames of 20 ms, which all count, also those that were not lost.
"""

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from tests.media.frames import decoded
from tests.media.recording.calls import RATE, audio_of
from tests.reference import ogg
from voicekit import AudioFrame
from voicekit.link import Burst, Link
from voicekit.media import Recorder
from voicekit.media.ogg import PRE_SKIP
from voicekit.media.recording.decoding import DecodedSink
from voicekit.media.recording.wav import WavFile
from voicekit.opus import Encoder
from voicekit.testing import Pair

FRAME = 960
SECONDS = 12
#: Where spectra are equal: 60 dB below full scale, in the unit of a windowed frame's spectrum.
FLOOR = 30.0


def speech(seconds: float = SECONDS, *, seed: int = 1) -> npt.NDArray[np.int16]:
    """Syllables of gliding pitch through three formants, some hisses, and pauses between words."""
    rng = np.random.default_rng(seed)
    total = round(seconds * RATE)
    out = np.zeros(total)
    vowels = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))
    at = 0
    while at < total:
        for _ in range(rng.integers(2, 6)):  # a word
            length = round(rng.uniform(0.12, 0.28) * RATE)
            t = np.arange(length) / RATE
            fade = np.minimum(1, np.minimum(t, t[::-1]) / 0.025)
            pitch = rng.uniform(100, 150) * (1 - 0.15 * t / t[-1])
            phase = 2 * np.pi * np.cumsum(pitch) / RATE
            formants = vowels[rng.integers(len(vowels))]
            voice = np.zeros(length)
            for k in range(1, 36):
                gain = sum(
                    g / (1 + ((k * pitch[0] - centre) / 110) ** 2)
                    for g, centre in zip((1.0, 0.5, 0.25), formants, strict=True)
                )
                voice += gain * np.sin(k * phase)
            if rng.random() < 0.4:
                hiss = np.diff(rng.standard_normal(length + 1))
                voice = 0.15 * hiss
            end = min(at + length, total)
            out[at:end] += (voice * fade)[: end - at]
            at += length
        at += round(rng.uniform(0.15, 0.6) * RATE)
    return np.repeat(np.int16(out / np.abs(out).max() * 14_000)[:, None], 2, axis=1)


def encoded(*, fec: bool) -> list[bytes]:
    encoder = Encoder(application="voip")
    encoder.bitrate = 32_000
    if fec:
        encoder.inband_fec, encoder.packet_loss_perc = 1, 10
    pcm = speech()
    return [encoder.encode(pcm[at : at + FRAME]) for at in range(0, len(pcm), FRAME)]


def received(packets: list[bytes], spoil: Callable[[Link], None]) -> list[AudioFrame]:
    """Play through the server to somebody whose way from it is bad, but for the first packet."""
    links = [Link(seed=1), Link(seed=2)]
    pair = Pair(clients=2, downlink=lambda number: links[number - 1])
    pair.connect()
    player, ears = pair.clients
    pair.play(player, packets)
    pair.drive(0.01)
    spoil(links[1])
    pair.drive(len(packets) * 0.02 + 1)
    return ears.frames


class WithHoles(DecodedSink):
    """What a recorder is without concealment."""

    def conceal(self, samples: int, following: bytes = b"") -> None:
        self._writer.silence(samples)


def recorded(frames: list[AudioFrame], file_format: str) -> npt.NDArray[np.int16]:
    """Return what a player makes of a recording."""
    if file_format == "holes":
        file = io.BytesIO()
        recorder = Recorder(None, lambda user: WithHoles(WavFile(file)))
    else:
        recorder = Recorder(None, file_format)
    for frame in frames:
        recorder.write(frame)
    (track,) = recorder.close()
    assert track.error is None
    if file_format != "holes":
        (kept,) = recorder.recordings.values()
        assert isinstance(kept, io.BytesIO)
        file = kept
    if file_format == "ogg":
        # As browsers and opusdec do. FFmpeg's own Opus decoder makes little of what is missing.
        pages = ogg.parse(file.getvalue())
        heard = decoded([packet for page in pages for packet in page.packets][2:])
        return heard[PRE_SKIP:]
    return audio_of(io.BytesIO(file.getvalue()))


def distance(one: npt.NDArray[np.int16], other: npt.NDArray[np.int16]) -> float:
    """Return the log-spectral distance in dB."""
    spectra = []
    length = min(len(one), len(other)) // FRAME * FRAME
    for pcm in (one, other):
        windows = pcm[:length].mean(axis=1).reshape(-1, FRAME) * np.hanning(FRAME)
        spectra.append(20 * np.log10(np.abs(np.fft.rfft(windows)) + FLOOR))
    return float(np.sqrt(np.square(spectra[0] - spectra[1]).mean(axis=1)).mean())


def lose_some(link: Link) -> None:
    link.loss = 0.05


def lose_bursts(link: Link) -> None:
    link.burst = Burst(enter=0.02, leave=0.4, loss=1.0)


LOSSES = {"single": lose_some, "bursts": lose_bursts}


@pytest.mark.parametrize("fec", [False, True], ids=["", "fec"])
@pytest.mark.parametrize("losses", LOSSES)
def test_what_was_lost_is_a_fifth_closer_than_without_concealment(losses: str, fec: bool) -> None:
    packets = encoded(fec=fec)
    whole = recorded(received(packets, lambda link: None), "wav")
    frames = received(packets, LOSSES[losses])
    lost = 1 - len(frames) / len(packets)
    assert 0.03 < lost < 0.08
    silent = distance(whole, recorded(frames, "holes"))
    gains = {
        file_format: 1 - distance(whole, recorded(frames, file_format)) / silent
        for file_format in ("wav", "ogg")
    }
    print(f"{losses} {fec=}: {lost:.1%} lost, {silent:.2f} dB with holes, closer by {gains}")
    assert gains["wav"] >= 0.2
    assert gains["ogg"] >= 0.2
