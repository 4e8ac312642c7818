"""What a track is made of while it waits to be sent: packets as they came, and samples."""

from typing import TYPE_CHECKING, Any

from ..._rtp import SAMPLE_RATE
from ..pcm import FRAME_BYTES, SAMPLE_BYTES

if TYPE_CHECKING:
    from .track import Track

__all__ = ["Passed", "Piece", "last_frame"]


class Piece:
    """Up to 20 ms of a source, before any gain."""

    __slots__ = ("cut", "lap", "pcm", "place", "samples", "whole")

    #: The Opus packet that it came in, if it did.
    packet: bytes | None = None
    #: Which of its track's packets that is, and the last few before it: for a decoder that
    #: starts here.
    number = 0
    recent: tuple[bytes, ...] = ()

    def __init__(
        self,
        samples: int,
        place: float,
        lap: int,
        pcm: bytes | None = None,
        whole: "Passed | None" = None,
        cut: int = 0,
    ) -> None:
        self.samples = samples
        #: Seconds from the beginning of the source.
        self.place = place
        #: How often the source had begun again before it.
        self.lap = lap
        #: None: not decoded yet.
        self.pcm = pcm
        #: The packet that this is a part of, and how many samples of that come before it.
        self.whole = whole
        self.cut = cut

    def split(self, samples: int, pcm: bytes) -> "tuple[Piece, Piece]":
        """Return so many of its samples, and the rest. ``pcm`` is all of them."""
        whole = self if isinstance(self, Passed) else self.whole
        at = samples * SAMPLE_BYTES
        return (
            Piece(samples, self.place, self.lap, pcm[:at], whole, self.cut),
            Piece(
                self.samples - samples,
                self.place + samples / SAMPLE_RATE,
                self.lap,
                pcm[at:],
                whole,
                self.cut + samples,
            ),
        )


class Passed(Piece):
    """A packet as it came; and, where it passes untouched, all there is to say of its frame.

    Thousands of calls send fifty of them a second, so a frame of this kind is no object of its
    own: it has what `voicekit.media.player.rendering.Rendered` has.
    """

    __slots__ = ("age", "number", "packet", "recent", "state", "track")

    packet: bytes
    lasting: tuple[()] = ()
    notes: tuple[()] = ()
    popped: tuple[()] = ()
    saved = None
    lead = b""

    def __init__(
        self,
        track: "Track",
        packet: bytes,
        samples: int,
        place: float,
        lap: int,
        number: int,
        recent: tuple[bytes, ...],
    ) -> None:
        self.track = track
        self.packet = packet
        self.samples = samples
        self.place = place
        self.lap = lap
        self.number = number
        self.recent = recent
        self.pcm = None
        self.whole = None
        self.cut = 0
        #: Of the frame: samples of its track before it, and where the renderer stood.
        self.age = 0
        self.state: Any = None

    def heard(self) -> bytes:
        """Return 20 ms of samples that receivers have heard last when it was sent."""
        return last_frame(self.track.decode(self))


def last_frame(pcm: bytes) -> bytes:
    """Return the last 20 ms of some samples, after silence if they are shorter."""
    return pcm[-FRAME_BYTES:].rjust(FRAME_BYTES, b"\0")
