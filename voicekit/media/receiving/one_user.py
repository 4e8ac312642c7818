"""What one user says, piece by piece: all of it, or one utterance."""

from collections.abc import Iterator

from ..._frame import AudioFrame
from ...events import Event
from ...stats import JitterStats
from .config import ListenConfig
from .speech import KEPT, Speech, SpeechEnded, Utterances

__all__ = ["OneUser"]


class OneUser:
    """`Utterances` of one user, without their borders; with ``once``, to the end of the first."""

    def __init__(
        self,
        user_id: int,
        config: ListenConfig | None = None,
        *,
        once: bool = False,
        pcm: bool = False,
        size: int = KEPT,
    ) -> None:
        self._utterances = Utterances(config, users=(user_id,), pcm=pcm, size=size)
        self._once = once
        self._is_over = False

    def receive_frame(self, frame: AudioFrame) -> None:
        """Take a frame that the call has handed out."""
        self._utterances.receive_frame(frame)

    def receive_event(self, event: Event, now: float) -> None:
        """Take an event of the call."""
        self._utterances.receive_event(event, now)

    def next_timeout(self) -> float | None:
        """Return when there may be something; None: not before a frame comes."""
        return self._utterances.next_timeout()

    def handle_timeout(self, now: float) -> None:
        """Do all that was due until ``now``."""
        self._utterances.handle_timeout(now)

    def poll(self) -> Speech | None:
        """Return the next piece, or None."""
        return next(self._pieces(), None)

    def finish(self, now: float) -> None:
        """The call is over: hand out what waits."""
        self._utterances.finish(now)

    @property
    def is_over(self) -> bool:
        """Whether no more will come than what `poll` still has."""
        return self._is_over or self._utterances.is_over

    @property
    def dropped(self) -> int:
        """Pieces that were not polled in time."""
        return self._utterances.dropped

    def stats(self) -> dict[int, JitterStats]:
        """Return what the user's buffer has counted."""
        return self._utterances.stats()

    def _pieces(self) -> Iterator[Speech]:
        while not self._is_over and (event := self._utterances.poll()) is not None:
            if isinstance(event, Speech):
                yield event
            elif isinstance(event, SpeechEnded) and self._once:
                self._is_over = True
