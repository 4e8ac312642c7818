"""`Engine`: what a player does, without an event loop, a thread or a clock.

```
   sources --> Track.read --> Renderer.render --> ring (the pacer's stream) --> receivers
               (a thread)     gain, fade, encode        |
                    <---------- rewind <--- discard ----'   volume, seek, skip, swap
```
"""

import math

from ..._rtp import SAMPLE_RATE
from ...errors import LocalProtocolError
from ..sources import File, Frames
from ..sources.source import checked_seconds, checked_volume
from .events import (
    EndReason,
    Paused,
    Resumed,
)
from .filling import Filling, Ring
from .queue import Queue
from .track import Track

__all__ = ["LONGEST_CROSSFADE", "Engine", "Ring"]

#: Seconds. Both tracks are held in memory, as samples, for as long.
LONGEST_CROSSFADE = 30.0


class Engine(Filling):
    """What is known of a player, and what it is told. A driver makes it one with an event loop."""

    # -- what is known of it -----------------------------------------------------------------

    @property
    def is_playing(self) -> bool:
        """Whether something plays, and is not paused."""
        return not self._is_paused and self._track is not None

    @property
    def is_paused(self) -> bool:
        """Whether it was paused, and something would play otherwise."""
        return self._is_paused and self._track is not None

    @property
    def current_audio(self) -> Frames | None:
        """The source that is heard, or about to be; None: nothing plays."""
        track = self._track
        return None if track is None else track.source

    @property
    def elapsed(self) -> float:
        """Seconds of what plays that were sent, wherever in it they were; 0 if nothing plays."""
        frame = self._next_frame
        if frame is not None:
            return frame.age / SAMPLE_RATE
        track = self._track
        return 0.0 if track is None else track.rendered / SAMPLE_RATE

    @property
    def position(self) -> float:
        """Seconds from the beginning of the source to what is sent next; 0 if nothing plays."""
        frame = self._next_frame
        if frame is not None:
            return frame.place
        track = self._track
        return 0.0 if track is None else track.place

    @property
    def _track(self) -> Track | None:
        frame = self._next_frame
        if frame is not None:
            return frame.track
        renderer = self._renderer
        return renderer.current or self._incoming or next(iter(renderer.upcoming), None)

    # -- settings ------------------------------------------------------------------------------

    @property
    def volume(self) -> float:
        """Loudness as a factor, besides the sources' own; 1 for as it is.

        Any finite value from 0 on, else ``ValueError``; heard within 40 ms, without a click. What
        would pass full scale is bent smoothly.
        """
        return self._renderer.volume

    @volume.setter
    def volume(self, value: float) -> None:
        self._check()
        value = checked_volume(value)
        if value != self._renderer.volume:
            self._take_back()
            self._renderer.volume = value
            self._go_on()

    @property
    def crossfade(self) -> float:
        """Seconds for which one track fades out while the next of the queue fades in; 0: none.

        With equal power: the one by the cosine, the other by the sine of the same angle. Live
        sources end and begin without. Up to 30, else ``ValueError``.
        """
        return self._renderer.crossfade

    @crossfade.setter
    def crossfade(self, seconds: float) -> None:
        self._check()
        if not (math.isfinite(seconds) and 0 <= seconds <= LONGEST_CROSSFADE):
            raise ValueError(f"crossfade is 0 to {LONGEST_CROSSFADE:g} seconds, not {seconds!r}")
        self._take_back()
        self._renderer.crossfade = float(seconds)
        self._go_on()

    @property
    def loop(self) -> bool:
        """Whether what plays begins again at its end, without a gap. Not what can not be sought."""
        return self._renderer.loop

    @loop.setter
    def loop(self, loop: bool) -> None:
        self._check()
        self._take_back()
        self._renderer.loop = bool(loop)
        if self._renderer.current is not None:
            self._renderer.current.loop = bool(loop)
        self._go_on()

    @property
    def queue(self) -> Queue:
        """What plays after what plays now."""
        return Queue(self)

    def report_loss(self, fraction: float) -> None:
        """Tell the encoder what receivers report (RTCP), 0 to 1; see `EncoderOptions`."""
        self._renderer.report_loss(fraction)

    # -- commands --------------------------------------------------------------------------------

    def stop(self) -> None:
        """End what plays within a frame, and forget the queue. Idempotent."""
        self._check()
        self._end_all(EndReason.STOPPED)

    def pause(self) -> None:
        """Keep what is not sent, from the next frame on. Idempotent."""
        self._check()
        if self._track is not None and not self._is_paused:
            self._set_paused(True, Paused())

    def resume(self) -> None:
        """Go on with the frame that was next. Idempotent."""
        self._check()
        if self._is_paused:
            self._set_paused(False, Resumed())

    def _set_paused(self, paused: bool, event: Paused | Resumed) -> None:
        self._is_paused = paused
        if self._ring is not None:
            if paused:
                self._ring.pause()
            else:
                self._ring.resume()
        self._happened.append(event)
        self.serve()

    def skip(self) -> None:
        """End what plays, and go on with the next of the queue, if there is one."""
        self._check()
        self._take_back()
        renderer = self._renderer
        if self._incoming is None:
            renderer.begin_what_waits()
            renderer.skip()
        else:
            self._swap_in(EndReason.SKIPPED)
        self._go_on()

    def seek(self, seconds: float) -> None:
        """Go to a moment of what plays; `position` says where that was.

        Raises ``ValueError`` for a moment that is none, `LocalProtocolError` if nothing plays or
        it can not be sought.
        """
        self._check()
        seconds = checked_seconds(seconds, "seconds")
        self._take_back()
        self._renderer.begin_what_waits()
        track = self._renderer.current
        try:
            if track is None:
                raise LocalProtocolError("nothing is being played")
            if not track.is_seekable:
                raise LocalProtocolError(f"{track.name} can not be sought")
            self._renderer.end_fade()
            track.seek(seconds)
        finally:
            self._go_on()

    @property
    def source(self) -> Frames | None:
        """What plays. Set it, and the new source goes on in its place, without a gap.

        `elapsed` goes on, and ``after`` is called when the new one has ended. Raises
        `LocalProtocolError` if nothing plays.
        """
        return self.current_audio

    @source.setter
    def source(self, source: File | Frames) -> None:
        self._check()
        playing = self._track
        if playing is None:
            raise LocalProtocolError("nothing is being played")
        track = Track(source, playing.after)
        playing.after = None
        track.continues = True
        self._replace(track)

    def _replace(self, track: Track) -> None:
        """Play a track from now on: at once, or as soon as it has something."""
        self._check()
        if self._incoming is not None:
            self._end_now(self._incoming, EndReason.REPLACED)
        self._incoming = track
        self._is_paused, was_paused = False, self._is_paused
        self._admit(track)
        if was_paused and self._ring is not None:
            self._take_back()
            self._ring.resume()
        self._go_on()

    def _enqueue(self, track: Track, index: int | None = None) -> None:
        self._check()
        self._take_back()
        upcoming = self._renderer.upcoming
        upcoming.insert(len(upcoming) if index is None else index, track)
        self._go_on()

    def _leave_out(self, count: int | None, reason: EndReason) -> None:
        self._check()
        self._take_back()
        upcoming = self._renderer.upcoming
        count = len(upcoming) if count is None else min(count, len(upcoming))
        left_out = [upcoming.pop(0) for _ in range(count)]
        self._go_on()
        for track in left_out:
            self._end_now(track, reason)
        self._deliver()

    @property
    def _waiting(self) -> list[Track]:
        """What was not begun, as the receivers hear it."""
        self._retire()
        begun = [track for frame in self._pushed for track in frame.popped]
        if self._pushed:  # what is next is as good as begun
            begun = begun[len(self._pushed[0].popped) :]
        return [*begun, *self._renderer.upcoming]

    # -- ends ----------------------------------------------------------------------

    def _end_all(self, reason: EndReason, error: Exception | None = None) -> None:
        """End everything now."""
        if self._ring is not None:
            self._drop(len(self._ring.stop()))
            self._has_finished = True
        self._note(self._renderer.take_notes())  # of what was ended before
        self._clear(reason, error)
        self._is_paused = False
        self._deliver()

    def _end_track(self, track: Track) -> None:
        """End one track, wherever it is."""
        upcoming = self._renderer.upcoming
        self._take_back()
        if track in upcoming:
            upcoming.remove(track)
            self._end_now(track, EndReason.STOPPED)
            self._go_on()
        elif upcoming and track is self._renderer.current:
            self.skip()
        elif track.reason is None:
            self.stop()

    def _fail_all(self, error: Exception) -> None:
        """End everything after what was rendered: something went wrong that is no source's."""
        self._clear(EndReason.FAILED, error)
        if self._ring is not None and not self._has_finished:
            self._has_finished = True
            self._ring.finish()
        self._deliver()

    def _clear(self, reason: EndReason, error: Exception | None) -> None:
        renderer = self._renderer
        tracks = [*renderer.playing, *renderer.upcoming]
        if self._incoming is not None:
            tracks.append(self._incoming)
        renderer.clear()
        self._incoming = None
        for track in tracks:
            self._end_now(track, reason, error)
