"""One call as a worker of `voicekit.trio.run_workers` runs it."""

import time

import trio

from voicekit.server_info import VoiceServerInfo
from voicekit.trio import connect

from .call_load import Endless

__all__ = ["one_call"]


async def one_call(info: VoiceServerInfo, start: float, seconds: float) -> tuple[int, float]:
    """Join, play from ``start`` (`time.monotonic`) on for so long, and leave.

    Returns the frames that were sent, and the 99th percentile of their lateness in milliseconds.
    """
    async with connect(info) as voice:
        await trio.sleep(max(0.0, start - time.monotonic()))
        with trio.move_on_after(seconds):
            await voice.play(Endless())
        return voice.frames_played, voice.lateness()["p99"]
