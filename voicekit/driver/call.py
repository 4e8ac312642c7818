"""One voice call, on whichever event loop: what `voicekit.trio.Voice` and that of aio share."""

import math
from collections.abc import Awaitable, Callable
from typing import Any

from .._gateway import GatewayState
from ..connection import VoiceConnection
from ..errors import CallClosed, ConnectFailed, LocalProtocolError
from ..events import (
    AudioFrame,
    AudioStopped,
    Closed,
    DaveFailed,
    DaveTransition,
    Event,
    NeedNewSession,
    RtcpReceived,
    SessionReady,
    SessionResumed,
    UserLeft,
    WaitingForUpdate,
)
from ..stats import ConnectionStats
from .reception import Socket
from .recordings import Recordings
from .sockets import ConnectionDriver
from .streams import EventStream, error_of

__all__ = ["FINISH_TIMEOUT", "LEAVE_TIMEOUT", "SILENCE_TIMEOUT", "Call"]

#: Leaving the call may hold up a cancelled program for this long, in seconds.
LEAVE_TIMEOUT = 1.0
#: The same for a disk that stands still while a recording is being finished.
FINISH_TIMEOUT = 5.0
#: The end of a talk spurt: five frames of 20 ms, and time for a slow machine.
SILENCE_TIMEOUT = 0.25
#: How long `play` waits for the others' encryption: servers give each transition 2 s or so.
GROUP_TIMEOUT = 5.0
#: How long Speaking may take to the WebSocket (seconds), before audio goes without.
FLUSH_TIMEOUT = 0.5

EVENTS_KEPT = 1000


class Call(Recordings):
    """One call. Its methods belong to the thread of its event loop, except `stats`.

    In any other, and after the event loop has ended, they raise `LocalProtocolError`.
    """

    _driver: ConnectionDriver[Any, Any]

    def __init__(self, connection: VoiceConnection) -> None:
        super().__init__()
        #: The state machine. Read it freely; call `drain` after changing anything in it.
        self.connection = connection
        # From the beginning, for the first `events`: who is in the call is told before ready.
        self._early_events: EventStream | None = self.streams.events(EVENTS_KEPT, self._forget)
        self._event_streams: list[EventStream] = [self._early_events]
        self._changed = self.loop.waiting()
        self._stalled: NeedNewSession | WaitingForUpdate | None = None
        self._audio_stops = 0
        self._leaving = False

    def __repr__(self) -> str:
        return f"<Voice {self.connection!r}>"

    # -- our own audio -------------------------------------------------------------

    def send_audio(self, opus: bytes) -> bool:
        """Send one Opus packet now; the caller keeps the time. False: dropped and counted.

        Raises `LocalProtocolError` during `play`, which sends on its own.
        """
        if self._leaving:
            return False
        return self._driver.call(self.connection.send_audio, opus)

    def stop_audio(self) -> None:
        """End the talk spurt: five silence frames follow, then Speaking 0 and `AudioStopped`.

        Raises `LocalProtocolError` during `play`, which ends it on its own; cancel that.
        """
        if self._is_playing_out:
            raise LocalProtocolError("`play` ends its audio itself: cancel it")
        self._driver.call(self.connection.stop_audio)

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
        return self._driver.datagrams_unsent

    # -- the host ----------------------------------------------------------------------

    def update_voice_server(self, token: str, endpoint: str | None) -> None:
        """Hand in a VOICE_SERVER_UPDATE: the call moves there."""
        self._driver.call(self.connection.update_voice_server, token, endpoint)

    def update_voice_state(self, channel_id: int | None, session_id: str) -> None:
        """Hand in our own VOICE_STATE_UPDATE."""
        self._driver.call(self.connection.update_voice_state, channel_id, session_id)

    def drain(self) -> None:
        """Carry out at once what a call of `connection` has asked for."""
        self._driver.call(_nothing)

    async def wait_ready(self) -> None:
        """Wait until audio can be sent. Raises what the call ended with."""
        self._check_caller()
        await self.loop.checkpoint()
        while not self._can_speak:
            self._raise_if_over()
            await self._changed.park()

    async def wait_encrypted(self) -> None:
        """Wait until what is sent is end-to-end encrypted. Raises what the call ended with.

        Alone in a call, or with somebody who can not encrypt, that takes until it changes.
        """
        self._check_caller()
        await self.loop.checkpoint()
        while not self.connection.is_encrypted:
            self._raise_if_over()
            await self._changed.park()

    # -- behind it ---------------------------------------------------------------------

    async def _enter(self) -> None:
        """`wait_ready`, when nobody can hand in an update meanwhile."""
        await self.loop.checkpoint()
        while not self._can_speak:
            self._raise_if_over()
            match self._stalled:
                case NeedNewSession(code, why):
                    raise CallClosed(why, code)
                case WaitingForUpdate(_, why):
                    raise ConnectFailed(why, "update")
            await self._changed.park()

    async def _leave(self) -> None:
        """Say goodbye, for `LEAVE_TIMEOUT` at most. The driver has started, and may end then."""
        deadline = self.loop.now() + LEAVE_TIMEOUT
        self._leaving = True
        self._changed.unpark_all()
        await self._end_audio(self.loop.now() + SILENCE_TIMEOUT)
        if self.closed is None:
            self._driver.call(self.connection.close)
        await self._driver.wait_all_closed(deadline)

    async def _end_audio(self, deadline: float) -> None:
        # What is played hears of it too, and sends the silence.
        await self._until(lambda: not self._is_playing_out, deadline)
        if self.closed is None and not self._is_playing_out:
            stops = self._audio_stops
            self.stop_audio()
            await self._until(
                lambda: self._audio_stops != stops or self.closed is not None, deadline
            )

    async def _until(self, condition: Callable[[], bool], deadline: float = math.inf) -> None:
        """Wait until something makes ``condition`` true, but not beyond ``deadline``."""
        while not condition() and self.loop.now() < deadline:
            await self._changed.park_until(deadline)

    async def _flush(self) -> None:
        """Wait until what the server is to know before the audio is on its way."""
        await self._driver.flush(self.loop.now() + FLUSH_TIMEOUT)

    @property
    def _is_playing_out(self) -> bool:
        """Whether a player sends audio, and will end it."""
        return False

    @property
    def _socket(self) -> Socket:
        sock = self._driver.socket
        assert sock is not None, "a connection that is ready has one"
        return sock

    def _can_record(self) -> bool:
        return self.closed is None and not self._leaving

    def _run_beside(self, task: Callable[..., Awaitable[object]], *args: object) -> None:
        self._driver.run_beside(task, *args)

    @property
    def _can_speak(self) -> bool:
        connection = self.connection
        return connection.is_ready and connection.state is GatewayState.OPEN

    def _check_caller(self) -> None:
        self._driver.check_caller()

    def _raise_if_over(self) -> None:
        self._check_caller()
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
            case RtcpReceived():
                self._tell(event)
                return
            case SessionReady() | SessionResumed() | DaveTransition() | DaveFailed():
                pass
            case _:
                return
        self._changed.unpark_all()

    def _forget(self, stream: EventStream) -> None:
        if stream in self._event_streams:
            self._event_streams.remove(stream)


def _nothing(now: float) -> None:
    pass
