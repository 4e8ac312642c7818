"""One task that looks after the pacer's streams of all calls of a trio run."""

import trio

from ..pacer import Notifier

__all__ = ["Feeder", "feeder"]

#: After a round the next one waits this long (seconds), so that thousands of streams are
#: refilled in rounds and not one by one. A stream asks when half of its ring is left.
FEED_TICK = 0.005


class Feeder:
    """Serves streams when they want frames, or have something to say.

    The owner of a stream is an object with a method ``serve()``, which returns at once and
    raises nothing. The task runs while there is a stream.
    """

    def __init__(self) -> None:
        self._streams = 0
        self._notifier: Notifier | None = None
        self._task_scope = trio.CancelScope()

    def enter(self) -> Notifier:
        """Return the notifier for one more stream. `leave` follows when it was removed."""
        if self._notifier is None:
            self._notifier = Notifier()
            self._task_scope = trio.CancelScope()
            trio.lowlevel.spawn_system_task(self._run, self._notifier, self._task_scope)
        self._streams += 1
        return self._notifier

    def leave(self) -> None:
        """Forget one stream."""
        self._streams -= 1
        if self._streams == 0:
            self._notifier = None
            self._task_scope.cancel()

    async def _run(self, notifier: Notifier, scope: trio.CancelScope) -> None:
        with notifier, scope:
            while True:
                await trio.lowlevel.wait_readable(notifier.fileno())
                for stream in notifier.take():
                    stream.owner.serve()
                await trio.sleep(FEED_TICK)


_feeder: trio.lowlevel.RunVar[Feeder] = trio.lowlevel.RunVar("voicekit.trio.feeder")


def feeder() -> Feeder:
    """Return the one of this trio run."""
    try:
        return _feeder.get()
    except LookupError:
        made = Feeder()
        _feeder.set(made)
        return made
