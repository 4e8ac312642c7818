"""A call on a virtual clock: one client plays, another records, and the samples are measured."""

import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.drivers.libraries import Listening, Network, lib
from tests.drivers.players import ears_and_mouth
from voicekit.driver.playing import PlayingCall as Voice
from voicekit.media import AudioSource, Recorder, open_source
from voicekit.server import ServerConfig

RATE, FRAME = 48_000, 960

Signal = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Heard:
    """What one client recorded of the other."""

    samples: Signal  #: of the left channel, int16 scale
    began: float  #: when the first frame came, on the clock of the call

    def at(self, now: float) -> int:
        """Return the sample that a frame which left just then begins with."""
        return round((now - self.began) * RATE)


class Tone(AudioSource):
    """A sine without an end, that never blocks."""

    blocking = False

    def __init__(self, hertz: float, seconds: float = 1e9, amplitude: float = 8_000) -> None:
        super().__init__()
        self._hertz = hertz
        self._amplitude = amplitude
        self._left = round(seconds * RATE)
        self._at = 0

    def next_pcm(self) -> bytes | None:
        count = min(FRAME, self._left)
        if count == 0:
            return None
        self._left -= count
        wave = sine(self._hertz, self._at, count, self._amplitude)
        self._at += count
        return wave.tobytes().ljust(FRAME * 4, b"\0")


def sine(hertz: float, start: int, count: int, amplitude: float = 8_000) -> npt.NDArray[np.int16]:
    """Samples of both channels."""
    wave = amplitude * np.sin(2 * np.pi * hertz * np.arange(start, start + count) / RATE)
    return np.repeat(np.rint(wave).astype(np.int16)[:, None], 2, axis=1)


def prompt(file: bytes, **settings: Any) -> AudioSource:
    """A file in memory, read where the ring is filled: no thread, so the clock may be virtual."""
    source = open_source(file, **settings)
    source.blocking = False
    return source


def record_what(
    play: Callable[[Voice], Awaitable[object]],
    *,
    config: ServerConfig | None = None,
) -> Heard:
    """Return the recording of what ``play`` plays into a call."""
    recorder = Recorder(None, "pcm")
    arrivals: list[float] = []

    async def use(listening: Listening, network: Network) -> None:
        async with (
            ears_and_mouth(listening, network) as (ears, mouth),
            lib.open_nursery() as nursery,
        ):

            async def listen() -> None:
                async for frame in ears.frames():
                    arrivals.append(frame.arrived)
                    recorder.write(frame)

            nursery.start_soon(listen)
            await play(mouth)
            await lib.sleep(0.5)
            nursery.cancel_scope.cancel()

    lib.in_memory(use, config)
    recorder.close()
    (file,) = recorder.recordings.values()
    assert isinstance(file, io.BytesIO)
    samples = np.frombuffer(file.getvalue(), "<i2").reshape(-1, 2)[:, 0].astype(np.float64)
    return Heard(samples, arrivals[0])


def envelope(samples: Signal, hertz: float, window: int = 480, step: int = 48) -> Signal:
    """The amplitude of a tone over time, one value each ``step``: windows of 10 ms around it.

    Exact for a constant amplitude where the window holds whole periods.
    """
    wave = samples * np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / RATE)
    sums = np.concatenate(([0], np.cumsum(wave)))
    starts = np.arange(0, len(samples) - window, step)
    return np.asarray(2 * np.abs(sums[starts + window] - sums[starts]) / window)


def phases(samples: Signal, hertz: float, window: int = 480) -> Signal:
    """The phase of a tone over time, one value per window, unwrapped: constant if it goes on."""
    count = len(samples) // window
    wave = samples[: count * window] * np.exp(
        -2j * np.pi * hertz * np.arange(count * window) / RATE
    )
    return np.asarray(np.unwrap(np.angle(wave.reshape(count, window).sum(axis=1))))
