"""`record`: everything that comes in a call, into a recorder."""

from collections.abc import Callable

from ..media import Recorder
from .voice import Voice

__all__ = ["record"]


async def record(
    voice: Voice, recorder: Recorder, *, progress: Callable[[float], object] | None = None
) -> None:
    """Write what is received, until the call ends. To end before it, cancel.

    ``recorder`` stays open, and keeps what it has: close it. It is written to in a worker thread.
    ``progress`` is called with the seconds so far. Raises what the call failed with.
    """
    await voice.record_into(recorder, progress)
