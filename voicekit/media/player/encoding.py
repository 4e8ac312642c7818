"""`ContinuousEncoder`: one encoder for all that a player plays, that can be taken back.

It goes on from one track to the next, so that nothing shows where they meet. Where frames were
undone it goes back to its state of then: an encoder that was reset would click.
"""

from typing import TYPE_CHECKING

from ..pcm import FRAME_BYTES
from ..sources import EncoderOptions
from .frames import Frame, Rendered, Saved

if TYPE_CHECKING:
    from ...opus import Encoder

__all__ = ["ContinuousEncoder"]

#: Frames between two copies of the encoder's state: 48 KB, while to encode eight anew costs 1 ms.
SAVED_EVERY = 8


class ContinuousEncoder:
    """Encodes frame after frame. It is made for the first one, not before."""

    def __init__(self) -> None:
        self._encoder: Encoder | None = None
        self._options: EncoderOptions | None = None
        self._last: Frame | None = None  # what it has heard last
        self._saved: Saved | None = None
        #: What receivers have reported last, 0 to 1.
        self.loss = 0.0

    def report_loss(self, fraction: float) -> None:
        """Set what receivers report, 0 to 1. Raises ``ValueError`` for what is none."""
        (self._options or EncoderOptions()).loss_to_expect(fraction)
        self.loss = fraction
        self._saved = None
        self._expect_loss()

    def encode(self, frame: Rendered, pcm: bytes, before: Frame | None) -> None:
        """Encode the samples of a frame that follows ``before``."""
        if self._last is not before:
            self._resume(frame, before)
        encoder = self._prepare(frame, before)
        frame.pcm = pcm
        frame.opus = encoder.encode(pcm)
        # Receivers heard something else than this encoder: the first frame did not build on it.
        encoder.prediction_disabled = False
        saved = self._saved
        if saved is None or len(saved.since) >= SAVED_EVERY:
            self._saved = Saved(encoder, encoder.save(), frame.track.options, ())
        else:
            self._saved = saved._replace(since=(*saved.since, pcm))
        frame.saved = self._saved
        self._last = frame

    def forget(self) -> None:
        """Begin anew, after silence: nothing of what was encoded before is to be heard."""
        self._last = self._saved = None
        if self._encoder is not None:
            self._encoder.reset()

    def _resume(self, frame: Rendered, before: Frame | None) -> None:
        """Go back to where it was after a frame, or near it if that was not its work."""
        self._saved = None
        if before is not None and before.saved is not None:
            self._saved = before.saved
            self._encoder, state, self._options, since = before.saved
            self._encoder.restore(state)
            for pcm in since:
                self._encoder.encode(pcm)
            self._expect_loss()
        elif self._encoder is not None:
            self._prime(self._encoder, frame, before)

    def _prepare(self, frame: Rendered, before: Frame | None) -> "Encoder":
        """Return the encoder, set as the frame's track wants it."""
        options, known, encoder = frame.track.options, self._options, self._encoder
        if encoder is not None and options is known:
            return encoder
        if encoder is None or known is None or options.application != known.application:
            encoder = self._encoder = options.make()
            self._prime(encoder, frame, before)
        else:
            options.apply(encoder)
        self._options = options
        self._saved = None  # what was encoded before was encoded otherwise
        self._expect_loss()
        return encoder

    def _prime(self, encoder: "Encoder", frame: Rendered, before: Frame | None) -> None:
        """Let it hear what comes before a frame: the end of that is what it gives first."""
        encoder.reset()
        if before is not None:
            encoder.encode((before.heard() + frame.lead)[-FRAME_BYTES:])
            encoder.prediction_disabled = True

    def _expect_loss(self) -> None:
        if self._encoder is not None and self._options is not None:
            self._encoder.packet_loss_perc = self._options.loss_to_expect(self.loss)
