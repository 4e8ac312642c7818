"""When we are shown as speaking, and the silence that ends a talk spurt.

    audio, audio, audio, stop, silence x 5 (one per 20 ms), Speaking 0

Speaking (op 5) must reach the server before the first packet, and the five frames keep
receivers from interpolating the last sound into the pause.
https://discord.com/developers/docs/topics/voice-connections#voice-data-interpolation
"""

from .codes import SpeakingFlags

__all__ = ["FRAME_SECONDS", "SILENCE_FRAMES", "TalkSpurt"]

SILENCE_FRAMES = 5
FRAME_SECONDS = 0.02


class TalkSpurt:
    """Bookkeeping only: the connection sends what this says is due."""

    def __init__(self) -> None:
        self.wanted = SpeakingFlags.NONE  # what we want to be shown as
        self.announced: SpeakingFlags | None = None  # what this session was told; None: nothing
        self._silence_left = 0
        self._silence_at: float | None = None

    @property
    def is_announced(self) -> bool:
        """Whether the server knows what we want; that we are silent goes without saying."""
        return (self.announced or SpeakingFlags.NONE) == self.wanted

    @property
    def is_ending(self) -> bool:
        """Whether frames of silence are still to come."""
        return self._silence_at is not None

    def next_timeout(self) -> float | None:
        """Return when the next frame of silence is due."""
        return self._silence_at

    def resume(self) -> None:
        """There is audio again: what is left of the silence is not needed any more."""
        self._silence_at = None

    def end(self, last: float, now: float) -> None:
        """Begin the five frames of silence, in the rhythm of the audio, ``last`` its last."""
        if self._silence_at is None:
            self._silence_left = SILENCE_FRAMES
            self._silence_at = max(now, last + FRAME_SECONDS)

    def silence_sent(self, due: float, now: float) -> bool:
        """Note a frame of silence that was due at ``due``; return whether more are to come.

        A late one moves the rest back: they never burst.
        """
        self._silence_left -= 1
        if self._silence_left > 0:
            self._silence_at = max(due + FRAME_SECONDS, now + FRAME_SECONDS / 2)
        else:
            self._silence_at = None
        return self._silence_at is not None

    def drop(self) -> bool:
        """Forget the session; return whether an ending was cut short by that."""
        self.announced = None
        cut_short = self._silence_at is not None
        self._silence_at = None
        if cut_short:
            self.wanted = SpeakingFlags.NONE
        return cut_short
