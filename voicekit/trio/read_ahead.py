"""Reads a source of Opus frames a little ahead, in a thread where that may block."""

import time
from collections import deque

import trio

from ..media import Frames

__all__ = ["ReadAhead"]

#: Frames per trip to the worker thread: a trip costs about 0.1 ms.
BATCH = 16
#: A trip ends after this long (seconds) even so: a live source has one frame at a time.
BATCH_TIME = 0.01


class ReadAhead:
    """At most three batches ahead: one being played, one waiting, one being read.

    A source whose attribute ``blocking`` is False never waits for a disk, a network or an
    encoder: it is read without a thread.
    """

    def __init__(self, source: Frames) -> None:
        #: What reading raised, if that was the end. What was read before it comes first.
        self.error: Exception | None = None
        self._source = source
        self._blocking: bool = getattr(source, "blocking", True)
        self._batch: deque[bytes] = deque()
        self._ended = False
        self._sending, self._receiving = trio.open_memory_channel[deque[bytes]](1)

    async def run(self) -> None:
        """Read to the end. When cancelled it ends with the batch that is being read."""
        with self._sending:
            while not self._ended:
                if self._blocking:
                    batch = await trio.to_thread.run_sync(self._read_batch)
                else:
                    batch = self._read_batch()
                await self._sending.send(batch)

    async def wait(self) -> None:
        """Wait until `read` knows what to return."""
        try:
            while not self._batch:
                self._batch = await self._receiving.receive()
        except trio.EndOfChannel:
            pass

    def read(self) -> bytes | None:
        """Return the next frame, or None at the end: at once, after `wait`."""
        return self._batch.popleft() if self._batch else None

    def _read_batch(self) -> deque[bytes]:
        batch: deque[bytes] = deque()
        until = time.monotonic() + BATCH_TIME
        try:
            while len(batch) < BATCH:
                frame = self._source.read()
                if frame is None:
                    self._ended = True
                    break
                batch.append(frame)
                if time.monotonic() > until:
                    break
        except Exception as error:
            self.error = error
            self._ended = True
        return batch
