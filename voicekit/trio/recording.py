"""`record`: everything that comes in a call, into a recorder."""

from collections.abc import Callable

import trio

from ..events import RtcpReceived
from ..media import Recorder
from .pump import beside
from .voice import Voice

__all__ = ["record"]

#: How often files are brought up to date while nobody speaks, in seconds.
TICK = 0.15


async def record(
    voice: Voice, recorder: Recorder, *, progress: Callable[[float], object] | None = None
) -> None:
    """Write what is received, until the call ends. To end before it, cancel.

    ``recorder`` stays open, and keeps what it has: close it. ``progress`` is called with the
    seconds so far. Raises what the call failed with.
    """
    began = trio.current_time()

    async def read_reports() -> None:
        async for event in voice.events():
            if isinstance(event, RtcpReceived):
                recorder.receive_rtcp(event.packets, event.arrived)

    async def tick() -> None:
        while True:
            await trio.sleep(TICK)
            now = trio.current_time()
            recorder.handle_timeout(now)
            if progress is not None:
                progress(now - began)

    async with beside(read_reports), beside(tick):
        async for frame in voice.frames():
            recorder.write(frame)
