"""Nurseries and scopes for tests on asyncio, as far as the tests of calls use those of trio."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self


class Scope:
    """`trio.CancelScope`, of one task."""

    def __init__(self, seconds: float = 1e6, *, fail: bool = False) -> None:
        self.cancelled_caught = False
        self._seconds = seconds
        self._fail = fail
        self._cancelled = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self.cancel)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._timer.cancel()
        if self._cancelled:
            self.cancelled_caught = self._task.uncancel() == 0 and isinstance(
                error, asyncio.CancelledError
            )
        if self.cancelled_caught and self._fail:
            raise TimeoutError
        return self.cancelled_caught

    def cancel(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            self._task.cancel()


class Nursery:
    """`trio.Nursery`. ``cancel_scope.cancel()`` is for the end of the block."""

    def __init__(self) -> None:
        self.cancel_scope = self
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[Any]] = []

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> bool | None:
        if raised[1] is not None:
            self.cancel()
        return await self._group.__aexit__(*raised)

    def start_soon(self, act: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        async def run() -> None:
            await act(*arguments)

        self._tasks.append(self._group.create_task(run()))

    async def start(self, act: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        status = TaskStatus()
        self.start_soon(lambda: act(*arguments, task_status=status))
        return await status.value

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


class TaskStatus:
    """`trio.TaskStatus`."""

    def __init__(self) -> None:
        self.value: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def started(self, value: Any = None) -> None:
        self.value.set_result(value)
