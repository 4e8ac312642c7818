"""Reads a source of Opus packets a little ahead, where that may block in a thread."""

import time
from collections import deque
from typing import Protocol

import trio

__all__ = ["PacketSource", "ReadAhead"]

#: Packets per trip to the worker thread: a trip costs about 0.1 ms.
BATCH = 16
#: A trip ends after this long (seconds) even so: a live source has one packet at a time.
BATCH_TIME = 0.01


class PacketSource(Protocol):
    """What `Voice.play` plays; every `voicekit.media.Source` is one.

    An attribute ``blocking = False`` says that `read` never waits for a disk, a network or
    an encoder; then it is called without a thread.
    """

    def read(self) -> bytes | None:
        """Return the next Opus packet, of 20 ms; None: the end."""


class ReadAhead:
    """At most three batches ahead: one being played, one waiting, one being read."""

    def __init__(self, source: PacketSource) -> None:
        self._read = source.read
        self._blocking: bool = getattr(source, "blocking", True)
        self._batch: deque[bytes] = deque()
        self._error: Exception | None = None
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

    async def next(self) -> bytes | None:
        """Return the next packet, None at the end. Raises here what reading raised."""
        while not self._batch:
            try:
                self._batch = await self._receiving.receive()
            except trio.EndOfChannel:
                if self._error is not None:
                    raise self._error from None
                return None
        return self._batch.popleft()

    def _read_batch(self) -> deque[bytes]:
        batch: deque[bytes] = deque()
        until = time.monotonic() + BATCH_TIME
        try:
            while len(batch) < BATCH:
                packet = self._read()
                if packet is None:
                    self._ended = True
                    break
                batch.append(packet)
                if time.monotonic() > until:
                    break
        except Exception as error:  # goes to the player, after what was read before it
            self._error = error
            self._ended = True
        return batch
