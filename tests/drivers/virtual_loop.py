"""An event loop of asyncio whose clock jumps when nobody has anything to do."""

import asyncio
import selectors
import threading
import time
from collections.abc import Callable
from typing import Any

from voicekit.aio.threads import THREAD_NAME

#: A test without any timer that waits for nothing (seconds, real ones).
PATIENCE = 5.0
#: How often to look whether a worker thread is still there (seconds, real ones).
THREAD_STEP = 0.002


class _JumpingSelector(selectors.DefaultSelector):
    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        self.loop.on_step()
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            return super().select(PATIENCE)
        # A thread that has told its result may be there a little longer: nothing wakes us then.
        patience = time.monotonic() + PATIENCE
        while any(t.name == THREAD_NAME for t in threading.enumerate()):
            if events := super().select(THREAD_STEP):
                return events
            if time.monotonic() > patience:
                return []
        self.loop.jump(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """As `trio.testing.MockClock`, with ``autojump_threshold=0``.

    ``on_step`` is called before each turn of the loop.
    """

    def __init__(self, on_step: Callable[[], object] = lambda: None) -> None:
        self.on_step = on_step
        selector = _JumpingSelector()
        selector.loop = self
        self._time = 0.0
        super().__init__(selector)

    def time(self) -> float:
        return self._time

    def jump(self, seconds: float) -> None:
        self._time += seconds
