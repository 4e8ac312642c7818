"""Looks after the pacer's streams of all calls of one event loop of asyncio."""

import asyncio

from ..driver import feeder
from ..driver.feeder import FEED_TICK
from ..pacer import Notifier
from .loop import can_add_reader

__all__ = ["Feeder"]


class Feeder(feeder.Feeder):
    """Waits with `add_reader`; on Windows' Proactor loop, which has none, by the clock only."""

    def __init__(self) -> None:
        super().__init__()
        self._timer: asyncio.TimerHandle | None = None

    def _begin(self, notifier: Notifier) -> None:
        if can_add_reader():
            asyncio.get_running_loop().add_reader(notifier.fileno(), self._round, notifier)
        else:
            self._round(notifier)

    def _end(self, notifier: Notifier) -> None:
        if can_add_reader():
            asyncio.get_running_loop().remove_reader(notifier.fileno())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        notifier.close()

    def _round(self, notifier: Notifier) -> None:
        self._serve(notifier)
        if self._notifier is notifier:
            loop = asyncio.get_running_loop()
            if can_add_reader():
                loop.remove_reader(notifier.fileno())
            self._timer = loop.call_later(FEED_TICK, self._begin, notifier)
