"""Calls into the event loop from other threads, and callbacks out of it.

discord.py and its relatives play in a thread of their own: their users call `play` or `stop` from
wherever ``after`` runs, and wait there for what the event loop does.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

from ..errors import LocalProtocolError

__all__ = ["CALL_TIMEOUT", "call_in_loop", "call_in_thread", "is_in_loop"]

#: Seconds that a call from another thread waits for the event loop. Whoever blocks it for longer
#: has a problem of its own, which an error tells better than a thread that hangs.
CALL_TIMEOUT = 10.0

T = TypeVar("T")


def is_in_loop(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the caller runs in ``loop``."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def call_in_loop(loop: asyncio.AbstractEventLoop, function: Callable[[], T]) -> T:
    """Call ``function`` in the thread of ``loop``, at once if this is it, and return its result.

    Raises what it raises, and `LocalProtocolError` where the loop does not run, or not in time.
    """
    if is_in_loop(loop):
        return function()
    result: concurrent.futures.Future[T] = concurrent.futures.Future()

    def call() -> None:
        if not result.set_running_or_notify_cancel():
            return
        try:
            result.set_result(function())
        except BaseException as error:
            result.set_exception(error)

    if not loop.is_running():
        raise LocalProtocolError("the event loop of the voice client does not run (any more)")
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError as error:  # it was closed just now
        raise LocalProtocolError("the event loop of the voice client was closed") from error
    try:
        return result.result(CALL_TIMEOUT)
    except TimeoutError:
        if not result.cancel():  # it has begun, or what was called raised this
            return result.result()
        raise LocalProtocolError(
            f"something blocks the event loop of the voice client: it was busy for"
            f" {CALL_TIMEOUT:g} s, and the call was not made"
        ) from None


def call_in_thread(function: Callable[[], object]) -> None:
    """Call ``function`` in a new thread. It may wait for the event loop, and for ever."""
    threading.Thread(target=function, name="voicekit callback", daemon=True).start()
