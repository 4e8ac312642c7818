"""The pacer in a Python thread: for platforms and builds where there is no other.

It takes the same turns as the native one, over the same wheel and the same streams. But it
needs the GIL for each, so Python code that computes without pause delays it by some
milliseconds a time.
"""

import threading
import time

from ._loop import PythonLoop

__all__ = ["ThreadedLoop"]


class ThreadedLoop(PythonLoop):
    """The loop in a daemon thread."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._alarm = threading.Event()
        self.alarm = self._alarm.set

    def start(self) -> None:
        """Start the thread, if it does not run."""
        if self._thread is None:
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name="voicekit-pacer", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for that."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping = True
            self._alarm.set()
            thread.join()

    def forked(self) -> None:
        """In the child of a fork: the thread is not here."""
        super().forked()
        self._thread = None
        self._alarm = threading.Event()
        self.alarm = self._alarm.set

    def _run(self) -> None:
        while not self._stopping:
            # What begins after the turn has ended sees how long we sleep, or rings.
            self._alarm.clear()
            self.sleep_until(None)
            due = self.take_turn(time.monotonic_ns())
            self.sleep_until(due)
            self._alarm.wait(None if due is None else max(0, due - time.monotonic_ns()) / 1e9)
