"""What comes in of a call, as each of its listeners wants it: the half of `Voice` that hears."""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

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
from .loop import Loop
from .streams import EventStream, FrameStream

__all__ = ["Ears", "Streams"]

T = TypeVar("T")
L = TypeVar("L", bound="CallListener")

#: Twenty seconds of one speaker, or two of ten.
FRAMES_KEPT = 1000
#: A second: who mixes does not want to hear more of what was missed.
TICKS_KEPT = 50


class Streams(NamedTuple):
    """The iterators of one event loop."""

    frames: type[FrameStream]
    events: type[EventStream]
    live: type[LiveStream[Any]]


class CallListener(Protocol):
    """Who hears a call: an iterator, or a recording."""

    def put_many(self, frames: list[AudioFrame]) -> None:
        """Take received frames."""

    def put_event(self, event: Event) -> None:
        """Take what happens: who left, and RTCP."""

    def end(self, closed: Closed) -> None:
        """Take nothing more: the call is over."""


class Ears:
    """Iterators over the audio of one call, from the moment that each is asked for."""

    #: The event loop that it lives in, and the iterators of that.
    loop: ClassVar[Loop]
    streams: ClassVar[Streams]

    def __init__(self) -> None:
        #: How the call ended; None while it lasts.
        self.closed: Closed | None = None
        self._listeners: list[CallListener] = []

    def frames(self, size: int = FRAMES_KEPT) -> FrameStream:
        """Return an iterator over the audio of everybody, from now on, as it arrives.

        It keeps ``size`` frames for a slow reader, then drops the oldest (``dropped``).
        It ends when the call was left and raises what the call failed with.
        """
        return self._add(self.streams.frames(size, self._forget_listener))

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
        now = self.loop.now()
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
        return self._add(self.streams.live(engine, self._forget_listener))

    @abstractmethod
    def _check_caller(self) -> None:
        """Raise `LocalProtocolError` in another thread than the call's."""

    def _add(self, listener: L) -> L:
        self._check_caller()
        if self.closed is not None:
            listener.end(self.closed)
        else:
            self._listeners.append(listener)
        return listener

    def _hear(self, frames: list[AudioFrame]) -> None:
        for listener in self._listeners:
            listener.put_many(frames)

    def _tell(self, event: Event) -> None:
        """Tell those who listen to people that one of them left, or how their clocks run."""
        for listener in self._listeners:
            listener.put_event(event)

    def _end_listening(self, closed: Closed) -> None:
        self.closed = closed
        for listener in self._listeners:
            listener.end(closed)

    def _forget_listener(self, listener: CallListener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)
