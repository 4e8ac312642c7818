"""Radio: radio.py ENDPOINT CALLS MUSIC NEWS (endpoint such as ws://127.0.0.1:4000).

The same music in several calls, and now and then the news, for which it makes room. It is decoded,
mixed and encoded once, however many calls there are.
"""

import sys
from contextlib import closing

import trio

import voicekit.trio
from voicekit import VoiceServerInfo
from voicekit.media import Broadcast, Mixer, open_source


async def call(info: VoiceServerInfo, radio: Broadcast) -> None:
    """Be one call, until the radio ends."""
    async with voicekit.trio.connect(info) as voice:
        await voice.play(radio.listen())


async def read_news(mixer: Mixer, news: str, interval: float) -> None:
    """Put the news over the music, again and again."""
    while True:
        await trio.sleep(interval)
        speech = await trio.to_thread.run_sync(open_source, news)
        mixer.add(speech, ducks=True)


async def main(endpoint: str, calls: str, music: str, news: str, interval: float = 60.0) -> None:
    mixer = Mixer(await trio.to_thread.run_sync(lambda: open_source(music, loop=True)))
    radio = Broadcast(mixer)
    with closing(radio):  # and the mixer with it, and what is in that
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_news, mixer, news, interval)
            for guild_id in range(1, int(calls) + 1):
                info = VoiceServerInfo(
                    endpoint=endpoint,
                    server_id=guild_id,
                    channel_id=2,
                    user_id=1,
                    session_id="s",
                    token="t",
                )
                nursery.start_soon(call, info, radio)


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
