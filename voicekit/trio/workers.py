"""Calls spread over processes: `run_workers`."""

import multiprocessing
import os
import pickle
import signal
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from math import inf
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

import trio

from ..errors import WorkerDied
from .pump import beside

__all__ = ["Workers", "run_workers"]

P = ParamSpec("P")
T = TypeVar("T")

#: A worker that was told to end leaves its calls, which takes each a second at most; after
#: this long (seconds) it is killed.
STOP_TIMEOUT = 3.0

#: Started afresh, not forked: threads (the pacer's) and event loops do not survive a fork.
_SPAWN = multiprocessing.get_context("spawn")
_LENGTH_BYTES = 4


def run_workers(
    main: Callable[P, Awaitable[T]], *, processes: int | None = None
) -> AbstractAsyncContextManager["Workers[P, T]"]:
    """Run calls in processes of their own, for the length of the block.

    ``main`` is one call: an async function that takes a `VoiceServerInfo`, say, and uses
    `connect`. Each `Workers.submit` runs it in the process with the fewest. Every process has
    its own event loop, interpreter and pacer; ``processes`` is how many, by default one for
    each core that this process may use.

    ``main``, its arguments and its result travel by `pickle`: a function of a module. A
    script that uses this needs ``if __name__ == "__main__"``, as with `multiprocessing`.

    The end of the block cancels what still runs; each call is left properly. Afterwards no
    process is left, nor if this one is killed. `WorkerDied` when no worker can be started.
    """
    count = processes if processes is not None else len(_cores())
    if count < 1:
        raise ValueError("there is at least one process")
    return _running(Workers(main, count))


@asynccontextmanager
async def _running(workers: "Workers[P, T]") -> AsyncIterator["Workers[P, T]"]:
    async with beside(workers._run):
        await workers._complete.wait()
        yield workers


class Workers(Generic[P, T]):
    """Processes that run calls: what `run_workers` gives."""

    def __init__(self, main: Callable[P, Awaitable[T]], count: int) -> None:
        self._main = main
        self._count = count
        self._workers: list[_Worker] = []
        self._complete = trio.Event()
        self._last_job = 0

    def __repr__(self) -> str:
        return f"<Workers {self.loads}>"

    @property
    def loads(self) -> dict[int, int]:
        """How many calls each process runs, by process id."""
        return {worker.process.pid or 0: len(worker.jobs) for worker in self._workers}

    async def submit(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``main(*args, **kwargs)`` in a worker, and return or raise what it does.

        Cancelling cancels it there, and waits until it has ended: a call leaves properly.
        Raises `WorkerDied` when its process ends under it; others go on, and a new process
        takes the place of the one that is gone.
        """
        message = pickle.dumps((args, kwargs))
        while not self._workers:
            await self._complete.wait()
        worker = min(self._workers, key=lambda worker: len(worker.jobs))
        self._last_job += 1
        number = self._last_job
        job = worker.jobs[number] = _Job()
        worker.send(_Order(number, message))
        try:
            await job.done.wait()
        except trio.Cancelled:
            worker.send(_Order(number, None))
            with trio.move_on_after(STOP_TIMEOUT, shield=True):
                await job.done.wait()
            raise
        finally:
            worker.jobs.pop(number, None)
        assert job.outcome is not None
        value = pickle.loads(job.outcome.value)
        if job.outcome.succeeded:
            result: T = value
            return result
        raise value

    async def _run(self) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(self._count):
                nursery.start_soon(self._keep_worker)

    async def _keep_worker(self) -> None:
        while True:
            worker = await _start(self._main)
            self._workers.append(worker)
            if len(self._workers) == self._count:
                self._complete.set()
            try:
                await worker.run()
            finally:
                self._workers.remove(worker)
                if not self._workers:
                    self._complete = trio.Event()
                await worker.end()


class _Order(NamedTuple):
    """What a worker is told: begin a call with these arguments, pickled, or cancel it."""

    number: int
    arguments: bytes | None


class _Outcome(NamedTuple):
    """What became of one: a result or an exception, pickled."""

    number: int
    succeeded: bool
    value: bytes


class _Job:
    def __init__(self) -> None:
        self.done = trio.Event()
        self.outcome: _Outcome | None = None

    def end(self, outcome: _Outcome) -> None:
        self.outcome = outcome
        self.done.set()


class _Worker:
    """This end of one process."""

    def __init__(self, process: SpawnProcess, wire: "_Wire") -> None:
        self.process = process
        self.jobs: dict[int, _Job] = {}
        self._wire = wire
        self._orders, self._to_send = trio.open_memory_channel[_Order](inf)

    def send(self, order: _Order) -> None:
        self._orders.send_nowait(order)

    async def run(self) -> None:
        """Carry orders and outcomes until the process is gone."""
        try:
            async with beside(self._send_orders):
                while True:
                    outcome: _Outcome = await self._wire.receive()
                    if (job := self.jobs.get(outcome.number)) is not None:
                        job.end(outcome)
        except (trio.EndOfChannel, trio.BrokenResourceError):
            pass  # the process ended; those who wait hear of it in `end`

    async def _send_orders(self) -> None:
        async for order in self._to_send:
            await self._wire.send(order)

    @trio.lowlevel.enable_ki_protection
    async def end(self) -> None:
        """Have the process leave its calls and end; kill it if it does not."""
        with trio.CancelScope(shield=True):
            await self._wire.aclose()  # its end is the sign to go
            process = self.process
            await trio.to_thread.run_sync(process.join, STOP_TIMEOUT)
            if process.exitcode is None:
                process.kill()
                await trio.to_thread.run_sync(process.join)
            died = pickle.dumps(_died(process))
            for number, job in self.jobs.items():
                if not job.done.is_set():
                    job.end(_Outcome(number, False, died))
            process.close()


@trio.lowlevel.enable_ki_protection
async def _start(main: Callable[..., Awaitable[object]]) -> _Worker:
    near, far = socket.socketpair()
    process = _SPAWN.Process(target=_work, args=(far, main), name="voicekit", daemon=True)
    with far:
        try:
            await trio.to_thread.run_sync(process.start)
        except BaseException:
            near.close()
            raise
    worker = _Worker(process, _Wire(near))
    try:
        await worker._wire.receive()  # it says hello
    except BaseException as error:
        await worker.end()
        if isinstance(error, trio.EndOfChannel | trio.BrokenResourceError):
            raise WorkerDied("a worker process could not be started: see its output") from None
        raise
    return worker


def _died(process: SpawnProcess) -> WorkerDied:
    code = process.exitcode
    how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    return WorkerDied(f"the worker process {process.pid} ended with {how}")


def _cores() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


class _Wire:
    """Pickled objects over a stream, each behind its length."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        self._buffer = bytearray()

    async def send(self, message: object) -> None:
        data = pickle.dumps(message)
        await self._stream.send_all(len(data).to_bytes(_LENGTH_BYTES) + data)

    async def receive(self) -> Any:
        """Return the next one. Raises `trio.EndOfChannel`, `trio.BrokenResourceError`."""
        size = int.from_bytes(await self._take(_LENGTH_BYTES))
        return pickle.loads(await self._take(size))

    async def _take(self, size: int) -> bytes:
        buffer = self._buffer
        while len(buffer) < size:
            more = await self._stream.receive_some()
            if not more:
                raise trio.EndOfChannel
            buffer += more
        taken = bytes(buffer[:size])
        del buffer[:size]
        return taken

    async def aclose(self) -> None:
        await self._stream.aclose()


# -- in the worker -------------------------------------------------------------------------


def _work(sock: socket.socket, main: Callable[..., Awaitable[object]]) -> None:
    """Be a worker, until the other end of ``sock`` is closed."""
    # A terminal sends Ctrl-C to all; the one that started us decides what ends, and how.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    trio.run(_serve_orders, sock, main)


async def _serve_orders(sock: socket.socket, main: Callable[..., Awaitable[object]]) -> None:
    wire = _Wire(sock)
    calls: dict[int, trio.CancelScope] = {}
    outcomes, to_send = trio.open_memory_channel[_Outcome](inf)

    async def run_call(number: int, arguments: bytes) -> None:
        with calls[number]:
            try:
                args, kwargs = pickle.loads(arguments)
                outcome = _Outcome(number, True, pickle.dumps(await main(*args, **kwargs)))
            except Exception as error:
                outcome = _Outcome(number, False, _pickled(error))
        if calls.pop(number).cancelled_caught:
            outcome = _Outcome(number, True, pickle.dumps(None))  # nobody asks for it
        outcomes.send_nowait(outcome)

    async def send_outcomes() -> None:
        async for outcome in to_send:
            await wire.send(outcome)

    async with trio.open_nursery() as nursery:
        try:
            await wire.send("hello")
            nursery.start_soon(send_outcomes)
            while True:
                order: _Order = await wire.receive()
                if order.arguments is not None:
                    calls[order.number] = trio.CancelScope()
                    nursery.start_soon(run_call, order.number, order.arguments)
                elif order.number in calls:
                    calls[order.number].cancel()
        except (trio.EndOfChannel, trio.BrokenResourceError):
            nursery.cancel_scope.cancel()  # each call is left on the way out


def _pickled(error: Exception) -> bytes:
    """Pickle ``error`` with where it was raised, or at least what it said."""
    error.add_note("".join(traceback.format_exception(error)).rstrip())
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
    except Exception:
        return pickle.dumps(WorkerDied(f"{type(error).__name__}: {error}"))
    return data
