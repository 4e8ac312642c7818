"""What tests of `Voice.player` share: a call with ears, sources that can be told apart."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from voicekit.codes import SILENCE_FRAME
from voicekit.config import Config
from voicekit.driver.playing import PlayingCall as Voice
from voicekit.media import AudioSource
from voicekit.media.player import PlayerEvent
from voicekit.media.sources.source import checked_seconds
from voicekit.opus import Decoder

from ..trio.calls import EARS, GUILD, MOUTH, collect, info
from .libraries import Listening, Network, lib

Samples = npt.NDArray[np.int16]


def packets(tag: int, count: int) -> list[bytes]:
    """Opus packets of 20 ms that say whose they are, and which."""
    return [bytes([0xF8, tag]) + n.to_bytes(4, "big") * 20 for n in range(count)]


class Song:
    """Packets with places to go to; it never blocks."""

    blocking = False
    seekable = True

    def __init__(self, tag: int, count: int) -> None:
        self.packets = packets(tag, count)
        self.at = 0

    @property
    def position(self) -> float:
        return self.at * 0.02

    def read(self) -> bytes | None:
        if self.at >= len(self.packets):
            return None
        self.at += 1
        return self.packets[self.at - 1]

    def seek(self, seconds: float) -> None:
        self.at = round(checked_seconds(seconds, "seconds") / 0.02)


class Signal(AudioSource):
    """Samples; it never blocks."""

    blocking = False

    def __init__(self, samples: Samples, **options: Any) -> None:
        super().__init__(**options)
        self.samples = samples
        self.at = 0

    @property
    def padding(self) -> int:
        return max(0, 4 * (self.at - len(self.samples)))

    def next_pcm(self) -> bytes | None:
        if self.at >= len(self.samples):
            return None
        frame = self.samples[self.at : self.at + 960].tobytes()
        self.at += 960
        return frame.ljust(3840, b"\0")


def tone(seconds: float, pitch: float = 440.0, level: float = 8000.0) -> Samples:
    wave = level * np.sin(np.arange(round(seconds * 48_000)) * (pitch * np.pi / 24_000))
    return np.repeat(np.round(wave).astype(np.int16)[:, None], 2, axis=1)


def decoded(opus: list[bytes]) -> npt.NDArray[np.float64]:
    """Return one channel of what receivers hear, without the 6.5 ms by which Opus is late."""
    decoder = Decoder()
    pcm = b"".join(decoder.decode(packet) for packet in opus if packet != SILENCE_FRAME)
    return np.frombuffer(pcm, np.int16).reshape(-1, 2)[312:, 0].astype(float)


def levels(signal: npt.NDArray[np.float64], step: int = 960) -> npt.NDArray[np.float64]:
    """Return the root mean square of each 20 ms."""
    whole = signal[: len(signal) // step * step].reshape(-1, step)
    return np.asarray(np.sqrt((whole**2).mean(axis=1)))


@asynccontextmanager
async def ears_and_mouth(
    listening: Listening, network: Network, *, guild: int = GUILD
) -> AsyncIterator[tuple[Voice, Voice]]:
    """Join a call twice: with a client that only receives, and one that sends."""
    receive_only = Config(receive_only=True)
    url = listening.url
    async with (
        lib.connect(info(url, EARS, guild=guild), config=receive_only, network=network) as ears,
        lib.connect(info(url, MOUTH, guild=guild), network=network) as mouth,
    ):
        yield ears, mouth


@asynccontextmanager
async def playing(
    listening: Listening, network: Network
) -> AsyncIterator[tuple[Voice, list[bytes]]]:
    """A call, and what somebody hears of it."""
    heard: list[bytes] = []
    async with (
        ears_and_mouth(listening, network) as (ears, mouth),
        lib.open_nursery() as nursery,
    ):
        nursery.start_soon(collect, ears.frames(), heard)
        yield mouth, heard
        with lib.fail_after(60):
            await mouth.player.wait_for_stopped()
            await lib.sleep(0.1)
        nursery.cancel_scope.cancel()


def in_call(use: Callable[[Voice, list[bytes]], Awaitable[None]], **keywords: Any) -> list[bytes]:
    """Run ``use`` in a call in memory, on a mock clock; return the packets that were heard."""
    heard: list[bytes] = []

    async def main(listening: Listening, network: Network) -> None:
        async with playing(listening, network) as (voice, packets):
            await use(voice, packets)
        heard.extend(packets)

    lib.in_memory(main, **keywords)
    return [packet for packet in heard if packet != SILENCE_FRAME]


def kinds(events: list[PlayerEvent]) -> list[str]:
    return [type(event).__name__ for event in events]
