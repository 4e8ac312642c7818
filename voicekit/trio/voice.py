"""`connect`: one voice call in one block."""

import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypedDict

import trio

from .._gateway import GatewayState
from ..config import Config
from ..connection import VoiceConnection
from ..dave import DaveSession
from ..driver.ears import Ears
from ..driver.streams import EventStream, error_of
from ..errors import CallClosed, ConnectFailed, LocalProtocolError
from ..events import (
    AudioFrame,
    AudioStopped,
    Closed,
    DaveFailed,
    DaveTransition,
    Event,
    NeedNewSession,
    SessionReady,
    SessionResumed,
    UserLeft,
    WaitingForUpdate,
)
from ..media import Frames, open_source
from ..pacer import Histogram, LatePolicy, Pacer, Stream, process_pacer
from ..server_info import VoiceServerInfo
from ..stats import ConnectionStats
from .driver import Driver
from .loop import LOOP
from .network import Datagrams, Network
from .playout import SILENCE_TIMEOUT, Playout
from .pump import beside
from .streams import STREAMS

__all__ = ["Voice", "connect"]

#: Leaving the call may hold up a cancelled program for this long, in seconds.
LEAVE_TIMEOUT = 1.0
#: How long `play` waits for the others' encryption: servers give each transition 2 s or so.
GROUP_TIMEOUT = 5.0
#: How long Speaking may take to the WebSocket (seconds), before audio goes without.
FLUSH_TIMEOUT = 0.5
#: What is queued in the pacer, in seconds: five frames are enough for an event loop that is
#: busy for some tens of milliseconds.
RING = 0.1

EVENTS_KEPT = 1000


@asynccontextmanager
async def connect(
    info: VoiceServerInfo,
    *,
    config: Config | None = None,
    ssl_context: ssl.SSLContext | None = None,
    dave: DaveSession | None = None,
    dave_identity: bytes | None = None,
    wait_ready: bool = True,
    network: Network | None = None,
    pacer: Pacer | None = None,
) -> AsyncIterator["Voice"]:
    """Join a call for the length of the block.

    The block begins when audio can be sent, or with ``wait_ready=False`` at once: for hosts
    that have updates to hand in while the call is being established. Its end leaves the
    call: five silence frames, Speaking 0, close 1000, for at most a second even when
    cancelled; afterwards no task runs and no socket is open.

    ``ssl_context`` is for ``wss://``; by default the system's certificates are trusted.
    ``dave_identity`` is a persistent key of end-to-end encryption (`voicekit.dave`); without
    it each call has one of its own. ``pacer`` sends what is played; by default the one of this
    process, whose thread starts with the first `Voice.play`.

    Raises `ConnectFailed`, or the `CallClosed` of the close code, when there is no call.
    What the block itself raises comes out as it is, never in an exception group.
    """
    config = config or Config()
    connection = VoiceConnection(info, config=config, dave=dave, dave_identity=dave_identity)
    voice = Voice(connection, config, ssl_context, network or Network(), pacer)
    async with beside(voice._driver.run):
        try:
            if wait_ready:
                await voice._enter()
            yield voice
        finally:
            await voice._close()


class _Options(TypedDict):
    """Of `Voice.play`."""

    ring: float
    late: LatePolicy
    progress: Callable[[float], object] | None


class Voice(Ears):
    """One call: what `connect` gives. Its methods belong to one thread, as all of trio's do."""

    loop = LOOP
    streams = STREAMS

    def __init__(
        self,
        connection: VoiceConnection,
        config: Config,
        ssl_context: ssl.SSLContext | None,
        network: Network,
        pacer: Pacer | None,
    ) -> None:
        super().__init__()
        #: The state machine. Read it freely; call `drain` after changing anything in it.
        self.connection = connection
        self._driver = Driver(
            self.connection,
            config,
            network,
            ssl_context,
            self._handle_event,
            self._hear,
        )
        # From the beginning, for the first `events`: who is in the call is told before ready.
        self._early_events: EventStream | None = self.streams.events(EVENTS_KEPT, self._forget)
        self._event_streams: list[EventStream] = [self._early_events]
        self._own_pacer = pacer
        self._playout: Playout | None = None
        # Of what was played before, stream by stream.
        self._lateness = Histogram()
        self._frames_played = 0
        self._frames_unsent = 0
        self._changed = self.loop.waiting()
        self._stalled: NeedNewSession | WaitingForUpdate | None = None
        self._audio_stops = 0
        self._playing = False
        self._leaving = False

    def __repr__(self) -> str:
        return f"<Voice {self.connection!r}>"

    # -- our own audio -------------------------------------------------------------

    async def play(
        self,
        source: Frames | str | os.PathLike[str],
        *,
        ring: float = RING,
        late: LatePolicy = LatePolicy.REBASE,
        progress: Callable[[float], object] | None = None,
    ) -> None:
        """Play ``source``, a file or an open `voicekit.media.Source`, to its end.

        Returns after the five frames of silence. While a session is being made anew it
        pauses, and loses nothing; nor does it begin before the others' encryption takes us
        in, for 5 s at most. ``progress`` is called with the seconds played so far, some ten
        times a second. A source is read in a worker thread, at most a second ahead; a file is
        closed at the end, a `Source` that you opened is yours to close.

        Frames are sent by the pacer, in a thread that needs no Python: ``ring`` seconds of
        them (up to 1.0) are ready there, for as long as your program may compute without
        pause. A source that has none in time is heard as silence. ``late`` says what becomes
        of frames that leave late all the same.

        Cancelling ends the audio within a frame, then sends the silence. Raises `MediaError`
        for what cannot be read, `LocalProtocolError` while something else is being played,
        and what the call ended with when it ends before the source does.
        """
        if self._playing:
            raise LocalProtocolError("something is being played already: wait for its end")
        self._playing = True
        options: _Options = {"ring": ring, "late": late, "progress": progress}
        try:
            if isinstance(source, (str, os.PathLike)):
                await self._play_file(source, options)
            else:
                await self._play(source, options)
        finally:
            self._playing = False

    @trio.lowlevel.enable_ki_protection
    def send_audio(self, opus: bytes) -> bool:
        """Send one Opus packet now; the caller keeps the time. False: dropped and counted.

        Raises `LocalProtocolError` during `play`, which sends on its own.
        """
        if self._leaving:
            return False
        sent = self.connection.send_audio(opus, trio.current_time())
        self._driver.drain()
        return sent

    @trio.lowlevel.enable_ki_protection
    def stop_audio(self) -> None:
        """End the talk spurt: five silence frames follow, then Speaking 0 and `AudioStopped`.

        Raises `LocalProtocolError` during `play`, which ends it on its own; cancel that.
        """
        if self._stream is not None:
            raise LocalProtocolError("`play` ends its audio itself: cancel it")
        self.connection.stop_audio(trio.current_time())
        self._driver.drain()

    @property
    def frames_played(self) -> int:
        """Frames that `play` has sent."""
        stream = self._stream
        return self._frames_played + (0 if stream is None else stream.sent)

    def lateness(self) -> dict[str, float]:
        """Return how late `play` sent its frames, in milliseconds: ``p50``, ``p99``, ``max``."""
        measured = Histogram()
        measured.merge(self._lateness)
        if (stream := self._stream) is not None:
            measured.merge(stream._lateness)
        late = measured.read()
        return {
            "p50": round(late.p50 * 1000, 3),
            "p99": round(late.p99 * 1000, 3),
            "max": round(late.max * 1000, 3),
        }

    # -- what comes in ---------------------------------------------------------------

    def events(self, size: int = EVENTS_KEPT) -> EventStream:
        """Return an iterator over all other events; `Closed` is the last.

        The first one begins with what happened before it was asked for. It keeps ``size``
        events, then drops the oldest, but none that you must act upon.
        """
        if (stream := self._early_events) is not None:
            self._early_events = None
            stream.resize(size)
            return stream
        stream = self.streams.events(size, self._forget)
        if self.closed is not None:
            stream.put(self.closed)
        else:
            self._event_streams.append(stream)
        return stream

    def stats(self) -> ConnectionStats:
        """Return a snapshot of all counters. Any thread; also after the call."""
        return self.connection.stats()

    @property
    def datagrams_unsent(self) -> int:
        """Datagrams that the operating system did not take: its buffer was full."""
        stream = self._stream
        unsent = 0 if stream is None else stream.stats().unsent
        return self._driver.datagrams_unsent + self._frames_unsent + unsent

    # -- the host ----------------------------------------------------------------------

    @trio.lowlevel.enable_ki_protection
    def update_voice_server(self, token: str, endpoint: str | None) -> None:
        """Hand in a VOICE_SERVER_UPDATE: the call moves there."""
        self.connection.update_voice_server(token, endpoint, trio.current_time())
        self._driver.drain()

    @trio.lowlevel.enable_ki_protection
    def update_voice_state(self, channel_id: int | None, session_id: str) -> None:
        """Hand in our own VOICE_STATE_UPDATE."""
        self.connection.update_voice_state(channel_id, session_id, trio.current_time())
        self._driver.drain()

    @trio.lowlevel.enable_ki_protection
    def drain(self) -> None:
        """Carry out at once what a call of `connection` has asked for."""
        self._driver.drain()

    async def wait_ready(self) -> None:
        """Wait until audio can be sent. Raises what the call ended with."""
        await trio.lowlevel.checkpoint()
        while not self._can_speak:
            self._raise_if_over()
            await self._changed.park()

    async def wait_encrypted(self) -> None:
        """Wait until what is sent is end-to-end encrypted. Raises what the call ended with.

        Alone in a call, or with somebody who can not encrypt, that takes until it changes.
        """
        await trio.lowlevel.checkpoint()
        while not self.connection.is_encrypted:
            self._raise_if_over()
            await self._changed.park()

    async def aclose(self) -> None:
        """Leave the call, within a second even when cancelled. Idempotent."""
        await self._close()
        await trio.lowlevel.checkpoint()

    # -- behind it ---------------------------------------------------------------------

    async def _enter(self) -> None:
        """`wait_ready`, when nobody can hand in an update meanwhile."""
        await trio.lowlevel.checkpoint()
        while not self._can_speak:
            self._raise_if_over()
            match self._stalled:
                case NeedNewSession(code, why):
                    raise CallClosed(why, code)
                case WaitingForUpdate(_, why):
                    raise ConnectFailed(why, "update")
            await self._changed.park()

    @trio.lowlevel.enable_ki_protection
    async def _close(self) -> None:
        with trio.CancelScope(shield=True):
            with trio.move_on_after(LEAVE_TIMEOUT):
                await self._leave()
            self._driver.scope.cancel()
            await self._driver.finished.wait()

    async def _leave(self) -> None:
        driver = self._driver
        self._leaving = True
        self._changed.unpark_all()
        await driver.started.wait()
        if driver.finished.is_set():
            return
        with trio.move_on_after(SILENCE_TIMEOUT):
            await self._stop_audio_and_wait()
        if self.closed is None:
            self.connection.close(trio.current_time())
            driver.drain()
        await driver.wait_all_closed()

    async def _stop_audio_and_wait(self) -> None:
        while self._playout is not None:  # it hears of it too, and sends the silence
            await self._changed.park()
        if self.closed is None:
            stops = self._audio_stops
            self.stop_audio()
            while self._audio_stops == stops and self.closed is None:
                await self._changed.park()

    async def _play_file(self, path: str | os.PathLike[str], options: "_Options") -> None:
        source = await trio.to_thread.run_sync(open_source, path)
        try:
            await self._play(source, options)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(source.close)

    async def _play(self, source: Frames, options: "_Options") -> None:
        self._playout = Playout(self, source, **options)
        try:
            await self._playout.run()
        finally:
            self._playout = None
            self._changed.unpark_all()

    async def _wait_to_be_heard(self) -> None:
        await self.wait_ready()
        with trio.move_on_after(GROUP_TIMEOUT):
            while self.connection.awaits_group:
                self._raise_if_over()
                await self._changed.park()

    async def _flush(self) -> None:
        """Wait until what the server is to know before the audio is on its way."""
        with trio.move_on_after(FLUSH_TIMEOUT):
            await self._driver.flush()

    @property
    def _pacer(self) -> Pacer:
        return self._own_pacer or process_pacer()

    @property
    def _datagrams(self) -> Datagrams:
        sock = self._driver.datagrams
        assert sock is not None, "a connection that is ready has one"
        return sock

    @property
    def _stream(self) -> Stream | None:
        return None if self._playout is None else self._playout.stream

    def _note_played(self, stream: Stream) -> None:
        """Add up what a stream has counted that is not used any more."""
        stats = stream.stats()
        self._lateness.merge(stream._lateness)
        self._frames_played += stats.frames
        self._frames_unsent += stats.unsent

    @property
    def _can_speak(self) -> bool:
        connection = self.connection
        return connection.is_ready and connection.state is GatewayState.OPEN

    def _raise_if_over(self) -> None:
        if self.closed is not None:
            raise error_of(self.closed)
        if self._leaving:
            raise CallClosed("the call was left")

    def _handle_event(self, event: Event) -> None:
        if type(event) is AudioFrame:
            self._hear([event])
            return
        for events in self._event_streams:
            events.put(event)
        match event:
            case AudioStopped():
                self._audio_stops += 1
            case Closed():
                self._end_listening(event)
            case NeedNewSession() | WaitingForUpdate():
                self._stalled = event
            case UserLeft():
                self._tell(event)
            case SessionReady() | SessionResumed() | DaveTransition() | DaveFailed():
                pass
            case _:
                return
        self._changed.unpark_all()

    def _forget(self, stream: EventStream) -> None:
        if stream in self._event_streams:
            self._event_streams.remove(stream)
