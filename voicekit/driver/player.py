"""`Player`: plays into a call. The engine of `voicekit.media.player`, the pacer, and the waiting.

A subclass for each event loop has what only that knows: tasks, threads, and who calls `serve`.
"""

import logging
import math
import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar

from ..codes import SpeakingFlags
from ..errors import LocalProtocolError
from ..media import File, Frames
from ..media.pcm import FRAME_BYTES
from ..media.player import (
    CallbackFailed,
    Continued,
    EndReason,
    Interrupted,
    PlayerEvent,
    Track,
)
from ..media.player.filling import HEADSTART
from ..media.player.track import After
from ..pacer import Finished, KeyExhausted, LatePolicy, Stream, StreamState, Underrun
from .call import GROUP_TIMEOUT, SILENCE_TIMEOUT
from .feeder import Feeder
from .loop_pacer import LoopPacer, way_of
from .reading import ReadingEngine
from .streams import Queue

if TYPE_CHECKING:
    from ..opus import Encoder
    from .playing import PlayingCall

__all__ = ["RING", "Player", "PlayerEvents"]

#: What is queued in the pacer, in seconds: five frames are enough for an event loop that is
#: busy for some tens of milliseconds.
RING = 0.1

EVENTS_KEPT = 1000
FRAMES_PER_SECOND = 50

_MOVES = "the call moves to another server"

_LOGGER = logging.getLogger("voicekit")


class PlayerEvents(Queue[PlayerEvent]):
    """What a player reports. Ends with the call."""

    def end(self) -> None:
        """Add nothing more: for the player, not for its users."""
        self._end()


class Player(ReadingEngine):
    """Plays into one call: what `Voice.player` is. Its methods belong to one thread."""

    _events_type: ClassVar[type[PlayerEvents]]
    _feeder_type: ClassVar[type[Feeder]]
    _loop_pacer_type: ClassVar[type[LoopPacer]]

    def __init__(self, call: "PlayingCall") -> None:
        super().__init__(call)
        #: Seconds of audio that are ready in the pacer, up to 1.0: for so long your program may
        #: compute without pause. As `late`, it holds from the next time that something begins.
        self.ring = RING
        #: What becomes of frames that leave late all the same.
        self.late = LatePolicy.REBASE
        self.stream: Stream | None = None
        self._connection = call.connection
        self._streams: list[PlayerEvents] = []
        self._is_claimed = False  # by `Voice.play`, which does not replace anything
        self._running = False
        self._is_out = False  # the silence at the end, too
        self._interruption: Interrupted | None = None
        self._announced = False  # we may be shown as speaking
        self._progress: Callable[[float], object] | None = None
        self._encoder: Encoder | None = None

    def __repr__(self) -> str:
        track = self._track
        return f"<Player {'idle' if track is None else track.name}>"

    # -- for its users ---------------------------------------------------------------------

    async def play(
        self,
        source: File | Frames,
        *,
        after: After | None = None,
        wait_finish: bool = False,
    ) -> None:
        """Play ``source``; what plays already ends where it begins, without a gap.

        A path, bytes, a file object or a URL is opened in a thread first, and closed at the end;
        a source that you opened is yours to close. Returns when it is on its way, or with
        ``wait_finish`` after its end; who is cancelled then stops it. A player that was paused
        plays again.

        ``after`` is called once, in the event loop, when it has ended: with its error if it has
        failed, else with None. What it raises is a `CallbackFailed`, and is logged.

        Raises `MediaError` for what can not be opened, with ``wait_finish`` `PlaybackError` if
        it fails later, and what the call ended with.
        """
        track = await self._opened(source, after)
        self._replace(track)
        if wait_finish:
            await self._wait_for(track)

    async def play_through(
        self,
        source: File | Frames,
        *,
        ring: float,
        late: LatePolicy,
        progress: Callable[[float], object] | None,
    ) -> None:
        """What `Voice.play` does: see there."""
        if self._is_claimed or self._running or self._track is not None:
            raise LocalProtocolError("something is being played already: wait for its end")
        self._is_claimed = True
        before = self.ring, self.late
        try:
            track = await self._opened(source, None)
            self.ring, self.late, self._progress = ring, late, progress
            self._replace(track)
            await self._wait_for(track)
        finally:
            self._is_claimed = False
            (self.ring, self.late), self._progress = before, None

    async def wait_for_stopped(self) -> None:
        """Wait until nothing plays, the queue is empty, and the silence is out."""
        await self._loop.checkpoint()
        while self._running or not self.is_idle:
            await self._call._changed.park()

    def send_audio_packet(self, data: bytes, encode: bool = True) -> bool:
        """Send 20 ms now: samples (3840 bytes: 48 kHz, stereo, int16), or else an Opus packet.

        The caller keeps the time. False: there was no session, it is dropped and counted. Raises
        `LocalProtocolError` while something plays, ``ValueError`` for samples of another length,
        `OpusNotFound` if it must encode and there is no libopus.
        """
        if self._running:
            raise LocalProtocolError("the player sends on its own: stop it first")
        if encode:
            if len(data) != FRAME_BYTES:
                raise ValueError(f"20 ms are {FRAME_BYTES} bytes, not {len(data)}")
            if self._encoder is None:
                from ..media import EncoderOptions

                self._encoder = EncoderOptions().make()
            data = self._encoder.encode(data)
        return self._call.send_audio(data)

    def events(self, size: int = EVENTS_KEPT) -> PlayerEvents:
        """Return an iterator over what happens from now on: `voicekit.media.player` has the list.

        It keeps ``size`` events for a slow reader, then drops the oldest. Ends with the call.
        """
        stream = self._events_type(size, self._forget)
        if self._call._is_over:
            stream.end()
        else:
            self._streams.append(stream)
        return stream

    @property
    def is_running(self) -> bool:
        """Whether it has the session: it plays, waits until it can, or ends in silence."""
        return self._running

    def note_interruption(self, why: str, is_silent: bool) -> None:
        """The call reconnects or moves: for the call, not for its users."""
        known = self._interruption
        if self._running and (known is None or (is_silent and not known.is_silent)):
            self._interruption = Interrupted(why, is_silent)
            self._tell(self._interruption)

    def note_continuation(self) -> None:
        """The call is whole again: for the call, not for its users."""
        if self._interruption is not None:
            self._interruption = None
            self._tell(Continued())

    def end_events(self) -> None:
        """The call is over: for the call, not for its users."""
        if not self._running:  # else it has something to tell yet
            for stream in self._streams:
                stream.end()

    # -- waiting for tracks ----------------------------------------------------------------

    async def _opened(self, source: File | Frames, after: After | None) -> Track:
        self._call._raise_if_over()
        track = Track(source, after)
        if track.source is None:
            await self._in_thread(track.open)
        else:
            await self._loop.checkpoint()
        try:
            self._call._raise_if_over()
        except BaseException:
            track.close()
            raise
        return track

    async def _wait_for(self, track: Track) -> None:
        try:
            while track.reason is None or (self._running and self.is_idle):
                await self._call._changed.park()
        except BaseException:
            if track.reason is None:
                self._end_track(track)
            if self.is_idle:
                await self._shielded(self.wait_for_stopped, SILENCE_TIMEOUT)
            raise
        if track.reason is EndReason.CALL_ENDED:
            self._call._raise_if_over()
        if track.error is not None:
            raise track.error

    # -- one stretch of playing ------------------------------------------------------------

    async def _run(self) -> None:
        """Play until nothing is left and the silence is out. One task, while there is something."""
        # A deep ring is for who would rather begin later than have a gap.
        self._headstart = max(HEADSTART, round(self.ring * FRAMES_PER_SECOND / 2))
        try:
            if await self._wait_for_headstart() and await self._announce():
                self.stream = self._open_stream()
                self._attach(self.stream)
                self.serve()
                await self._play()
        except Exception as error:
            over = self._call._is_over
            self._end_all(EndReason.CALL_ENDED if over else EndReason.FAILED, error)
            await self._fall_silent()
        except BaseException:
            await self._cancelled()
            raise
        finally:
            self._let_go()

    async def _cancelled(self) -> None:
        """Do what can still be done where the event loop ends before the call was left."""

    async def _fall_silent(self) -> None:
        until = self._loop.now() + SILENCE_TIMEOUT
        while self.stream is not None and not self._is_out and self._loop.now() < until:
            await self._call._changed.park_until(until)

    async def _wait_for_headstart(self) -> bool:
        """Wait until there is something to send; False: there is nothing after all."""
        while await self._wait_to_be_heard():
            track = self._track
            assert track is not None, "it would be idle"
            if self._may_begin(track):
                return True
            await self._call._changed.park()
        return False

    async def _wait_to_be_heard(self) -> bool:
        """Wait until others can hear us; False: there is nothing left to hear."""
        call, deadline = self._call, math.inf
        while not self.is_idle or (self.stream is not None and not self._is_out):
            call._raise_if_over()
            if not call._can_speak:
                deadline = math.inf
                await call._changed.park()
                continue
            deadline = min(deadline, self._loop.now() + GROUP_TIMEOUT)
            if not self._connection.awaits_group or self._loop.now() >= deadline:
                return True
            await call._changed.park_until(deadline)
        return False

    async def _play(self) -> None:
        stream, call = self.stream, self._call
        assert stream is not None
        while not self._is_out:
            await call._changed.park()
            call._raise_if_over()
            if stream.state is StreamState.FROZEN and not self._is_out:
                self.note_interruption(call._why_interrupted or _MOVES, is_silent=True)
                if await self._announce():
                    self._rebind(stream)
                    self.note_continuation()
                    self.serve()

    async def _announce(self) -> bool:
        """Wait until we can be heard, and be shown as speaking; False: there is nothing left."""
        call = self._call
        while await self._wait_to_be_heard():
            self._announced = True
            if self._connection.start_audio(self._loop.now()):
                call.drain()
                await call._flush()  # the server hears of it before the first packet
                if self._connection.is_ready:
                    return True
            else:
                await call._changed.park()
        return False

    def _let_go(self) -> None:
        if not self.is_idle:
            self._end_all(EndReason.CALL_ENDED)
        stream, self.stream = self.stream, None
        now = self._loop.now()
        if stream is not None:
            self._detach()
            if self._call.closed is None:  # also when the call is being left: the silence is out
                self._connection.stop_audio(now)
            stream.remove()
            self._call._note_played(stream)
            self._close_stream()
        elif self._announced and self._call.closed is None:
            self._connection.set_speaking(SpeakingFlags.NONE, now)  # there was no audio to end
        self._running = self._announced = False
        self._interruption = None
        if self._call.closed is not None:
            self.end_events()
        self._call.drain()
        self._call._changed.unpark_all()

    # -- the pacer's stream ----------------------------------------------------------------

    def _open_stream(self) -> Stream:
        """Return a stream whose owner this is, and have `serve` called for it."""
        way = way_of(self._call._socket)
        is_socket = isinstance(way, int)
        pacer = self._call._pacer if is_socket else self._loop.only(self._loop_pacer_type)
        # The one place where the connection's clock meets the pacer's.
        offset = self._loop.now() - time.monotonic() if is_socket else 0.0
        feeder = self._loop.only(self._feeder_type)
        notifier = feeder.enter()
        try:
            return pacer.add(
                self._connection,
                way,
                depth=self.ring,
                policy=self.late,
                clock_offset=offset,
                notifier=notifier,
                owner=self,
            )
        except BaseException:
            feeder.leave()
            raise

    def _close_stream(self) -> None:
        """The stream was removed."""
        self._loop.only(self._feeder_type).leave()

    def _rebind(self, stream: Stream) -> None:
        """Go on over the socket that the call has now."""
        stream.rebind(way_of(self._call._socket))

    # -- the engine's ----------------------------------------------------------------------

    def serve(self) -> None:
        """Take note of what happened to the stream, and refill its ring. Raises nothing."""
        stream = self.stream
        try:
            while stream is not None and (event := stream.poll()) is not None:
                match event:
                    case Finished():
                        self._is_out = self.is_idle
                        self._note_finished()
                    case Underrun():
                        # Told at once: where many are late, each of them has to be quick.
                        if self._streams and (stalled := self._stalled) is not None:
                            self._tell(stalled)
                    case KeyExhausted():  # the connection sees it, and asks for another
                        self._connection.handle_timeout(self._loop.now())
                        self._call.drain()
            super().serve()
            if self._progress is not None and stream is not None:
                self._progress(stream.position / FRAMES_PER_SECOND)
        except Exception as error:
            # What was rendered before it is still played.
            self._fail_all(error)
        if self._has_readers:
            self._wake_readers()
        if self._is_out or self.stream is None:
            self._call._changed.unpark_all()

    def _check(self) -> None:
        self._call._check_caller()

    def _admit(self, track: Track) -> None:
        self._is_out = False
        self._have_read(track)
        if not self._running and not self._call._is_over:
            self._running = True
            self._call._driver.run_beside(self._run)

    def _deliver(self) -> None:
        if not (self._happened or self._calls):
            return
        happened, self._happened = self._happened, []
        for event in happened:
            self._tell(event)
        calls, self._calls = self._calls, []
        for after, error in calls:
            try:
                after(error)
            except Exception as failed:
                _LOGGER.exception("a callback of the player raised")
                self._tell(CallbackFailed(failed))
        self._call._changed.unpark_all()

    def _tell(self, event: PlayerEvent) -> None:
        for stream in self._streams:
            stream.put(event)

    def _forget(self, stream: PlayerEvents) -> None:
        if stream in self._streams:
            self._streams.remove(stream)

    # -- of the event loop -----------------------------------------------------------------

    @abstractmethod
    async def _shielded(self, wait: Callable[[], Awaitable[object]], patience: float) -> None:
        """Wait for something, even when cancelled, for so many seconds at most."""
