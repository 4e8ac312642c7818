"""The two event loops under one set of names, and calls in memory on either.

``lib`` has what tests ask of an event loop, by trio's names. The fixture in conftest.py sets
which one it is.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar

import trio
import trio.testing

import voicekit.aio
import voicekit.trio
from voicekit.aio.streams import STREAMS as AIO_STREAMS
from voicekit.server import HostVoiceServer, HostVoiceState, ServerConfig
from voicekit.testing.loopback import LoopbackServer
from voicekit.trio.streams import STREAMS as TRIO_STREAMS

from ..trio.calls import in_memory as in_memory_on_trio
from ..trio.calls import running_server
from ..trio.memory_network import MemoryNetwork as TrioNetwork
from . import asyncio_memory
from .structured import Nursery, Scope
from .virtual_loop import VirtualLoop

__all__ = ["LIBRARIES", "Listening", "Network", "host_of", "lib", "until"]

R = TypeVar("R")

#: A test that hangs ends at this time of its own clock, in seconds.
END_OF_TIME = 10_000.0


class Network(Protocol):
    """What both networks in memory have."""

    open: set[Any]
    udp_works: bool


class Listening(Protocol):
    """What both servers in memory have."""

    server: Any
    url: str

    def drain(self) -> None: ...


Use = Callable[[Any, Any], Awaitable[None]]


OnStep = Callable[[], object]


class _Steps(trio.abc.Instrument):
    def __init__(self, on_step: OnStep) -> None:
        self._on_step = on_step

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._on_step()


class Trio:
    sleep = staticmethod(trio.sleep)
    sleep_forever = staticmethod(trio.sleep_forever)
    current_time = staticmethod(trio.current_time)
    checkpoint = staticmethod(trio.lowlevel.checkpoint)
    wait_all_tasks_blocked = staticmethod(trio.testing.wait_all_tasks_blocked)
    open_nursery = staticmethod(trio.open_nursery)
    CancelScope = trio.CancelScope
    move_on_after = staticmethod(trio.move_on_after)
    fail_after = staticmethod(trio.fail_after)
    EndOfChannel = trio.EndOfChannel
    ClosedResourceError = trio.ClosedResourceError
    Cancelled = trio.Cancelled
    MemoryNetwork = TrioNetwork
    running_server = staticmethod(running_server)
    connect = staticmethod(voicekit.trio.connect)
    record = staticmethod(voicekit.trio.record)
    streams = TRIO_STREAMS

    def tasks_living(self) -> int:
        return trio.lowlevel.current_statistics().tasks_living

    def in_memory(self, use: Use, config: ServerConfig | None = None, **keywords: Any) -> None:
        self._clock = trio.testing.MockClock(autojump_threshold=0)
        in_memory_on_trio(use, config, clock=self._clock, **keywords)

    def run(self, main: Callable[[], Awaitable[None]], on_step: OnStep | None = None) -> None:
        instruments = [] if on_step is None else [_Steps(on_step)]
        clock = trio.testing.MockClock(autojump_threshold=0)
        trio.run(main, clock=clock, instruments=instruments)

    def real_server(self) -> AbstractAsyncContextManager[Any]:
        """A server on sockets of this machine, and its ``url``."""
        return running_server()

    def run_real(self, main: Callable[[], Awaitable[R]]) -> R:
        """Run on the clock of this machine: for what threads do."""
        return trio.run(main)

    def jump(self, seconds: float) -> None:
        """Let time pass at once, as a program does that computes."""
        self._clock.jump(seconds)


class Asyncio:
    sleep = staticmethod(asyncio.sleep)
    open_nursery = Nursery
    CancelScope = Scope
    move_on_after = Scope
    EndOfChannel = voicekit.aio.EndOfChannel
    ClosedResourceError = voicekit.aio.ClosedResourceError
    Cancelled = asyncio.CancelledError
    MemoryNetwork = asyncio_memory.MemoryNetwork
    running_server = staticmethod(asyncio_memory.running_server)
    connect = staticmethod(voicekit.aio.connect)
    record = staticmethod(voicekit.aio.record)
    streams = AIO_STREAMS

    async def checkpoint(self) -> None:
        await asyncio.sleep(0)

    async def sleep_forever(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def wait_all_tasks_blocked(self) -> None:
        await asyncio.sleep(1e-6)  # the clock moves when nobody has anything to do

    def tasks_living(self) -> int:
        return len(asyncio.all_tasks())

    def current_time(self) -> float:
        return asyncio.get_running_loop().time()

    def fail_after(self, seconds: float) -> Scope:
        return Scope(seconds, fail=True)

    def jump(self, seconds: float) -> None:
        """Let time pass at once, as a program does that computes."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.jump(seconds)

    def in_memory(self, use: Use, config: ServerConfig | None = None, **keywords: Any) -> None:
        async def main() -> None:
            network = self.MemoryNetwork()
            async with asyncio_memory.running_server(config, network=network, **keywords) as server:
                await use(server, network)
                await asyncio.sleep(2)  # the server's half of what was closed
                assert not network.open

        self.run(main)

    @asynccontextmanager
    async def real_server(self) -> AsyncIterator[LoopbackServer]:
        """A server on sockets of this machine, and its ``url``."""
        with LoopbackServer() as server:
            yield server

    def run_real(self, main: Callable[[], Awaitable[R]]) -> R:
        """Run on the clock of this machine: for what threads do."""
        return self._run(main, asyncio.SelectorEventLoop)

    def run(self, main: Callable[[], Awaitable[None]], on_step: OnStep | None = None) -> None:
        self._run(main, lambda: VirtualLoop(on_step or _rest))

    def _run(
        self,
        main: Callable[[], Awaitable[R]],
        new_loop: Callable[[], asyncio.AbstractEventLoop],
    ) -> R:
        async def bounded() -> R:
            async with asyncio.timeout(END_OF_TIME):
                result = await main()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return result

        problems: list[dict[str, Any]] = []
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.get_loop().set_exception_handler(lambda _, context: problems.append(context))
            result = runner.run(bounded())
        assert not problems
        return result


def _rest() -> None:
    pass


LIBRARIES: dict[str, Any] = {"trio": Trio, "asyncio": Asyncio}


class _Lib:
    """The library of the test that runs."""

    current: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.current, name)


lib: Any = _Lib()


def host_of(voices: dict[int, Any]) -> Callable[[object], None]:
    """Be the main gateway of some calls, by user: hand in what the server has it say."""

    def handle(event: object) -> None:
        match event:
            case HostVoiceState(_, user_id, channel_id, session_id) if user_id in voices:
                voices[user_id].update_voice_state(channel_id, session_id)
            case HostVoiceServer(_, user_id, token, endpoint) if user_id in voices:
                voices[user_id].update_voice_server(token, endpoint)

    return handle


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that tells nobody when it happens."""
    while not condition():
        await lib.sleep(0.01)
