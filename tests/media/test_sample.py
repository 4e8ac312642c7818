"""The bundled tune."""

import hashlib

import numpy as np

from tests.measure import measure
from tests.media.frames import decoded
from voicekit._rtp import opus_duration
from voicekit.media import open_sample
from voicekit.media.sources.sample import SAMPLE_FRAMES, sample_pcm


def test_it_is_six_seconds_and_never_clips() -> None:
    pcm = np.array(sample_pcm())
    assert len(pcm) == 2 * 6 * 48_000
    assert 8_000 < np.abs(pcm).max() < 30_000
    quiet = np.abs(pcm.reshape(-1, 2400)).max(axis=1)
    assert quiet[:-2].min() > 100, "there is always something to hear"


def test_it_is_the_same_every_time() -> None:
    digests = {hashlib.sha256(sample_pcm().tobytes()).hexdigest() for _ in range(2)}
    assert len(digests) == 1


def test_it_plays_as_300_frames_and_sounds_like_itself() -> None:
    source = open_sample()
    frames = list(iter(source.read, None))
    assert source.read() is None
    source.close()
    assert (source.duration, source.passthrough) == (6.0, False)
    assert len(frames) == SAMPLE_FRAMES
    assert {opus_duration(frame) for frame in frames} == {960}
    assert len(set(frames)) == SAMPLE_FRAMES, "a lost or doubled frame can be told"
    assert measure(np.array(sample_pcm()).reshape(-1, 2), decoded(frames)).snr > 20


def test_it_can_be_stopped() -> None:
    source = open_sample()
    assert source.read()
    source.close()
    assert source.read() is None
