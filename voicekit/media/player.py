"""When to send which frame: an absolute schedule, free of clocks and event loops."""

import enum
from typing import Protocol

__all__ = ["FRAMES_PER_SECOND", "Frames", "LatePolicy", "Player"]

FRAMES_PER_SECOND = 50


class Frames(Protocol):
    """What a player needs of its source; every `Source` is one."""

    def read(self) -> bytes | None:
        """Return the next Opus frame of 20 ms, or None at the end."""


class LatePolicy(enum.Enum):
    """What to do when frames are late by more than the player's ``slack``."""

    #: Move the schedule: all that follows comes later by as much. Nothing is lost.
    REBASE = "rebase"
    #: Keep the schedule: leave out the frames whose time has passed. For live sources.
    SKIP = "skip"


class Player:
    """Say when the next frame of ``source`` is due, and hand it out.

    ``start`` is when the first one is due. Frame n is due at ``start + n / 50``: computed from
    the count, never from the last sending, so that nothing drifts. Frames that are late by up
    to ``slack`` seconds are sent at once, since receivers hold as much in their jitter buffers.
    After a longer stall that would be a burst, heard as a speed-up, and ``policy`` decides.

    ```
    while (due := player.next_timeout()) is not None:
        wait until due
        frame = player.handle_timeout(now)
    ```
    """

    def __init__(
        self,
        source: Frames,
        *,
        start: float,
        policy: LatePolicy = LatePolicy.REBASE,
        slack: float = 0.06,
    ) -> None:
        self._source = source
        self._policy = policy
        self._slack = slack
        self._start = start
        self._count = 0  # frames of the schedule that are past
        self._upcoming = source.read()
        self.frames_sent = 0
        self.frames_skipped = 0
        self.stalls = 0  #: how often the policy was needed

    @property
    def finished(self) -> bool:
        """Whether the source has ended."""
        return self._upcoming is None

    def next_timeout(self) -> float | None:
        """When the next frame is due; None after the last one."""
        if self._upcoming is None:
            return None
        return self._start + self._count / FRAMES_PER_SECOND

    def handle_timeout(self, now: float) -> bytes | None:
        """Return the frame that is due, or None if it is not time yet, or all are sent.

        One frame a call: after a short delay `next_timeout` stays in the past until the
        schedule is met again.
        """
        due = self.next_timeout()
        if due is None or now < due:
            return None
        if now - due > self._slack:
            self.stalls += 1
            if self._policy is LatePolicy.REBASE:
                self._start = now
                self._count = 0
            else:
                self._skip(int((now - due) * FRAMES_PER_SECOND))
        frame = self._upcoming
        if frame is not None:
            self.frames_sent += 1
            self._advance()
        return frame

    def _skip(self, frames: int) -> None:
        for _ in range(frames):
            if self._upcoming is None:
                break
            self.frames_skipped += 1
            self._advance()

    def _advance(self) -> None:
        # The next frame is read ahead: when its time comes, it only has to be sent.
        self._count += 1
        self._upcoming = self._source.read()
