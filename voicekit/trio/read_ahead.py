"""Reads a source of Opus frames a little ahead, in a thread where that may block."""

import time
from collections import deque
from collections.abc import Callable

import trio

from ..media import Frames

__all__ = ["BATCH", "ReadAhead"]

#: Frames per trip to the worker thread: a trip costs about 0.1 ms.
BATCH = 16
#: A trip ends after this long (seconds) even so: a live source has one frame at a time.
BATCH_TIME = 0.01


class ReadAhead:
    """Two batches at most are read and wait; `arrived` is called when there are more, or the end.

    It is called in the event loop, and so are all methods.
    """

    def __init__(self, source: Frames, arrived: Callable[[], object]) -> None:
        #: Whether the source has ended: what waits is the rest.
        self.ended = False
        #: What reading raised, if that was the end. What was read before it comes first.
        self.error: Exception | None = None
        self._source = source
        self._arrived = arrived
        self._frames: deque[bytes] = deque()
        self._room = trio.lowlevel.ParkingLot()

    def __len__(self) -> int:
        return len(self._frames)

    async def run(self) -> None:
        """Read to the end. When cancelled it ends with the batch that is being read."""
        while not self.ended:
            while len(self._frames) > BATCH:
                await self._room.park()
            self.ended = await trio.to_thread.run_sync(self._read_batch)
            self._arrived()

    def read(self) -> bytes | None:
        """Return the next frame; None: there is none now, or any more."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        if len(self._frames) == BATCH:
            self._room.unpark()
        return frame

    def _read_batch(self) -> bool:
        """Read one batch, in the thread; return whether that was the last."""
        until = time.monotonic() + BATCH_TIME
        try:
            for _ in range(BATCH):
                frame = self._source.read()
                if frame is None:
                    return True
                # At once, for whoever asks before the batch is full.
                self._frames.append(frame)
                if time.monotonic() > until:
                    break
        except Exception as error:
            self.error = error
            return True
        return False
