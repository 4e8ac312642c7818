"""`Renderer`: tracks in, Opus frames of 20 ms out; and back, as long as they are not sent.

One frame is made of one piece of one track, of two where one track ends and the next begins, or
of two added up while they are cross-faded. A frame remembers its pieces as they were before any
gain, and the state before it, so that it can be made anew: louder, or without what was skipped.
"""

import math

from ..._rtp import SAMPLE_RATE
from .._gain import amplify
from .._mix import Bus
from ..mixing import equal_power
from ..pcm import FRAME_BYTES, FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_BYTES
from ._pieces import Passed, Piece
from ._short_way import Standing
from .encoding import ContinuousEncoder
from .events import EndReason
from .frames import Ended, Frame, Note, Part, Rendered, Started, State
from .track import AHEAD, Track

__all__ = ["LEAD", "Renderer"]


#: Samples by which an encoder is late: what it gives begins with so many of what it heard before.
#: So a track whose packets are decoded and encoded anew is that much ahead, and neither then nor
#: when they pass untouched again is anything heard twice or left out.
LEAD = 312


class Renderer(Standing):
    """What plays now, what fades out under it, and what comes next (`upcoming`)."""

    def __init__(self) -> None:
        self.upcoming: list[Track] = []
        self.current: Track | None = None
        #: All tracks' factor, besides their own.
        self.volume = 1.0
        #: Seconds in which two tracks overlap; 0: the next begins where one ends.
        self.crossfade = 0.0
        #: Whether what plays begins again at its end.
        self.loop = False
        self._fading: Track | None = None
        self._fade_at = 0
        self._fade_length = 0
        self._fade_reason = EndReason.FINISHED
        # What has happened since the last frame, and belongs to the next.
        self._before = self._state
        self._lasting: list[Note] = []
        self._notes: list[Note] = []
        self._popped: list[Track] = []
        self._last = None
        self._plain = None
        self._encoder = ContinuousEncoder()
        self._bus: Bus | None = None

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to render, now or later, unless something is added."""
        return self.current is None and not self.upcoming

    @property
    def playing(self) -> list[Track]:
        """What plays, and what fades out under it."""
        return [track for track in (self._fading, self.current) if track is not None]

    def ahead(self, track: Track) -> int:
        """Return how many samples of a track should be there before they are needed."""
        if track.is_live:
            return FRAME_SAMPLES
        return max(AHEAD, self._fade_samples)

    @property
    def _fade_samples(self) -> int:
        """What has to be read of a track to see whether its fade begins."""
        return round(self.crossfade * SAMPLE_RATE) + FRAME_SAMPLES

    # -- one frame ---------------------------------------------------------------------------

    def render(self) -> Rendered | None:
        """Return the next frame; None: nothing is there yet, or nothing is left (`is_idle`)."""
        track = self._next_track()
        if track is None:
            return None
        if self._may_fade(track):
            self._begin_fade(track)
            track = self._begin_next()
        frame = Rendered(self._before, self._lasting, self._notes, self._popped)
        frame.place = track.place
        frame.age = track.rendered
        if self._fading is not None:
            self._add_up(frame, self._fading, track)
        else:
            self._pass_or_encode(frame, track)
        self._last = frame
        self._lasting, self._notes, self._popped = [], [], []
        self._before = self._state
        return frame

    def _next_track(self) -> Track | None:
        """Return the track of the next frame, which has one; None: there is none now."""
        while True:
            track = self.current
            if track is None:
                if not self.upcoming:
                    self.end_fade()  # under nothing
                    return None
                track = self._begin_next()
            self._pull(track)
            if self._has_frame(track) or (track.has_ended and track.samples):
                return track
            if not track.has_ended:
                return None
            self.end(EndReason.FAILED if track.error else EndReason.FINISHED)

    def _passes(self, track: Track) -> bool:
        """Whether what is next of a track goes out as it came, if it is alone."""
        return (
            track.next_packet(LEAD) is not None
            and track.gain * self.volume == 1
            and track.applied in (None, 1)
        )

    def _lead(self, track: Track) -> int:
        """Return how many samples have to be taken of a track before those of a frame."""
        encodes = self._fading is not None or not self._passes(track)
        return LEAD if track.begins_packet and encodes and not track.is_live else 0

    def _has_frame(self, track: Track) -> bool:
        lead = self._lead(track)
        return track.has_frame and (track.samples >= FRAME_SAMPLES + lead or not lead)

    def _pull(self, track: Track) -> None:
        """Read what is read where it is needed."""
        if track.is_blocking:
            return
        wanted = FRAME_SAMPLES + self._lead(track)
        if self.crossfade and not track.is_live:
            # To fade in time the end has to be seen coming: two frames more for each one sent.
            seen = min(track.samples + 2 * FRAME_SAMPLES, self._fade_samples)
            wanted = max(wanted, seen)
        track.pull(wanted)
        track.pull(FRAME_SAMPLES + self._lead(track))  # now that it is known what comes

    def _begin_next(self) -> Track:
        track = self.upcoming.pop(0)
        self._popped.append(track)
        self.begin(track)
        return track

    def begin_what_waits(self) -> None:
        """If nothing plays, have the next of the queue do so, whether it has a frame or not."""
        if self.current is None and self.upcoming:
            self._begin_next()

    def begin(self, track: Track) -> None:
        """Play a track from the next frame on."""
        self._plain = None
        self.current = track
        track.loop = self.loop
        track.report_loss(self._encoder.loss)
        self._notes.append(Started(track))

    def end(self, reason: EndReason) -> None:
        """End what plays."""
        self._plain = None
        if self.current is not None:
            started = Started(self.current)
            for notes in (self._lasting, self._notes):
                if started in notes:  # it was to begin, and never had a frame
                    notes.remove(started)
            self._notes.append(Ended(self.current, reason))
            self.current = None

    def end_fade(self) -> None:
        """End what fades out."""
        if self._fading is not None:
            self._notes.append(Ended(self._fading, self._fade_reason))
            self._fading = None

    # -- two tracks in one frame ---------------------------------------------------------------

    def _may_fade(self, track: Track) -> bool:
        """Whether the track is so near its end that the next begins under it."""
        if not (self.crossfade and self.upcoming and track.has_ended and not track.is_live):
            return False
        following = self.upcoming[0]
        self._pull(following)
        return (
            self._fading is None
            and following.has_frame
            and track.samples <= round(self.crossfade * SAMPLE_RATE)
        )

    def _begin_fade(self, track: Track) -> None:
        self._fading, self.current = track, None
        self._fade_at = 0
        self._fade_length = math.ceil(track.samples / FRAME_SAMPLES)
        self._fade_reason = EndReason.FINISHED

    def skip(self) -> None:
        """End what plays: under what comes next, where that is to fade in and can."""
        track = self.current
        self.end_fade()
        if track is None or not (self.crossfade and self.upcoming) or track.is_live:
            return self.end(EndReason.SKIPPED)
        following = self.upcoming[0]
        self._pull(following)
        if not (track.has_frame and following.has_frame):
            return self.end(EndReason.SKIPPED)
        self._begin_fade(track)
        seconds = min(self.crossfade, track.samples / SAMPLE_RATE)
        self._fade_length = max(1, math.ceil(seconds / FRAME_SECONDS))
        self._fade_reason = EndReason.SKIPPED
        return None

    def _add_up(self, frame: Rendered, fading: Track, track: Track) -> None:
        """Equal power: the loudness of two unlike signals stays the same throughout."""
        if self._bus is None:
            self._bus = Bus(FRAME_SAMPLES)
        begin, end = (equal_power((self._fade_at + n) / self._fade_length) for n in (0, 1))
        for one, fade_from, fade_to in zip((fading, track), begin, end, strict=True):
            pieces, before, after = self._take(frame, one)
            pcm = _joined(one, pieces).ljust(FRAME_BYTES, b"\0")
            self._bus.add(pcm, before * fade_from, after * fade_to)
        self._encoder.encode(frame, self._bus.take(), self._last)
        self._fade_at += 1
        if self._fade_at >= self._fade_length:
            self.end_fade()

    def _take(
        self, frame: Rendered, track: Track, samples: int = FRAME_SAMPLES
    ) -> tuple[tuple[Piece, ...], float, float]:
        """Take from a track for a frame: the pieces, and the gain before and after them."""
        after = track.gain * self.volume
        before = after if track.applied is None else track.applied
        lead = track.take_pcm(self._lead(track))
        pieces = track.take_pcm(samples)
        if not frame.parts:  # else it is not the one that was heard before
            frame.lead = _joined(track, lead)
        frame.parts.append(Part(track, lead + pieces, track.applied))
        track.applied = after
        return pieces, before, after

    # -- one track -----------------------------------------------------------------------------

    def _pass_or_encode(self, frame: Rendered, track: Track) -> None:
        packet = track.next_packet(LEAD)
        if packet is not None and self._passes(track):
            frame.parts.append(Part(track, (track.take(),), track.applied))
            track.applied = 1.0
            assert packet.packet is not None
            frame.opus, frame.samples = packet.packet, packet.samples
            if not (self.crossfade or track.is_live):
                self._plain = track
            return
        self._plain = None
        pcm = self._samples_of(frame, track, FRAME_SAMPLES)
        if len(pcm) < FRAME_BYTES and (following := self._joins_on()) is not None:
            self.end(EndReason.FINISHED)
            self._begin_next()
            pcm += self._samples_of(frame, following, FRAME_SAMPLES - len(pcm) // SAMPLE_BYTES)
        self._encoder.encode(frame, pcm.ljust(FRAME_BYTES, b"\0"), self._last)

    def _samples_of(self, frame: Rendered, track: Track, samples: int) -> bytes:
        pieces, before, after = self._take(frame, track, samples)
        pcm = _joined(track, pieces)
        return pcm if before == after == 1 else amplify(pcm, before, after)

    def _joins_on(self) -> Track | None:
        """Return the next track, if it begins to the sample where one ends within a frame.

        One whose packets can pass untouched does not: they are whole frames.
        """
        if not self.upcoming:
            return None
        following = self.upcoming[0]
        self._pull(following)
        joins = self._has_frame(following) and not self._passes(following)
        return following if joins else None

    def report_loss(self, fraction: float) -> None:
        """Tell encoders what receivers report (RTCP), 0 to 1; see `EncoderOptions`."""
        self._encoder.report_loss(fraction)
        for track in self.playing:
            track.report_loss(fraction)

    # -- and back --------------------------------------------------------------------------------

    @property
    def _state(self) -> State:
        return State(
            self.current, self._fading, self._fade_at, self._fade_length, self._fade_reason
        )

    def rewind(self, frames: list[Frame], last: Frame | None) -> None:
        """Undo the newest frames, given in order; ``last`` is the one before them."""
        self._plain = None
        if not frames:
            return
        state = frames[0].state
        lasting = [note for frame in frames for note in frame.lasting] + self._lasting
        self._lasting, self._notes = lasting, []
        self.upcoming[:0] = self._popped
        self._popped = []
        for frame in reversed(frames):
            if isinstance(frame, Passed):
                frame.put_back()
                continue
            for part in reversed(frame.parts):
                part.track.put_back(part.pieces)
                part.track.applied = part.applied
            self.upcoming[:0] = frame.popped
        self._before = state
        self.current, self._fading = state.current, state.fading
        self._fade_at, self._fade_length = state.fade_at, state.fade_length
        self._fade_reason = state.fade_reason
        self._last = last

    def settle(self) -> None:
        """Make what has happened since the last frame stay, whatever is undone later."""
        self._plain = None
        self._lasting += self._notes
        self._notes, self._popped = [], []
        self._before = self._state

    @property
    def is_settled(self) -> bool:
        """Whether nothing has happened since the last frame."""
        return not (self._lasting or self._notes or self._popped)

    def take_notes(self) -> list[Note]:
        """Return what has happened since the last frame, which was sent."""
        self.settle()
        notes, self._lasting = self._lasting, []
        return notes

    def clear(self) -> None:
        """Drop all tracks, and say nothing about it."""
        self.current = self._fading = None
        self.upcoming.clear()
        self.take_notes()

    def forget(self) -> None:
        """Begin anew, after silence: nothing of what was encoded before is to be heard."""
        self._last = None
        self._encoder.forget()


def _joined(track: Track, pieces: tuple[Piece, ...]) -> bytes:
    if len(pieces) == 1:
        return track.decode(pieces[0])
    return b"".join(track.decode(piece) for piece in pieces)
