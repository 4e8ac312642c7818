"""Everybody's audio in one rhythm: a tick every 20 ms, with what each speaker says in it."""

from collections import deque

import msgspec

from ..._frame import AudioFrame
from ..._jitter import Lost
from ..._rtp import SAMPLE_RATE
from ...events import Event, UserLeft
from ...stats import JitterStats
from .config import ListenConfig
from .decoders import Decoders
from .speaker import Speaker, check_time
from .users import SpeakerTable, UserFilter, accepts

__all__ = ["TICK", "Ticker", "VoiceTick"]

#: Seconds from one tick to the next: the length of the frames that nearly everybody sends.
TICK = 0.02
TICK_SAMPLES = round(TICK * SAMPLE_RATE)
#: Times that differ by less are the same: sums of floating-point numbers are not exact.
ROUNDING = 1e-6
#: Ticks that wait to be polled: a second, after which nobody wants to hear the first of them.
TICKS_KEPT = 50
#: Decoded sound that waits for its tick, in ticks: two frames of the longest kind. More comes of
#: senders whose packets last longer than their clock says.
MAX_AHEAD = 12


class VoiceTick(msgspec.Struct, frozen=True):
    """20 ms of a call.

    ``speaking`` has what became due since the last tick, for each user who is speaking: mostly
    one frame, several short ones, `Lost` in a hole; nothing while a longer frame lasts or the
    next one is late. ``pcm`` has the sound of the same users, exactly 20 ms of each.
    """

    number: int  #: from 0; a number that is missing was not taken in time
    at: float  #: seconds on the call's clock
    speaking: dict[int, tuple[AudioFrame | Lost, ...]]
    silent: frozenset[int]  #: who was heard before and says nothing now
    pcm: dict[int, bytes]  #: int16 at 48 kHz; empty unless it was asked for


class Ticker:
    """From the frames of a call, as they come, to `VoiceTick`. Without clocks.

    Ticks are 20 ms apart from ``now`` on, whether anybody speaks or not. Drive it as every
    machine here: `receive_frame`, `receive_event`, `handle_timeout` at `next_timeout`, and
    `poll` until None. ``size`` ticks wait for it; then the oldest go, and ``dropped`` counts.

    Raises `OpusNotFound` for ``pcm`` where there is no libopus.
    """

    def __init__(
        self,
        config: ListenConfig | None = None,
        *,
        users: UserFilter = None,
        pcm: bool = False,
        size: int = TICKS_KEPT,
        now: float,
    ) -> None:
        if size < 1:
            raise ValueError("there must be room for at least one tick")
        check_time(now)
        self._config = config = config or ListenConfig()
        self._accepts = accepts(users)
        self._size = size
        self._began = now
        self._number = 0
        self._speakers = SpeakerTable(lambda user: Speaker(user, config), config.max_speakers)
        self._waiting: deque[tuple[VoiceTick, dict[int, AudioFrame | None]]] = deque()
        self._renderer = _Renderer(config) if pcm else None
        #: Ticks that were not polled in time.
        self.dropped = 0
        #: Whether no more will come than what `poll` still has.
        self.is_over = False

    def receive_frame(self, frame: AudioFrame) -> None:
        """Take a frame that the call has handed out."""
        if not self._accepts(frame.user_id):
            return
        self.handle_timeout(frame.arrived)
        speaker = self._speakers.get(frame.user_id)
        if speaker is None:
            speaker, _ = self._speakers.add(frame.user_id)
        speaker.push(frame)

    def receive_event(self, event: Event, now: float) -> None:
        """Take an event of the call. Who leaves is played out, then forgotten."""
        if isinstance(event, UserLeft):
            self.handle_timeout(now)
            speaker = self._speakers.get(event.user_id)
            if speaker is not None:
                speaker.left_at = now

    def next_timeout(self) -> float | None:
        """Return when the next tick is due."""
        return self._began + self._number * TICK

    def handle_timeout(self, now: float) -> None:
        """Make the ticks that are due. Of more than ``size``, only the last."""
        check_time(now)
        due = int((now - self._began + ROUNDING) / TICK) + 1 - self._number
        if due > self._size:
            self._number += due - self._size
            self.dropped += due - self._size + len(self._waiting)
            self._waiting.clear()
        for _ in range(min(due, self._size)):
            if len(self._waiting) >= self._size:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(self._tick(self._began + self._number * TICK))

    def poll(self) -> VoiceTick | None:
        """Return the next tick, or None. Here it is decoded."""
        if not self._waiting:
            return None
        tick, following = self._waiting.popleft()
        if self._renderer is None:
            return tick
        return self._renderer.render(tick, following)

    def finish(self, now: float) -> None:
        """The call is over: tick until everything that waits was played."""
        for _ in range(self._size):
            if not any(speaker.waiting for speaker in self._speakers):
                break
            self.handle_timeout(max(now, self._began + self._number * TICK))
        self.is_over = True

    def stats(self) -> dict[int, JitterStats]:
        """Return what the buffer of each user has counted."""
        return {speaker.user_id: speaker.stats() for speaker in self._speakers}

    def _tick(self, at: float) -> tuple[VoiceTick, dict[int, AudioFrame | None]]:
        speaking: dict[int, tuple[AudioFrame | Lost, ...]] = {}
        following: dict[int, AudioFrame | None] = {}
        silent: list[int] = []
        for speaker in list(self._speakers):
            items: list[AudioFrame | Lost] = []
            while (heard := speaker.pop(at + ROUNDING)) is not None:
                items.append(heard.item)
                following[speaker.user_id] = heard.following
            if items or speaker.is_speaking(at + ROUNDING):
                speaking[speaker.user_id] = tuple(items)
            elif speaker.is_over(at):
                self._speakers.remove(speaker)
            else:
                silent.append(speaker.user_id)
        tick = VoiceTick(self._number, at, speaking, frozenset(silent), {})
        self._number += 1
        return tick, following


class _Renderer:
    """Ticks to PCM: frames of any length in, 20 ms of everybody out."""

    def __init__(self, config: ListenConfig) -> None:
        self._decoders = Decoders(config.channels, config.max_speakers)
        self._size = TICK_SAMPLES * 2 * config.channels
        self._width = 2 * config.channels
        self._ahead: dict[int, bytearray] = {}  # decoded, of who is speaking

    def render(self, tick: VoiceTick, following: dict[int, AudioFrame | None]) -> VoiceTick:
        pcm: dict[int, bytes] = {}
        for user_id, items in tick.speaking.items():
            pcm[user_id] = self._speak(user_id, items, following.get(user_id))
        for user_id in self._ahead.keys() - tick.speaking.keys():
            rest = self._take(self._ahead[user_id])
            if rest:
                pcm[user_id] = rest.ljust(self._size, b"\0")
            else:
                del self._ahead[user_id]
                if user_id not in tick.silent:
                    self._decoders.forget(user_id)
        return VoiceTick(tick.number, tick.at, tick.speaking, tick.silent, pcm)

    def _speak(
        self, user_id: int, items: tuple[AudioFrame | Lost, ...], following: AudioFrame | None
    ) -> bytes:
        begins = user_id not in self._ahead
        ahead = self._ahead.setdefault(user_id, bytearray())
        for index, item in enumerate(items):
            behind = items[index + 1] if index + 1 < len(items) else following
            frame = None if isinstance(behind, Lost) else behind
            ahead += self._decoders.decode(user_id, item, frame)
        missing = self._size - len(ahead)
        if missing > 0 and begins:
            ahead[:0] = bytes(missing)  # it begins in the middle of the tick
        elif missing > 0:
            ahead += self._decoders.conceal(user_id, missing // self._width)
        del ahead[: max(0, len(ahead) - MAX_AHEAD * self._size)]
        return self._take(ahead)

    def _take(self, ahead: bytearray) -> bytes:
        taken = bytes(ahead[: self._size])
        del ahead[: self._size]
        return taken
