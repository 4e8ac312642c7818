"""A minute of music at 128 kbit/s, through our encoder, a file and our decoder; and the measure."""

import numpy as np
import pytest

from tests.measure import FRAME, MIN_SNR, find_lag, measure, music
from tests.media.frames import decoded, encoded


@pytest.fixture(scope="module")
def minute() -> tuple[np.ndarray, list[bytes]]:
    pcm = music(60)
    return pcm, encoded(pcm)


def test_a_minute_of_music_stands_10_db_above_its_difference(
    minute: tuple[np.ndarray, list[bytes]],
) -> None:
    pcm, packets = minute
    assert len(packets) == 3000
    assert sum(map(len, packets)) * 8 / 60 == pytest.approx(128_000, rel=0.05)
    verdict = measure(pcm, decoded(packets))
    assert verdict.lag == 312
    assert verdict.snr > MIN_SNR + 10
    assert verdict.faithful


@pytest.mark.parametrize("at", [7, 1000, 1499, 2990])
def test_two_swapped_frames_of_3000_fail_the_check(
    minute: tuple[np.ndarray, list[bytes]], at: int
) -> None:
    pcm, packets = minute
    swapped = [*packets]
    swapped[at], swapped[at + 1] = swapped[at + 1], swapped[at]
    verdict = measure(pcm, decoded(swapped))
    assert verdict.snr > MIN_SNR, "over a minute it does not show"
    assert not verdict.faithful
    assert abs(verdict.worst_frame - at) <= 2


@pytest.mark.parametrize("change", ["one lost", "one twice", "one silent"])
def test_one_wrong_frame_fails_the_check(
    minute: tuple[np.ndarray, list[bytes]], change: str
) -> None:
    pcm, packets = minute
    out = decoded(packets)
    at = 1500 * FRAME
    if change == "one silent":
        out = out.copy()
        out[at : at + FRAME] = 0
    elif change == "one lost":
        out = np.delete(out, np.s_[at : at + FRAME], axis=0)
    else:
        out = np.insert(out, at, out[at - FRAME : at], axis=0)
    assert not measure(pcm, out).faithful


@pytest.mark.parametrize("lag", [-1000, -1, 0, 1, 312, 4000])
def test_the_lag_is_found_to_the_sample(lag: int) -> None:
    pcm = music(2) / 32768
    silence = np.zeros((abs(lag), 2))
    later = np.concatenate((silence, pcm))
    assert find_lag(*((pcm, later) if lag >= 0 else (later, pcm))) == lag


def test_silence_is_not_held_against_it() -> None:
    pcm = np.concatenate((music(1), np.zeros((48_000, 2), np.int16), music(1, seed=2)))
    noise = np.random.default_rng(1).integers(-2, 3, pcm.shape)
    assert measure(pcm, pcm + noise).faithful
    assert measure(pcm, pcm).snr > 100
