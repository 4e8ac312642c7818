"""Play a file into a voice call: aio_play.py FILE ENDPOINT (such as ws://127.0.0.1:4000)."""

import asyncio
import sys

import voicekit.aio
from voicekit import VoiceServerInfo


async def main(path: str, endpoint: str) -> None:
    info = VoiceServerInfo(
        endpoint=endpoint, server_id=1, channel_id=2, user_id=3, session_id="s", token="t"
    )
    async with voicekit.aio.connect(info) as voice:
        await voice.play(path)


asyncio.run(main(*sys.argv[1:]))
