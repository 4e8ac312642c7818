"""Each user's audio in utterances: from the first word until silence.

speech   . . . [word word   word] . . . . . . . .     one user, as it is due
         ^began at the first                    ^ended: `silence` seconds after the last
"""

import enum
import math
from collections import deque
from operator import attrgetter

import msgspec

from ..._frame import AudioFrame
from ..._jitter import Lost
from ...events import Event, UserLeft
from ...stats import JitterStats
from .config import ListenConfig
from .decoders import Decoders
from .speaker import Heard, Speaker, check_time, is_voice
from .users import SpeakerTable, UserFilter, accepts

__all__ = ["EndReason", "Speech", "SpeechBegan", "SpeechEnded", "SpeechEvent", "Utterances"]

#: What waits to be polled: twenty seconds of one speaker, or two of ten.
KEPT = 1000


class EndReason(enum.Enum):
    """Why an utterance is over."""

    SILENCE = "silence"  #: nothing but silence for `ListenConfig.silence`
    INACTIVITY = "inactivity"  #: nothing at all for `ListenConfig.inactivity`
    LEFT = "left"  #: the user left the call, and was played out
    FORGOTTEN = "forgotten"  #: more than `ListenConfig.max_speakers` were there
    CLOSED = "closed"  #: the call is over


class SpeechBegan(msgspec.Struct, frozen=True):
    """Somebody begins to speak."""

    user_id: int
    at: float  #: seconds on the call's clock


class Speech(msgspec.Struct, frozen=True):
    """The next piece of an utterance, in order; silence frames within it, too."""

    user_id: int
    at: float  #: when it is due
    item: AudioFrame | Lost
    pause: float  #: seconds since the piece before it ended
    pcm: bytes  #: its sound, int16 at 48 kHz; empty unless it was asked for


class SpeechEnded(msgspec.Struct, frozen=True):
    """An utterance is over."""

    user_id: int
    at: float
    reason: EndReason
    seconds: float  #: from its beginning to the end of what was heard last


SpeechEvent = SpeechBegan | Speech | SpeechEnded


class Utterances:
    """From the frames of a call, as they come, to `Speech` of each user. Without clocks.

    Drive it as every machine here: `receive_frame`, `receive_event`, `handle_timeout` at
    `next_timeout`, and `poll` until None. It comes to the same however often that is. ``size``
    events wait for `poll`; then the oldest pieces go, and ``dropped`` counts them.

    Raises `OpusNotFound` for ``pcm`` where there is no libopus.
    """

    def __init__(
        self,
        config: ListenConfig | None = None,
        *,
        users: UserFilter = None,
        pcm: bool = False,
        size: int = KEPT,
    ) -> None:
        if size < 1:
            raise ValueError("there must be room for at least one event")
        self._config = config = config or ListenConfig()
        self._accepts = accepts(users)
        self._size = size
        self._speakers = SpeakerTable(lambda user: _Talker(user, config), config.max_speakers)
        self._due = math.inf
        self._waiting: deque[tuple[SpeechEvent, AudioFrame | None]] = deque()
        self._decoders = Decoders(config.channels, config.max_speakers) if pcm else None
        #: Pieces that were not polled in time.
        self.dropped = 0
        #: Whether no more will come than what `poll` still has.
        self.is_over = False

    def receive_frame(self, frame: AudioFrame) -> None:
        """Take a frame that the call has handed out."""
        if not self._accepts(frame.user_id):
            return
        self.handle_timeout(frame.arrived)
        talker = self._speakers.get(frame.user_id)
        if talker is None:
            talker, gone = self._speakers.add(frame.user_id)
            if gone is not None:
                self._put(gone.end(frame.arrived, EndReason.FORGOTTEN))
        talker.push(frame)
        self._set_alarm(talker)

    def receive_event(self, event: Event, now: float) -> None:
        """Take an event of the call. Who leaves is played out, then the utterance ends."""
        if isinstance(event, UserLeft):
            self.handle_timeout(now)
            talker = self._speakers.get(event.user_id)
            if talker is not None:
                talker.left_at = now
                self._set_alarm(talker)

    def next_timeout(self) -> float | None:
        """Return when there may be something; None: not before a frame comes."""
        return None if self._due == math.inf else self._due

    def handle_timeout(self, now: float) -> None:
        """Do all that was due until ``now``, in its order."""
        check_time(now)
        while self._due <= now:
            talker = min(self._speakers, key=_WAKES_AT, default=None)
            if talker is None:
                self._due = math.inf
            elif talker.wakes_at <= now:
                self._step(talker)
            else:
                self._due = talker.wakes_at

    def poll(self) -> SpeechEvent | None:
        """Return the next event, or None. Here it is decoded."""
        if not self._waiting:
            return None
        event, following = self._waiting.popleft()
        if self._decoders is None or isinstance(event, SpeechBegan):
            return event
        if isinstance(event, SpeechEnded):
            self._decoders.forget(event.user_id)
            return event
        pcm = self._decoders.decode(event.user_id, event.item, following)
        return Speech(event.user_id, event.at, event.item, event.pause, pcm)

    def finish(self, now: float) -> None:
        """The call is over: hand out what waits, and end all utterances."""
        self.handle_timeout(now)
        for talker in list(self._speakers):
            while talker.waiting:
                self._step(talker)
            self._put(talker.end(max(now, talker.ends_at), EndReason.CLOSED))
            self._speakers.remove(talker)
        self._due = math.inf
        self.is_over = True

    def stats(self) -> dict[int, JitterStats]:
        """Return what the buffer of each user has counted."""
        return {talker.user_id: talker.stats() for talker in self._speakers}

    def _set_alarm(self, talker: "_Talker") -> None:
        talker.wakes_at = talker.next_deadline()
        self._due = min(self._due, talker.wakes_at)

    def _step(self, talker: "_Talker") -> None:
        """Do the next thing that is due of one user."""
        now = talker.wakes_at
        due = talker.next_timeout()
        if due is not None and due <= now:
            heard = talker.pop(due)
            if heard is not None:
                self._hear(talker, heard)
        elif talker.is_open and talker.left_at is None:
            self._put(talker.end(now, talker.why()))
        else:
            self._put(talker.end(now, EndReason.LEFT))
            self._speakers.remove(talker)
        talker.wakes_at = talker.next_deadline()

    def _hear(self, talker: "_Talker", heard: Heard) -> None:
        for piece, following in talker.hear(heard):
            self._put(piece, following)

    def _put(self, event: SpeechEvent | None, following: AudioFrame | None = None) -> None:
        if event is None:
            return
        if len(self._waiting) >= self._size:
            self._make_room()
        self._waiting.append((event, following))

    def _make_room(self) -> None:
        """Drop the oldest piece; that somebody begins or ends only if there is nothing else."""
        self.dropped += 1
        for index, (event, _) in enumerate(self._waiting):
            if isinstance(event, Speech):
                del self._waiting[index]
                return
        self._waiting.popleft()


class _Talker(Speaker):
    """A speaker, and whether they are in the middle of an utterance."""

    def __init__(self, user_id: int, config: ListenConfig) -> None:
        super().__init__(user_id, config)
        self._silence = math.inf if config.silence is None else config.silence
        self._inactivity = math.inf if config.inactivity is None else config.inactivity
        self._quiet_level = config.quiet_level
        #: What `next_deadline` was when something was done last.
        self.wakes_at = math.inf
        #: Whether they are in the middle of one.
        self.is_open = False
        self._began = 0.0
        self._voice_ends = 0.0
        self._heard_until = 0.0
        # Lost just before the first word: perhaps it was the first.
        self._before: Heard | None = None

    def next_deadline(self) -> float:
        """Return when there is something to do."""
        due = self.next_timeout()
        if self.is_open and self.left_at is None:
            return self._deadline() if due is None else min(due, self._deadline())
        if due is not None:
            return due
        return self.forgotten_at if self.left_at is None else max(self.left_at, self.ends_at)

    def hear(self, heard: Heard) -> list[tuple[SpeechEvent, AudioFrame | None]]:
        """Return what an item comes to that was popped."""
        events: list[tuple[SpeechEvent, AudioFrame | None]] = []
        voice = is_voice(heard.item, self._quiet_level)
        if not self.is_open:
            before, self._before = self._before, None
            if not voice:
                self._before = heard if isinstance(heard.item, Lost) else None
                return []
            first = before if before is not None and before.ends >= heard.due - 0.02 else heard
            self.is_open = True
            self._began = self._heard_until = first.due
            events.append((SpeechBegan(self.user_id, first.due), None))
            if first is not heard:
                events.append(self._piece(first))
        if voice:
            self._voice_ends = heard.ends
        events.append(self._piece(heard))
        return events

    def end(self, now: float, reason: EndReason) -> SpeechEnded | None:
        """End the utterance; None: there is none."""
        if not self.is_open:
            return None
        self.is_open = False
        return SpeechEnded(self.user_id, now, reason, self._voice_ends - self._began)

    def why(self) -> EndReason:
        """Return what the deadline was."""
        silent = self._voice_ends + self._silence
        return EndReason.SILENCE if silent <= self._deadline() else EndReason.INACTIVITY

    def _piece(self, heard: Heard) -> tuple[Speech, AudioFrame | None]:
        pause = max(0.0, heard.due - self._heard_until)
        self._heard_until = max(heard.ends, self._heard_until)
        return Speech(self.user_id, heard.due, heard.item, pause, b""), heard.following

    def _deadline(self) -> float:
        return min(self._voice_ends + self._silence, self._heard_until + self._inactivity)


_WAKES_AT = attrgetter("wakes_at")
