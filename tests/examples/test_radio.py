"""examples/radio.py: two calls hear the same packets, and the news over the music."""

from pathlib import Path

import numpy as np
import trio

from tests.media.files import wav
from tests.media.frames import decoded
from tests.signals.calls import RATE, envelope, sine
from tests.trio.calls import EARS, collect, info, running_server, until
from voicekit.config import Config
from voicekit.trio import connect

from .loading import load

radio = load("radio")

MUSIC, NEWS = 500, 1_200


def test_calls_hear_the_same_music_and_the_news(tmp_path: Path) -> None:
    music, news = tmp_path / "music.wav", tmp_path / "news.wav"
    music.write_bytes(wav(sine(MUSIC, 0, RATE)))  # a second, again and again
    news.write_bytes(wav(sine(NEWS, 0, RATE // 2)))
    heard: list[list[bytes]] = [[], []]

    async def main() -> None:
        async with running_server() as listening, trio.open_nursery() as nursery:

            async def listen(guild: int) -> None:
                async with connect(
                    info(listening.url, EARS, guild=guild), config=Config(receive_only=True)
                ) as ears:
                    await collect(ears.frames(), heard[guild - 1])

            nursery.start_soon(listen, 1)
            nursery.start_soon(listen, 2)
            nursery.start_soon(radio.main, listening.url, "2", str(music), str(news), 0.5)
            with trio.fail_after(20):
                await until(lambda: min(map(len, heard)) > 90)
            nursery.cancel_scope.cancel()

    trio.run(main)
    one, two = heard
    length = min(len(one), len(two)) - 5
    common = [packet for packet in one[:length] if packet in set(two)]
    assert len(common) > length - 5, "the same bytes, but for where each began"
    samples = decoded(one)[:, 0].astype(np.float64)
    assert envelope(samples, MUSIC).max() > 7_000
    assert envelope(samples, NEWS).max() > 7_000
    over = envelope(samples, NEWS) > 7_500
    assert np.median(envelope(samples, MUSIC)[over]) < 4_000, "it makes room"
