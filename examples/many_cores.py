"""Calls on several cores: many_cores.py FILE ENDPOINT CALLS (endpoint such as ws://127.0.0.1:4000).

Each call is a `VoiceServerInfo` handed to one of several processes. A bot does the same with
the infos that its main gateway brings: voice/`Join` in the bot, calls in the workers.
"""

import sys

import trio

import voicekit.trio
from voicekit import VoiceServerInfo


async def call(info: VoiceServerInfo, path: str) -> int:
    """Be one call, in a worker."""
    async with voicekit.trio.connect(info) as voice:
        await voice.play(path)
        return voice.frames_played


async def main(path: str, endpoint: str, calls: str) -> None:
    async def submit(user_id: int) -> None:
        info = VoiceServerInfo(
            endpoint=endpoint, server_id=1, channel_id=2, user_id=user_id, session_id="s", token="t"
        )
        frames = await workers.submit(info, path)
        print(f"user {user_id} played {frames} frames")

    async with (
        voicekit.trio.run_workers(call, processes=2) as workers,
        trio.open_nursery() as nursery,
    ):
        for user_id in range(1, int(calls) + 1):
            nursery.start_soon(submit, user_id)


if __name__ == "__main__":  # the workers import this file
    trio.run(main, *sys.argv[1:])
