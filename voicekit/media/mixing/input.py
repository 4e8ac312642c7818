"""One source in a mixer, and what was read of it before it is mixed: `MixerInput`."""

import threading
from collections import deque
from collections.abc import Collection

from ..pcm import FRAME_BYTES
from ..sources.source import AudioSource, checked_volume
from .ducking import Ducker, Ducking, Voicing

__all__ = ["HEADSTART", "SILENCE", "MixerInput"]

SILENCE = bytes(FRAME_BYTES)

#: Frames that are read ahead, as a player reads its tracks: 0.64 s.
AHEAD = 32
#: Frames per trip to a thread. What is barely fast enough is asked for fewer at a time: nothing
#: is to wait for the rest of a batch.
BATCH = 16
#: Frames with which it begins, also after it has stalled: 0.2 s, since nobody waits for the next.
HEADSTART = 10


class MixerInput:
    """One source in a `Mixer`; `Mixer.add` makes it. Any thread may set what can be set.

    Who plays the mixer may have threads `read` it ahead, one at a time; the mixer takes what is
    there then. The volume of the source comes after that: it is heard at once.
    """

    #: Frames that are to be there.
    ahead = AHEAD
    #: A driver gives up on what gives nothing for too long.
    is_live = False

    def __init__(
        self,
        source: AudioSource,
        volume: float,
        ducks: "bool | Collection[MixerInput]",
        ducking: Ducking,
    ) -> None:
        #: What plays.
        self.source = source
        #: Whom it ducks while it is heard: True for all that duck nobody, or some of the others.
        self.ducks = ducks
        #: Whether it plays no more: at its end, failed, removed, or the mixer was closed.
        self.ended = False
        #: Whether it had no frame when one was due: it is silent until it has a few.
        self.stalled = False
        #: Why it failed, if it did; what was read before is still played.
        self.error: Exception | None = None
        self._volume = checked_volume(volume)
        self._removed = False
        self._gain = self._volume  # with which the last frame ended
        self._ducker = Ducker(ducking)
        self._voicing = Voicing(ducking)
        self._frames: deque[bytes] = deque()
        self._is_at_end = False  # nothing more is to be read
        self._reading = threading.Lock()  # held while the source is read, which may take long
        self._is_closed = False
        self._plays = False  # it was begun; of the mixer, as what follows
        self._waited = 0  # frames that were mixed without it

    def __repr__(self) -> str:
        return f"<MixerInput {self.source!r} at {self._volume:g}>"

    @property
    def volume(self) -> float:
        """Loudness in the mix as a factor, beside that of the source; see `AudioSource.volume`."""
        return self._volume

    @volume.setter
    def volume(self, value: float) -> None:
        self._volume = checked_volume(value)

    @property
    def name(self) -> str:
        """For messages."""
        return str(getattr(self.source, "name", None) or type(self.source).__name__)

    # -- reading ahead: one thread at a time -----------------------------------------------

    @property
    def may_stall(self) -> bool:
        """Whether it is to be read ahead: not what is live, which is asked when a frame is due."""
        return self.source.blocking and not self.source.live

    @property
    def is_read(self) -> bool:
        """Whether there is nothing more to `read`."""
        return self._is_at_end or self.ended

    def wants(self, ahead: int = AHEAD) -> bool:
        """Whether there is something to `read`, for ``ahead`` frames to be there."""
        return not self.is_read and len(self._frames) < ahead

    def read(self, ahead: int = AHEAD) -> None:
        """Read up to a batch. It may block, and raises nothing: see `error`."""
        with self._reading:
            held = len(self._frames)
            if held < HEADSTART:  # whoever waits for that is told when the batch is over
                ahead = min(ahead, HEADSTART)
            for _ in range(max(1, min(BATCH, held, ahead - held))):
                if self.is_read or not self._read_one():
                    break
        if self.ended:
            self._close_source()

    def fail(self, error: Exception) -> None:
        """End it: what was read before is still played."""
        if not self.is_read:
            self.error = error
            self._is_at_end = True

    def _read_one(self) -> bool:
        """Read a frame; whether more may follow."""
        pcm = failed = None
        try:
            pcm = None if self.source.closed else self.source.next_pcm()
            if pcm is not None and len(pcm) != FRAME_BYTES:
                raise ValueError(f"a frame has {FRAME_BYTES} bytes, not {len(pcm)}")
        except Exception as error:  # anybody's source: the others go on
            failed = error
        if self.is_read:  # it was given up meanwhile
            return False
        if pcm is None or failed is not None:
            self.error = failed
            self._is_at_end = True
            return False
        self._frames.append(pcm)
        return True

    # -- of the mixer ------------------------------------------------------------------------

    @property
    def _is_ready(self) -> bool:
        """Whether its next frame is there, or a headstart if it is to begin; or it is to end."""
        wanted = 1 if self._plays else HEADSTART
        ends = self._is_at_end or self._removed or self.source.closed
        return ends or len(self._frames) >= wanted

    def _begin(self) -> None:
        self._plays = True
        self.stalled = False

    def _stall(self) -> None:
        self._plays = False
        self.stalled = True

    def _next(self, is_read_ahead: bool) -> bytes | None:
        """Return the next frame, or silence instead; None: there is no more, see `error`."""
        if not (is_read_ahead and self.may_stall):
            self._begin()
            if not self._frames:
                self.read(1)
        if not self._plays:
            return None if self._removed else SILENCE
        if self.source.closed or not self._frames:
            return None
        try:
            return self.source._at_volume(self._frames.popleft())
        except Exception as error:  # anybody's source, again
            self.error = error
            return None

    def _is_ducked_by(self, speaker: "MixerInput") -> bool:
        if isinstance(speaker.ducks, bool):
            return speaker.ducks and not self.ducks
        return self in speaker.ducks

    def _end(self) -> None:
        """Play no more."""
        self.ended = True
        self.stalled = False
        self._frames.clear()
        self._close_source()

    def _close_source(self) -> None:
        """Close it, once; a thread that reads just now comes by here when that is done."""
        if not self._reading.acquire(blocking=False):
            return
        try:
            if not self._is_closed:
                self._is_closed = True
                self.source.close()
        except Exception as error:
            self.error = self.error or error
        finally:
            self._reading.release()
