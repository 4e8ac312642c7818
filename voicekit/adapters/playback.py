"""One source of a host library that plays: whom to tell of its end, and to clean up."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

from ..errors import MediaError, VoicekitError
from ..media import AudioSource
from .library import Library
from .threads import call_in_thread

__all__ = ["Playback"]

LOGGER = logging.getLogger("voicekit")


class Playback:
    """From `VoiceClient.play` to the end of what it plays."""

    def __init__(
        self,
        source: Any,
        after: Callable[[Exception | None], object] | None,
        loop: asyncio.AbstractEventLoop,
        library: Library,
    ) -> None:
        #: What plays; `VoiceClient.source` may exchange it.
        self.source = source
        self.is_over = False
        #: Its result is the error, or None.
        self.finished: asyncio.Future[Exception | None] = loop.create_future()
        self._after = after
        self._loop = loop
        self._library = library

    def end(self, error: Exception | None) -> None:
        """Take note of the end: the player calls it, in the event loop.

        ``after`` runs in a thread, as in the libraries, whose users wait for coroutines there.
        """
        self.is_over = True
        if isinstance(error, MediaError):
            error = error.__cause__ if isinstance(error.__cause__, Exception) else error
        elif isinstance(error, VoicekitError):
            error = None  # the call is over, which is no failure of the source
        call_in_thread(lambda: self._tell(error))

    def _tell(self, error: Exception | None) -> None:
        try:
            self._call_after(error)
        except Exception:
            LOGGER.exception("the function to call after playing raised")
        try:
            if isinstance(self.source, AudioSource):
                self.source.close()
            else:
                self.source.cleanup()
        except Exception:
            LOGGER.exception("the source could not clean up")
        try:
            self._loop.call_soon_threadsafe(self._finish, error)
        except RuntimeError:
            pass  # the loop was closed: nobody waits

    def _call_after(self, error: Exception | None) -> None:
        if self._after is None:
            if error is not None:
                LOGGER.error("playing has failed", exc_info=error)
            return
        result = self._after(error)
        if self._library.awaits_after and inspect.iscoroutine(result):
            asyncio.run_coroutine_threadsafe(result, self._loop)

    def _finish(self, error: Exception | None) -> None:
        if not self.finished.done():
            self.finished.set_result(error)
