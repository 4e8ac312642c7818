"""Servers that run in a thread of their own, for programs of any style."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Generic, Self, TypeVar

import trio

from voicekit.trio.pump import beside

__all__ = ["ServerThread", "in_thread", "outcome"]

#: Starting takes milliseconds; stopping at most a second, which the shell gives its clients.
#: A busy machine may take many times that.
PATIENCE = 30.0

_Running = TypeVar("_Running")
_Answer = TypeVar("_Answer")


class ServerThread(Generic[_Running]):
    """Something that serves from `start` to `stop`, or inside of ``with``.

    Methods and attributes may be used from any thread, inside or outside of event loops.
    """

    def __init__(self, name: str) -> None:
        self._started: concurrent.futures.Future[_Running] = concurrent.futures.Future()
        self._name = name
        self._expected: set[concurrent.futures.Future[Any]] = set()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._scope: trio.CancelScope
        self._nursery: trio.Nursery
        self._token: trio.lowlevel.TrioToken

    def start(self) -> Self:
        """Start and wait until it listens. Raises `OSError` when it can not."""
        self._thread.start()
        self._started.result(PATIENCE)
        return self

    def stop(self) -> None:
        """Close everything properly and wait for it. Does nothing when it has stopped."""
        if not self._thread.is_alive():
            return
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._scope.cancel)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            raise RuntimeError(f"the {self._name} does not stop within {PATIENCE} s")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- from other threads -----------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive() and self._started.done()

    @property
    def _running(self) -> _Running:
        if not self._started.done():
            raise RuntimeError(f"the {self._name} is not running: call start()")
        return self._started.result()

    def _run_sync(self, function: Callable[[], _Answer]) -> _Answer:
        """Run ``function`` in the server's thread and return what it does."""
        if threading.current_thread() is self._thread:
            return function()  # a condition that is waited for, say
        answer: concurrent.futures.Future[_Answer] = self._expect()

        def run() -> None:
            try:
                answer.set_result(function())
            except BaseException as error:
                answer.set_exception(error)

        self._enqueue(run)
        return answer.result(PATIENCE)

    def _submit(
        self, function: Callable[[], Awaitable[_Answer]]
    ) -> "concurrent.futures.Future[_Answer]":
        """Run ``function`` as a task of the server's thread. Cancelling the future ends it."""
        answer: concurrent.futures.Future[_Answer] = self._expect()
        scope = trio.CancelScope()

        async def run() -> None:
            # Whoever waits may give up at any time, in a thread of its own.
            with suppress(concurrent.futures.InvalidStateError), scope:
                try:
                    result = await function()
                except Exception as error:
                    answer.set_exception(error)
                else:
                    answer.set_result(result)

        def abandon(future: "concurrent.futures.Future[_Answer]") -> None:
            if future.cancelled():
                with suppress(trio.RunFinishedError):
                    self._token.run_sync_soon(scope.cancel)

        answer.add_done_callback(abandon)
        self._enqueue(lambda: self._nursery.start_soon(run))
        return answer

    def _expect(self) -> "concurrent.futures.Future[Any]":
        """Return a future that has an outcome even when the server stops before."""
        answer: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._expected.add(answer)
        answer.add_done_callback(self._expected.discard)
        return answer

    def _enqueue(self, function: Callable[[], object]) -> None:
        _ = self._running
        try:
            self._token.run_sync_soon(function)
        except trio.RunFinishedError:
            raise RuntimeError(f"the {self._name} has stopped") from None

    # -- inside -----------------------------------------------------------------------

    async def _serve(self, started: trio.TaskStatus[_Running]) -> None:
        """Serve until cancelled; tell ``started`` what listens."""
        raise NotImplementedError

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)
        finally:
            for answer in tuple(self._expected):
                with suppress(concurrent.futures.InvalidStateError):
                    answer.set_exception(RuntimeError(f"the {self._name} has stopped"))

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as self._scope:
            async with beside(self._carry_tasks):
                await self._serve(_Starting(self._started))

    async def _carry_tasks(self) -> None:
        async with trio.open_nursery() as self._nursery:
            await trio.sleep_forever()


class _Starting(trio.TaskStatus[_Running]):
    """What `trio.Nursery.start` would be given, for a nursery of one."""

    def __init__(self, started: "concurrent.futures.Future[_Running]") -> None:
        self._started = started

    def started(self, value: _Running = None) -> None:  # type: ignore[assignment]
        """Note that the server listens."""
        self._started.set_result(value)


async def in_thread(function: Callable[[], _Answer]) -> _Answer:
    """Run what blocks in a worker thread, in asyncio or in trio."""
    if _in_asyncio():
        return await asyncio.to_thread(function)
    return await trio.to_thread.run_sync(function)


def _in_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def outcome(future: "concurrent.futures.Future[_Answer]") -> _Answer:
    """Wait for a future of another thread, in asyncio or in trio."""
    if _in_asyncio():
        return await asyncio.wrap_future(future)
    try:
        return await trio.to_thread.run_sync(future.result, abandon_on_cancel=True)
    except trio.Cancelled:
        future.cancel()
        raise
