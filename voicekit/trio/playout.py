"""One `play`: from a source, through the pacer's ring, until it was heard to its end."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from ..codes import SpeakingFlags
from ..driver.call import SILENCE_TIMEOUT
from ..media import Frames
from ..pacer import Finished, KeyExhausted, LatePolicy, Stream, StreamState
from .feeder import feeder
from .loop_pacer import loop_pacer, way_of
from .pump import beside
from .read_ahead import ReadAhead

if TYPE_CHECKING:
    from .voice import Voice

__all__ = ["Playout"]

#: Frames of a source in a thread with which audio begins, also after it has run dry: a live
#: source has one every 20 ms, and the first would be over before the next is there.
HEADSTART = 3

FRAMES_PER_SECOND = 50


class Playout:
    """Fills the ring of one stream, follows the session with it, and ends it in silence.

    A source whose attribute ``blocking`` is False never waits for a disk, a network or an
    encoder: it is read where the ring is filled. Any other is read ahead in a thread.
    """

    def __init__(
        self,
        voice: "Voice",
        source: Frames,
        *,
        ring: float,
        late: LatePolicy,
        progress: Callable[[float], object] | None,
    ) -> None:
        self.stream: Stream | None = None
        self._voice = voice
        self._connection = voice.connection
        self._source = source
        self._ring = ring
        self._late = late
        self._progress = progress
        self._ahead: ReadAhead | None = None
        if getattr(source, "blocking", True):
            self._ahead = ReadAhead(source, self._arrived)
        self._ended = False  # nothing more is read
        self._finished = False  # nothing more is sent, not even silence
        self._announced = False  # we may be shown as speaking
        self._error: Exception | None = None

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Play. Returns, and raises, when the silence is out."""
        if self._ahead is None:
            await self._play()
        else:
            async with beside(self._ahead.run):
                await self._voice._wait_to_be_heard()
                while not self._has_headstart():
                    await self._voice._changed.park()
                await self._play()
        if self._error is not None:
            raise self._error

    # -- in the event loop, at once ------------------------------------------------------

    def serve(self) -> None:
        """Take note of what happened to the stream, and refill its ring."""
        stream = self.stream
        if stream is None:
            return
        try:
            while (event := stream.poll()) is not None:
                match event:
                    case Finished():
                        self._finished = self._ended
                    case KeyExhausted():  # the connection sees it, and asks for another
                        self._connection.handle_timeout(trio.current_time())
                        self._voice.drain()
            if not self._ended:
                self._refill(stream)
            if self._progress is not None:
                self._progress(stream.position / FRAMES_PER_SECOND)
        except Exception as error:
            # What was read before it is still played.
            self._ended = True
            self._error = error
            stream.finish()
        if self._finished or self._error is not None:
            self._voice._changed.unpark_all()

    def _arrived(self) -> None:
        if self.stream is None:
            self._voice._changed.unpark_all()
        else:
            self.serve()

    def _refill(self, stream: Stream) -> None:
        ahead = self._ahead
        if ahead is None:
            stream.fill(self._read)
            return
        if stream.queued == 0 and not self._has_headstart():
            return
        while stream.room and (frame := ahead.read()) is not None:
            stream.push(frame)
        if ahead.ended and not ahead:
            self._ended = True
            self._error = ahead.error
            stream.finish()

    def _read(self) -> bytes | None:
        frame = self._source.read()
        if frame is None:
            self._ended = True
        return frame

    def _has_headstart(self) -> bool:
        ahead = self._ahead
        return ahead is None or ahead.ended or len(ahead) >= HEADSTART

    # -- in the task of `play` -------------------------------------------------------------

    async def _play(self) -> None:
        try:
            await self._announce()
            self.stream = self._begin()
            self.serve()
            while not self._finished:
                await self._voice._changed.park()
                self._voice._raise_if_over()
                if self.stream.state is StreamState.FROZEN:
                    await self._announce()
                    self.stream.rebind(way_of(self._voice._socket))
        except BaseException:
            await self._cut_short()
            raise
        finally:
            self._let_go()

    async def _announce(self) -> None:
        """Wait until we can be heard, and be shown as speaking."""
        voice = self._voice
        while True:
            await voice._wait_to_be_heard()
            self._announced = True
            if self._connection.start_audio(trio.current_time()):
                voice.drain()
                await voice._flush()  # the server hears of it before the first packet
                if self._connection.is_ready:
                    return
            else:
                await voice._changed.park()

    def _begin(self) -> Stream:
        way = way_of(self._voice._socket)
        pacer = self._voice._pacer if isinstance(way, int) else loop_pacer()
        # The one place where the connection's clock meets the pacer's.
        offset = trio.current_time() - time.monotonic() if isinstance(way, int) else 0.0
        notifier = feeder().enter()
        try:
            return pacer.add(
                self._connection,
                way,
                depth=self._ring,
                policy=self._late,
                clock_offset=offset,
                notifier=notifier,
                owner=self,
            )
        except BaseException:
            feeder().leave()
            raise

    async def _cut_short(self) -> None:
        self._ended = True
        if self.stream is not None:
            self.stream.stop()
            with trio.move_on_after(SILENCE_TIMEOUT, shield=True):
                while not self._finished:
                    await self._voice._changed.park()

    def _let_go(self) -> None:
        stream, self.stream = self.stream, None
        now = trio.current_time()
        if stream is not None:
            if self._voice.closed is None:
                self._connection.stop_audio(now)
            stream.remove()
            self._voice._note_played(stream)
            feeder().leave()
        elif self._announced and self._voice.closed is None:
            self._connection.set_speaking(SpeakingFlags.NONE, now)  # there was no audio to end
        self._voice.drain()
