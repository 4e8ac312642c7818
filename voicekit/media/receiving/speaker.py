"""One user's audio in order and in time, whichever SSRC it comes in."""

import math
from typing import NamedTuple

from ..._frame import AudioFrame
from ..._jitter import JitterBuffer, Lost
from ..._rtp import SAMPLE_RATE
from ...codes import SILENCE_FRAME
from ...errors import LocalProtocolError
from ...stats import JitterStats
from .config import ListenConfig

__all__ = ["Heard", "Speaker", "check_time", "is_voice"]

#: Bytes, at most, of a packet that only says that nothing is said (DTX).
DTX_SIZE = 2


class Heard(NamedTuple):
    """What was due: an item, the frame behind it if that is there already, and the times."""

    item: AudioFrame | Lost
    following: AudioFrame | None
    due: float
    ends: float  # when it has been heard to its end


def is_voice(item: AudioFrame | Lost, quiet_level: int) -> bool:
    """Whether something can be heard in it, as far as that shows from outside."""
    if isinstance(item, Lost) or len(item.opus) <= DTX_SIZE or item.opus == SILENCE_FRAME:
        return False
    return item.audio_level is None or item.audio_level < quiet_level


def check_time(now: float) -> None:
    """Raise `LocalProtocolError` for what is no time."""
    if not math.isfinite(now):
        raise LocalProtocolError(f"it is {now}: no time")


class Speaker:
    """A jitter buffer for the stream that a user sends, and the one of the stream before it.

    A user who comes again, or whose call is moved, has a new SSRC: its first frame takes over,
    and what waits of the old one is played out. An old stream takes over again when the
    current one was quiet for ``patience``; two at once are one too many.
    """

    def __init__(self, user_id: int, config: ListenConfig) -> None:
        self.user_id = user_id
        #: When the latest frame came.
        self.last_arrival = -math.inf
        #: When what was popped has been heard to its end.
        self.ends_at = -math.inf
        #: When the user left the call; None: is there.
        self.left_at: float | None = None
        #: Frames of a stream that was not theirs any more.
        self.dropped = 0
        self._config = config
        self._buffer = JitterBuffer(config.jitter)
        self._ssrc: int | None = None
        self._old_buffer = JitterBuffer(config.jitter)
        self._old_ssrc: int | None = None
        self._switched_at = -math.inf
        self._due = -math.inf
        self._is_at_rest = True

    def push(self, frame: AudioFrame) -> None:
        """Take a frame that arrived."""
        buffer = self._buffer
        if frame.ssrc != self._ssrc:
            if frame.ssrc != self._old_ssrc or self._has_stopped(frame.arrived):
                self._switch(frame)
                buffer = self._buffer
            elif frame.arrived <= self._switched_at + self._config.jitter.maximum:
                buffer = self._old_buffer  # overtaken by the new stream
            else:
                self.dropped += 1
                return
        self.left_at = None
        self.last_arrival = max(self.last_arrival, frame.arrived)
        buffer.push(frame)

    def _has_stopped(self, now: float) -> bool:
        return now >= self.last_arrival + self._config.patience

    def _switch(self, frame: AudioFrame) -> None:
        returning = frame.ssrc == self._old_ssrc
        following = self._old_buffer if returning else JitterBuffer(self._config.jitter)
        if not returning:
            self.dropped += len(self._old_buffer)
        self._old_buffer, self._old_ssrc = self._buffer, self._ssrc
        self._buffer, self._ssrc = following, frame.ssrc
        self._switched_at = frame.arrived

    def next_timeout(self) -> float | None:
        """Return when `pop` has something, as far as is known now; None: not before a push."""
        _, due = self._earliest()
        return due

    def _earliest(self) -> tuple[JitterBuffer, float | None]:
        due = self._buffer.next_timeout()
        old = self._old_buffer.next_timeout()
        if old is not None and (due is None or old <= due):
            return self._old_buffer, max(old, self._due)
        return self._buffer, None if due is None else max(due, self._due)

    def pop(self, now: float) -> Heard | None:
        """Return the next of what is due at ``now``; `Heard.due` says since when."""
        while True:
            buffer, due = self._earliest()
            if due is None or due > now:
                return None
            # Not at `due`: all packets of a hole that had passed when the frame behind it came
            # are one `Lost`. Nor at `now`: what is late must not depend on who is asking.
            item = buffer.pop(max(due, self.last_arrival))
            if item is not None:  # it leaves frames out to shorten its delay
                break
        samples = item.conceal if isinstance(item, Lost) else item.duration
        self._due = due
        self._is_at_rest = not is_voice(item, 128) and not isinstance(item, Lost)
        self.ends_at = max(self.ends_at, due + samples / SAMPLE_RATE)
        return Heard(item, buffer.peek(), due, due + samples / SAMPLE_RATE)

    def is_speaking(self, now: float) -> bool:
        """Whether what was popped lasts until now, or what follows it is only late."""
        return now < self.ends_at + (0 if self._is_at_rest else self._config.patience)

    def is_over(self, now: float) -> bool:
        """Whether nothing waits, and nothing is worth being kept."""
        if len(self._buffer) or len(self._old_buffer):
            return False
        return self.left_at is not None or now >= self.forgotten_at

    @property
    def forgotten_at(self) -> float:
        """When a user of whom nothing is heard is forgotten."""
        return self.last_arrival + self._config.forget_after

    @property
    def waiting(self) -> int:
        """Frames that wait to be due."""
        return len(self._buffer) + len(self._old_buffer)

    def stats(self) -> JitterStats:
        """Return what the buffer of the current stream has counted."""
        return self._buffer.stats()
