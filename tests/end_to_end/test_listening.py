"""Two speakers and a listener on real sockets: mixed by ear, and one of them until silence."""

import math
from array import array

import numpy as np
import pytest
import trio

from voicekit.media.receiving import ListenConfig
from voicekit.opus import Encoder
from voicekit.server_info import VoiceServerInfo
from voicekit.trio import Voice, connect, serve

LOW, HIGH, EARS = 11, 12, 13
RATE, SAMPLES = 48_000, 960
TONES = {LOW: 440.0, HIGH: 1000.0}
#: Of each speaker, in frames of 20 ms.
FRAMES = {LOW: 100, HIGH: 60}


class Tone:
    """A source: a sine in Opus packets."""

    blocking = False

    def __init__(self, hertz: float, frames: int) -> None:
        encoder = Encoder(RATE, 1)
        encoder.bitrate = 64_000
        wave = [
            round(8000 * math.sin(2 * math.pi * hertz * t / RATE)) for t in range(frames * SAMPLES)
        ]
        self._packets = iter(
            [
                encoder.encode(array("h", wave[n * SAMPLES : (n + 1) * SAMPLES]))
                for n in range(frames)
            ]
        )

    def read(self) -> bytes | None:
        return next(self._packets, None)


def info(url: str, user_id: int) -> VoiceServerInfo:
    return VoiceServerInfo(
        endpoint=url,
        server_id=1,
        channel_id=2,
        user_id=user_id,
        session_id=f"s{user_id}",
        token="t",
    )


def test_a_listener_mixes_two_speakers_and_follows_one_until_silence() -> None:
    mixed: list[np.ndarray] = []
    alone: list[bytes] = []

    async def mix(ears: Voice) -> None:
        async for tick in ears.ticks(pcm=True, config=ListenConfig(channels=1)):
            total = np.zeros(SAMPLES, np.int32)
            for pcm in tick.pcm.values():
                total += np.frombuffer(pcm, np.int16)
            mixed.append(total)

    async def follow(ears: Voice) -> None:
        heard = ears.listen(
            HIGH, pcm=True, until_silence=0.3, config=ListenConfig(channels=1, silence=0.3)
        )
        async for piece in heard:
            alone.append(piece.pcm)

    async def play(voice: Voice, user: int) -> None:
        await voice.play(Tone(TONES[user], FRAMES[user]))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            listening = await nursery.start(serve)
            async with (
                connect(info(listening.url, LOW)) as low,
                connect(info(listening.url, HIGH)) as high,
                connect(info(listening.url, EARS)) as ears,
                trio.open_nursery() as mixer,
            ):
                mixer.start_soon(mix, ears)
                with trio.fail_after(30):
                    async with trio.open_nursery() as others:
                        others.start_soon(follow, ears)
                        others.start_soon(play, low, LOW)
                        others.start_soon(play, high, HIGH)
                mixer.cancel_scope.cancel()
            nursery.cancel_scope.cancel()

    trio.run(main)
    sound = np.concatenate(mixed).astype(float)
    loud = np.abs(sound) > 4000
    both = sound[loud.argmax() + 12 * SAMPLES :][: 40 * SAMPLES]
    for hertz in TONES.values():
        assert level(both, hertz) == pytest.approx(8000, rel=0.2)
    only = np.frombuffer(b"".join(alone), np.int16).astype(float)
    assert only.size >= FRAMES[HIGH] * SAMPLES
    assert level(only[5 * SAMPLES : 55 * SAMPLES], TONES[HIGH]) == pytest.approx(8000, rel=0.2)
    assert level(only[5 * SAMPLES : 55 * SAMPLES], TONES[LOW]) < 100


def level(sound: np.ndarray, hertz: float) -> float:
    """Return the amplitude of one frequency in whole periods of it."""
    t = np.arange(sound.size) / RATE
    return float(2 * abs(np.mean(sound * np.exp(-2j * np.pi * hertz * t))))
