"""What comes in of a call, as each of its listeners wants it: the half of `Voice` that hears."""

from typing import Any, TypeVar

import trio
from msgspec import structs

from ..events import AudioFrame, Closed, Event
from ..media.receiving import (
    ListenConfig,
    OneUser,
    Speech,
    SpeechEvent,
    Ticker,
    UserFilter,
    Utterances,
    VoiceTick,
)
from .live import Listener, LiveStream
from .streams import FrameStream

__all__ = ["Ears"]

T = TypeVar("T")
L = TypeVar("L", bound="FrameStream | LiveStream[Any]")

#: Twenty seconds of one speaker, or two of ten.
FRAMES_KEPT = 1000
#: A second: who mixes does not want to hear more of what was missed.
TICKS_KEPT = 50


class Ears:
    """Iterators over the audio of one call, from the moment that each is asked for."""

    def __init__(self) -> None:
        #: How the call ended; None while it lasts.
        self.closed: Closed | None = None
        self._listeners: list[FrameStream | LiveStream[Any]] = []

    def frames(self, size: int = FRAMES_KEPT) -> FrameStream:
        """Return an iterator over the audio of everybody, from now on, as it arrives.

        It keeps ``size`` frames for a slow reader, then drops the oldest (``dropped``).
        It ends when the call was left and raises what the call failed with.
        """
        return self._add(FrameStream(size, self._forget_listener))

    def ticks(
        self,
        *,
        users: UserFilter = None,
        pcm: bool = False,
        config: ListenConfig | None = None,
        size: int = TICKS_KEPT,
    ) -> LiveStream[VoiceTick]:
        """Return an iterator over ticks of 20 ms, each with what everybody says in it.

        For mixing: what arrives goes through a jitter buffer for each speaker. With ``pcm``
        each tick has 20 ms of sound of each, with what is lost made up. ``users`` are those to
        listen to: ids, or a function. It keeps ``size`` ticks for a slow reader.

        Raises `OpusNotFound` for ``pcm`` where there is no libopus.
        """
        now = trio.current_time()
        return self._listen(Ticker(config, users=users, pcm=pcm, size=size, now=now))

    def speech(
        self,
        *,
        users: UserFilter = None,
        pcm: bool = False,
        config: ListenConfig | None = None,
        size: int = FRAMES_KEPT,
    ) -> LiveStream[SpeechEvent]:
        """Return an iterator over what is said: `SpeechBegan`, `Speech`, `SpeechEnded`.

        In order and in time, with `Lost` in the holes. ``config`` says after how much silence
        or inactivity speech has ended. Options as those of `ticks`.
        """
        return self._listen(Utterances(config, users=users, pcm=pcm, size=size))

    def listen(
        self,
        user_id: int,
        *,
        pcm: bool = False,
        until_silence: float | None = None,
        until_inactivity: float | None = None,
        config: ListenConfig | None = None,
        size: int = FRAMES_KEPT,
    ) -> LiveStream[Speech]:
        """Return an iterator over what one user says, from now on.

        It ends with the call; or, once the user has begun to speak, when they were silent for
        ``until_silence`` seconds, sent nothing at all for ``until_inactivity``, or left.
        """
        config = config or ListenConfig()
        once = until_silence is not None or until_inactivity is not None
        if once:
            config = structs.replace(config, silence=until_silence, inactivity=until_inactivity)
        return self._listen(OneUser(user_id, config, once=once, pcm=pcm, size=size))

    # -- behind it ---------------------------------------------------------------------

    def _listen(self, engine: Listener[T]) -> LiveStream[T]:
        return self._add(LiveStream(engine, self._forget_listener))

    def _add(self, listener: L) -> L:
        if self.closed is not None:
            listener.end(self.closed)
        else:
            self._listeners.append(listener)
        return listener

    def _hear(self, frames: list[AudioFrame]) -> None:
        for listener in self._listeners:
            listener.put_many(frames)

    def _tell(self, event: Event) -> None:
        """Tell those who listen to people that one of them left."""
        for listener in self._listeners:
            if isinstance(listener, LiveStream):
                listener.put_event(event)

    def _end_listening(self, closed: Closed) -> None:
        self.closed = closed
        for listener in self._listeners:
            listener.end(closed)

    def _forget_listener(self, listener: FrameStream | LiveStream[Any]) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)
