"""Calls that may block, in threads that nobody has to wait for."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["THREAD_NAME", "in_thread"]

T = TypeVar("T")

THREAD_NAME = "voicekit worker"


def in_thread(call: Callable[..., T], *args: object) -> asyncio.Future[T]:
    """Return the future of what ``call(*args)`` returns, in a thread of its own.

    The executor of an event loop is waited for when that ends, and at the end of the program:
    a source or a disk that stands still would keep both from ending.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return  # it was cancelled
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, raised = None, None
        try:
            result = call(*args)
        except BaseException as error:
            raised = error
        try:
            loop.call_soon_threadsafe(settle, result, raised)
        except RuntimeError:
            pass  # the event loop has ended: nobody waits any more

    threading.Thread(target=run, name=THREAD_NAME, daemon=True).start()
    return future
