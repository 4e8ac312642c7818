"""`Filling`: keeps the ring of a player full, and knows what of it was sent.

Everything that changes what is heard goes one way: what the ring has not sent, but for one frame,
is taken back and undone; the change is made; the ring is filled again. So it is heard from the
second frame on, within 40 ms, and nothing is repeated or dropped.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

from ..pcm import FRAME_SAMPLES
from ._short_way import Filled
from .events import (
    EndReason,
    PlayerEvent,
    QueueEnded,
    SourceFailed,
    Stalled,
    TrackEnded,
    TrackStarted,
)
from .frames import Ended, Frame, Note, Rendered, Started
from .rendering import Renderer
from .track import Track, failure

__all__ = ["HEADSTART", "LIVE_AHEAD", "Filling", "Ring"]

#: Frames of a source in a thread with which audio begins, also after it has run dry: one that
#: has a frame every 20 ms would otherwise be late with the second.
HEADSTART = 3
#: Frames of a live source that wait to be sent: the next one, and two for a loop that is late.
LIVE_AHEAD = 3


class Ring(Protocol):
    """What the engine asks of `voicekit.pacer.Stream`."""

    @property
    def room(self) -> float:
        """Frames that it takes now."""

    @property
    def queued(self) -> int:
        """Frames that wait in it."""

    @property
    def position(self) -> int:
        """Frames that it has sent, or is past."""

    def push(self, opus: bytes, /) -> bool:
        """Queue one packet; False: it is full."""

    def hold(self) -> None:
        """Begin nothing before `release`."""

    def release(self) -> None:
        """Begin with what was pushed since."""

    def discard(self, keep: int = 0) -> list[bytes]:
        """Take back what waits, but for the first ``keep``."""

    def finish(self) -> None:
        """End after what waits."""

    def stop(self) -> list[bytes]:
        """End now."""

    def pause(self) -> None:
        """Send nothing until `resume`."""

    def resume(self) -> None:
        """Go on."""


class Filling(Filled):
    """The tracks of one player, and what is in its ring. One thread, but for `Track.read`."""

    def __init__(self) -> None:
        self._renderer = Renderer()
        self._headstart = HEADSTART  #: more where the ring is deep: see `_may_begin`
        self._ring: Ring | None = None
        self._pushed: list[Frame] = []  # and, as far as is known, not sent
        self._first = 0  # the number of the first of them, as the ring counts
        self._sent: Frame | None = None  # the one before
        self._shown = 0  # before this one, what is on its way is the past to who looks
        self._incoming: Track | None = None  # replaces what plays once it has a frame
        self._is_paused = False
        self._has_finished = False  # the ring was told that no more comes
        self._happened: list[PlayerEvent] = []
        self._calls: list[tuple[Callable[[Exception | None], object], Exception | None]] = []

    @property
    def is_idle(self) -> bool:
        """Whether nothing plays or waits to; the last of it may still be on its way."""
        return self._renderer.is_idle and self._incoming is None

    @property
    def _next_frame(self) -> Frame | None:
        self._retire()
        past = max(0, self._shown - self._first)
        return self._pushed[past] if len(self._pushed) > past else None

    # -- rendering -------------------------------------------------------------------------------

    def wants(self, track: Track) -> int:
        """Return how many samples of a track should wait now; 0: it is not to be read yet."""
        if track.reason is not None:
            return 0
        if not track.is_live:
            return self._renderer.ahead(track)
        if track is not self._renderer.current:
            is_next = track is self._incoming or self._renderer.current is None
            return HEADSTART * FRAME_SAMPLES if is_next else 0
        queued = 0 if self._ring is None else self._ring.queued
        return (LIVE_AHEAD - queued if queued else HEADSTART) * FRAME_SAMPLES

    @property
    def _tracks(self) -> list[Track]:
        """Those that are to be read: what plays, what is to replace it, and what comes next."""
        tracks = [*self._renderer.playing, *self._renderer.upcoming[:1]]
        return tracks if self._incoming is None else [*tracks, self._incoming]

    def _fill(self) -> None:
        """Swap in what is ready, and fill the ring."""
        incoming = self._incoming
        if incoming is not None and self._is_ready(incoming):
            self._take_back()
            self._swap_in(EndReason.REPLACED)
        ring = self._ring
        if ring is None or self._is_paused:
            return
        # The first frame alone would leave the rest 20 ms to follow: not enough for a slow source,
        # or on a busy machine.
        ring.hold()
        try:
            while ring.room and self._may_push(ring):
                frame = self._render()
                if frame is None:
                    break
                ring.push(frame.opus)
                if frame.samples:  # else it is no Opus: the ring has counted and dropped it
                    self._pushed.append(frame)
                self._has_finished = False
        finally:
            ring.release()
        if self.is_idle and not self._has_finished:
            self._has_finished = True
            ring.finish()

    def _render(self) -> Rendered | None:
        while True:
            try:
                return self._renderer.render()
            except Exception as error:  # of the encoder, or of a source that is none
                for track in self._renderer.playing:
                    track.fail(failure(track, error))
                self._renderer.end_fade()
                self._renderer.end(EndReason.FAILED)

    def _swap_in(self, reason: EndReason) -> None:
        incoming, self._incoming = self._incoming, None
        assert incoming is not None
        if incoming.continues and self._renderer.current is not None:
            incoming.rendered = self._renderer.current.rendered
        self._renderer.end_fade()
        self._renderer.end(reason)
        self._renderer.begin(incoming)
        self._renderer.settle()
        self._shown = self._first + len(self._pushed)

    def _may_push(self, ring: Ring) -> bool:
        track = self._renderer.current
        if track is None:
            return True
        if track.is_live and ring.queued >= LIVE_AHEAD:
            return False
        return ring.queued > 0 or self._may_begin(track)

    def _may_begin(self, track: Track) -> bool:
        """Whether a track is so far ahead that audio may begin, or go on after it has run dry."""
        if track.is_live or not track.is_blocking or track.has_ended:
            return self._is_ready(track)
        return track.samples >= self._headstart * FRAME_SAMPLES

    def _is_ready(self, track: Track) -> bool:
        """Whether a track has enough to take the place of another."""
        if not track.is_blocking:
            return True
        return track.has_ended or track.samples >= HEADSTART * FRAME_SAMPLES

    def _take_back(self) -> None:
        """Undo what is not sent, but for the frame that is next."""
        if self._ring is not None:
            self._drop(len(self._ring.discard(1)))

    def _drop(self, count: int) -> None:
        self._retire()
        taken = [self._pushed.pop() for _ in range(count)][::-1]
        self._renderer.rewind(taken, self._pushed[-1] if self._pushed else self._sent)

    def _go_on(self) -> None:
        """After a command: it stays, whatever is undone later; fill the ring."""
        self._renderer.settle()
        self._shown = self._first + len(self._pushed)
        self.serve()

    def _retire(self) -> None:
        """Note what was sent meanwhile."""
        if self._ring is None:
            return
        count = min(self._ring.position - self._first, len(self._pushed))
        if count <= 0:
            return
        frames = self._pushed[:count]
        del self._pushed[:count]
        self._first += count
        self._sent = frames[-1]
        for frame in frames:
            if frame.lasting or frame.notes:
                self._note([*frame.lasting, *frame.notes])

    def serve(self) -> None:
        """Note what was sent, and fill the ring: whenever something has changed."""
        if self._pass_on():
            return
        self._retire()
        self._fill()
        if not self._pushed and not self._renderer.is_settled:
            self._note(self._renderer.take_notes())
        for track in self._tracks:
            self._admit(track)
            self._happened += track.take_events()
        self._deliver()

    # -- the ring --------------------------------------------------------------------------------

    def _attach(self, ring: Ring) -> None:
        self._ring = ring
        self._first = self._shown = ring.position
        self._sent = None
        self._has_finished = False
        self._renderer.forget()
        if self._is_paused:
            ring.pause()

    def _detach(self) -> None:
        """The ring is gone; what it has not sent is not sent."""
        self._retire()
        self._drop(len(self._pushed))
        self._ring = self._sent = None
        self._renderer.forget()
        self._note(self._renderer.take_notes())

    # -- what happens ------------------------------------------------------------

    @property
    def _is_hungry(self) -> bool:
        """Whether somebody who reads ahead has something to do."""
        for track in self._tracks:
            ahead = self.wants(track)
            if track.is_blocking and track.wants(ahead if track.is_live else ahead // 2):
                return True
        return False

    def _end_now(self, track: Track, reason: EndReason, error: Exception | None = None) -> None:
        if track.reason is None:
            track.error = track.error or error
        self._note([Ended(track, reason)])

    def _note(self, notes: list[Note]) -> None:
        for note in notes:
            track = note.track
            match note:
                case Started():
                    if track.source is not None:
                        self._happened.append(TrackStarted(track.source))
                case Ended(_, reason) if track.reason is None:
                    track.reason = reason
                    if reason is EndReason.FAILED and track.error is not None:
                        self._happened.append(SourceFailed(track.shown, track.error))
                    self._happened.append(TrackEnded(track.shown, reason, track.error))
                    if track.after is not None:
                        self._calls.append((track.after, track.error))
                    self._dismiss(track)

    @property
    def _stalled(self) -> Stalled | None:
        """What to tell when the ring had nothing as a frame was due."""
        track = self._renderer.current
        return None if track is None or self.is_idle else Stalled(track.shown)

    def _note_finished(self) -> None:
        """The ring has ended: everything is out."""
        self._retire()
        self._note(self._renderer.take_notes())
        if self.is_idle:
            self._happened.append(QueueEnded())

    # -- of the driver ---------------------------------------------------------------------------

    def _check(self) -> None:
        """Raise if the thread is not the player's: before a command changes anything."""

    @abstractmethod
    def _admit(self, track: Track) -> None:
        """See to it that a track is read; called often."""

    @abstractmethod
    def _dismiss(self, track: Track) -> None:
        """A track has ended: let go of it."""

    @abstractmethod
    def _deliver(self) -> None:
        """Hand out what has happened, and call who wants to be called."""
