"""Looks after the pacer's streams of all calls of an event loop."""

from abc import abstractmethod

from ..pacer import Notifier

__all__ = ["FEED_TICK", "Feeder"]

#: After a round the next one waits this long (seconds), so that thousands of streams are
#: refilled in rounds and not one by one. A stream asks when half of its ring is left.
FEED_TICK = 0.005


class Feeder:
    """Serves streams when they want frames, or have something to say.

    The owner of a stream is an object with a method ``serve()``, which returns at once and
    raises nothing.
    """

    def __init__(self) -> None:
        self._streams = 0
        self._notifier: Notifier | None = None

    def enter(self) -> Notifier:
        """Return the notifier for one more stream. `leave` follows when it was removed."""
        if self._notifier is None:
            self._notifier = Notifier()
            self._begin(self._notifier)
        self._streams += 1
        return self._notifier

    def leave(self) -> None:
        """Forget one stream."""
        self._streams -= 1
        if self._streams == 0 and self._notifier is not None:
            notifier, self._notifier = self._notifier, None
            self._end(notifier)

    @abstractmethod
    def _begin(self, notifier: Notifier) -> None:
        """Call `_serve` from now on when ``notifier`` is readable, and `FEED_TICK` is over."""

    @abstractmethod
    def _end(self, notifier: Notifier) -> None:
        """Wait no more, and close ``notifier``."""

    def _serve(self, notifier: Notifier) -> None:
        for stream in notifier.take():
            stream.owner.serve()
