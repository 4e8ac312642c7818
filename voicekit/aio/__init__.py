"""Calls on asyncio, with the names and the behaviour of `voicekit.trio`.

    async with voicekit.aio.connect(info) as voice:      # joins; its end leaves
        await voice.play("song.mp3")                      # plays it to its end
        async for frame in voice.frames(): ...            # the audio of everybody

    voice = await voicekit.aio.open(info)                 # the same without a block:
    ...
    await voice.aclose()                                  # leaves, within a second

`Voice` has `play`, `player` (queue, volume, pause, seek, ...), `send_audio`, `stop_audio`;
`frames`, `ticks`, `speech`, `listen`, `events`; `start_recording`, `stop_recording` and the rest of
them; `update_voice_server`, `update_voice_state`, `wait_ready`, `wait_encrypted`, `stats`,
`lateness`, `closed`, and `connection`, after whose changes you call `drain`. Its methods belong to
the thread of its event loop: from another one use `loop.call_soon_threadsafe`. Iterators raise
`EndOfChannel` and `ClosedResourceError` from ``receive``, where ``async for`` just ends.

`connect` and `open` with ``wait_ready=False`` return at once, for hosts that hand in updates while
the call is being established; then `Voice.wait_ready`. A call that is never closed is left when
`asyncio.run` ends. uvloop works as well; on Windows' Proactor loop, which can not watch sockets,
each call receives in a task of its own.
"""

from ..driver.live import LiveStream
from ..driver.recordings import record
from ..driver.streams import EventStream, FrameStream
from .loop import ClosedResourceError, EndOfChannel
from .network import Datagrams, Network
from .voice import Voice, connect, open

__all__ = [
    "ClosedResourceError",
    "Datagrams",
    "EndOfChannel",
    "EventStream",
    "FrameStream",
    "LiveStream",
    "Network",
    "Voice",
    "connect",
    "open",
    "record",
]
