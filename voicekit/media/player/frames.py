"""Frames, and all that it takes to make them anew as long as they are not sent."""

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..pcm import FRAME_SAMPLES
from ..sources import EncoderOptions
from ._pieces import Passed, Piece, last_frame
from .events import EndReason
from .track import Track

if TYPE_CHECKING:
    from ...opus import Encoder

__all__ = ["Ended", "Frame", "Note", "Part", "Rendered", "Saved", "Started", "State"]


class Started(NamedTuple):
    """A track begins with the frame that has this note."""

    track: Track


class Ended(NamedTuple):
    """A track has ended before the frame that has this note."""

    track: Track
    reason: EndReason


Note = Started | Ended


class State(NamedTuple):
    """Where the renderer stood between two frames."""

    current: Track | None
    fading: Track | None
    fade_at: int
    fade_length: int
    fade_reason: EndReason


class Part(NamedTuple):
    """What one track has in a frame, and its own gain before that."""

    track: Track
    pieces: tuple[Piece, ...]
    applied: float | None


class Saved(NamedTuple):
    """How to bring the encoder back to where it was after a frame: a state, and what came since."""

    encoder: "Encoder"
    state: bytes
    options: EncoderOptions
    since: tuple[bytes, ...]


class Rendered:
    """One frame, and all that it takes to make it anew."""

    __slots__ = (
        "age",
        "lasting",
        "lead",
        "notes",
        "opus",
        "parts",
        "pcm",
        "place",
        "popped",
        "samples",
        "saved",
        "state",
    )

    def __init__(
        self, state: State, lasting: list[Note], notes: list[Note], popped: list[Track]
    ) -> None:
        self.state = state
        #: What happens with it: what was asked for, and what came about by itself. Only the
        #: latter is undone with it.
        self.lasting = lasting
        self.notes = notes
        #: Tracks that it took from the queue.
        self.popped = popped
        self.parts: list[Part] = []
        #: Samples that were left out before it: see `LEAD`.
        self.lead = b""
        self.opus = b""
        self.samples = FRAME_SAMPLES
        #: What was encoded; None where a packet passed untouched.
        self.pcm: bytes | None = None
        self.saved: Saved | None = None
        #: Of its track: seconds in the source, and samples played before.
        self.place = 0.0
        self.age = 0

    @property
    def track(self) -> Track:
        """The one that it is known by: the newer of two."""
        return self.parts[-1].track

    def heard(self) -> bytes:
        """Return 20 ms of samples that receivers have heard last when it was sent."""
        if self.pcm is not None:
            return self.pcm
        piece = self.parts[-1].pieces[-1]
        return last_frame(self.track.decode(piece.whole or piece))


Frame: TypeAlias = Rendered | Passed
