"""The mixing bus: sums that are exact, gains that move, and a limit that does not click."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.measure import music
from voicekit.media._mix import Bus, level

Samples = npt.NDArray[np.int16]
FRAME = 960


def tone(amplitude: float, *, hertz: float = 440, samples: int = FRAME) -> Samples:
    wave = amplitude * np.sin(2 * np.pi * hertz * np.arange(samples) / 48_000)
    return np.repeat(np.rint(wave).astype(np.int16)[:, None], 2, axis=1)


def mixed(bus: Bus, *added: tuple[Samples, float, float]) -> npt.NDArray[np.int64]:
    for pcm, before, after in added:
        bus.add(np.ascontiguousarray(pcm), before, after)
    return np.frombuffer(bus.take(), np.int16).reshape(-1, 2).astype(np.int64)


def test_nothing_added_is_silence() -> None:
    assert Bus().take() == bytes(3840)
    assert Bus(480).take() == bytes(1920)


def test_one_signal_at_gain_1_comes_out_as_it_is() -> None:
    every = np.arange(-32768, 32768, dtype=np.int16).reshape(-1, 2)
    bus = Bus(len(every))
    assert np.array_equal(mixed(bus, (every, 1, 1)), every)
    bus.add(every)  # gain 1 is the default
    assert bus.take() == every.tobytes()


def test_a_sum_within_full_scale_is_exact() -> None:
    parts = [music(0.02, seed=n) // 4 for n in range(4)]
    out = mixed(Bus(), *((part, 1, 1) for part in parts))
    assert np.array_equal(out, sum(part.astype(np.int64) for part in parts))


def test_opposites_cancel_however_loud_they_are() -> None:
    loud = tone(32_000)
    out = mixed(Bus(), *[(loud, 1, 1)] * 200, *[(-loud, 1, 1)] * 200)
    assert not out.any()


def test_gains_are_factors() -> None:
    out = mixed(Bus(), (tone(20_000), 0.5, 0.5), (tone(9_000, hertz=1000), 0.25, 0.25))
    exact = tone(20_000) * 0.5 + tone(9_000, hertz=1000) * 0.25
    assert np.abs(out - exact).max() <= 0.51


def test_each_gain_moves_within_the_frame() -> None:
    flat = np.full((FRAME, 2), 10_000, np.int16)
    out = mixed(Bus(), (flat, 0, 1), (flat, 1, 0))
    assert np.abs(out - 10_000).max() <= 1, "two linear ramps that meet"
    out = mixed(Bus(), (flat, 0.2, 1.0))
    assert out[0, 0] == pytest.approx(2_000, abs=10)
    assert out[-1, 0] == 10_000
    assert np.all(np.diff(out[:, 0]) >= 0)


@pytest.mark.parametrize("count", [2, 5, 50])
def test_past_full_scale_it_bends_and_never_wraps(count: int) -> None:
    ramp = np.repeat(np.arange(-32768, 32768, 64, dtype=np.int16)[:, None], 2, axis=1)
    bus = Bus(len(ramp))
    exact = ramp.astype(np.int64) * count
    mixed(bus, *[(ramp, 1, 1)] * count)  # from here on it knows how loud it is
    out = mixed(bus, *[(ramp, 1, 1)] * count)
    assert np.all(np.diff(out[:, 0]) >= 0)
    assert np.abs(out).max() <= 32_767
    straight = np.abs(exact) < 0.75 * 32_767 - 1
    assert np.abs(out - exact)[straight].max() <= 1, "soft sounds are not bent"


def test_the_limit_comes_and_goes_without_a_click() -> None:
    """A hum with its peaks where frames meet; over it a tone that passes full scale for a while."""
    frames, gains = 6, [0, 0, 0, 1, 0, 0, 0]
    time = np.arange(frames * FRAME) / 48_000
    hum = np.rint(31_000 * np.cos(2 * np.pi * 50 * time)).astype(np.int16)
    hum = np.repeat(hum[:, None], 2, axis=1)
    over = tone(20_000, hertz=225, samples=frames * FRAME)
    bus, out = Bus(), []
    for n in range(frames):
        at = slice(FRAME * n, FRAME * (n + 1))
        out.append(mixed(bus, (hum[at], 1, 1), (over[at], gains[n], gains[n + 1])))
    whole = np.concatenate(out)[:, 0]
    assert whole.max() > 32_500, "it is limited"
    assert np.abs(np.diff(whole, 2)).max() <= 50, "1000 where the curve changes at a peak"
    assert np.array_equal(out[-1], hum[-FRAME:]), "and exact again"


def test_the_channels_are_limited_apart() -> None:
    both = tone(30_000)
    both[:, 1] //= 4
    out = mixed(Bus(), (both, 1, 1), (both, 1, 1))
    assert np.array_equal(out[:, 1], both[:, 1].astype(np.int64) * 2)
    assert np.abs(out[:, 0]).max() <= 32_767


@pytest.mark.parametrize("gain", [-0.1, math.nan, math.inf, -math.inf])
def test_a_gain_that_is_none_is_refused(gain: float) -> None:
    bus = Bus()
    with pytest.raises(ValueError, match="gain"):
        bus.add(bytes(3840), gain, 1)
    with pytest.raises(ValueError, match="gain"):
        bus.add(bytes(3840), 1, gain)
    assert bus.take() == bytes(3840)


def test_a_gain_beyond_reason_is_loud_and_no_more() -> None:
    out = mixed(Bus(), (tone(100), 1e300, 1e300), (tone(100), 1e300, 1e300))
    assert np.abs(out).max() == 32_767


@pytest.mark.parametrize("size", [0, 3838, 3839, 3844])
def test_a_frame_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="a frame has 3840 bytes"):
        Bus().add(bytes(size))


@pytest.mark.parametrize("samples", [-1, 0, 48_001])
def test_a_bus_is_for_frames(samples: int) -> None:
    with pytest.raises(ValueError, match="samples is 1 to 48000"):
        Bus(samples)
    assert Bus(120).samples == 120


def test_the_level_is_the_root_mean_square() -> None:
    assert level(b"") == 0
    assert level(bytes(3840)) == 0
    assert level(np.full((FRAME, 2), -16_384, np.int16)) == pytest.approx(0.5, rel=1e-4)
    assert level(tone(10_000, hertz=1000)) == pytest.approx(
        10_000 / 32_767 / math.sqrt(2), rel=1e-3
    )
    with pytest.raises(ValueError, match="cut"):
        level(bytes(3))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**32 - 1),
            st.integers(0, 32_767),
            st.floats(0, 3),
            st.floats(0, 3),
        ),
        max_size=5,
    )
)
def test_it_is_the_sum_that_numpy_makes(parts: list[tuple[int, int, float, float]]) -> None:
    """Noise at any level under any ramps: exact to the rounding, and bent where it is too loud."""
    bus = Bus(120)
    exact = np.zeros((120, 2))
    for seed, size, before, after in parts:
        noise = np.random.default_rng(seed).integers(-size, size + 1, (120, 2)).astype(np.int16)
        bus.add(noise, before, after)
        exact += noise * (before + (after - before) * np.arange(1, 121) / 120)[:, None]
    out = np.frombuffer(bus.take(), np.int16).reshape(-1, 2)
    for channel in (0, 1):
        heard, meant = out[:, channel].astype(np.float64), exact[:, channel]
        if np.abs(meant).max() <= 32_766:
            assert np.abs(heard - meant).max() <= 0.51
        else:
            assert np.abs(heard).max() <= 32_767
            assert np.all(np.abs(heard) <= np.abs(meant) + 0.6)
            assert np.all(heard * meant >= 0)
