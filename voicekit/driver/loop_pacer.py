"""A pacer in the event loop, for datagrams that are no socket of the operating system.

No thread can send those, nor keep their time: a network in memory is for tests, on a clock
of their own. The turns, the streams and the policy are those of every pacer.
"""

import math
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from ..connection import VoiceConnection
from ..pacer import LatePolicy, Notifier, Stream
from ..pacer._loop import PythonLoop
from .loop import Loop
from .reception import Socket

__all__ = ["LoopPacer", "way_of"]


class LoopPacer:
    """`voicekit.pacer.Pacer`, as far as a player needs it."""

    loop: ClassVar[Loop]

    def __init__(self) -> None:
        self._turns = _Turns(self.loop, self._spawn)

    @abstractmethod
    def _spawn(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task of nobody's."""

    def add(
        self,
        session: VoiceConnection,
        way: Any,
        *,
        depth: float,
        policy: LatePolicy,
        clock_offset: float,
        notifier: Notifier,
        owner: object,
    ) -> Stream:
        """Send for ``session`` over ``way`` (`way_of`) until `Stream.remove`."""
        stream = Stream(
            self._turns,
            session,
            way,
            depth=depth,
            policy=policy,
            clock_offset=clock_offset,
            notifier=notifier,
            owner=owner,
        )
        self._turns.streams.add(stream)
        self._turns.start()
        return stream


class _Turns(PythonLoop):
    def __init__(self, loop: Loop, spawn: Callable[[Callable[[], Awaitable[None]]], None]) -> None:
        self._loop = loop
        self._spawn = spawn
        self.follow(self._now)
        self.alarm = self._ring
        self._running = False
        self._rung = False
        self._sleeping = loop.waiting()

    def start(self) -> None:
        if not self._running:
            self._running = True
            self._spawn(self._run)

    def retire(self, stream: Stream) -> None:
        super().retire(stream)
        self._ring()

    def _ring(self) -> None:
        self._rung = True
        self._sleeping.unpark_all()

    async def _run(self) -> None:
        try:
            while self.streams:
                # What begins after the turn has ended sees how long we sleep, or rings.
                self._rung = False
                self.sleep_until(None)
                due = self.take_turn(self._now())
                if self._rung:
                    continue
                self.sleep_until(due)
                await self._sleeping.park_until(math.inf if due is None else due / 1e9)
        finally:
            self._running = False

    def _now(self) -> int:
        # To the microsecond: a deadline that was reached as a float is reached.
        return round(self._loop.now() * 1e6) * 1000


def way_of(sock: Socket) -> Any:
    """Return what a stream sends ``sock``'s datagrams over: its number, or what acts like one."""
    number = sock.fileno()
    return number if number >= 0 else _Way(sock)


class _Way:
    """What a stream asks of a socket."""

    def __init__(self, datagrams: Socket) -> None:
        self._datagrams = datagrams

    def dup(self) -> "_Way":
        return self

    def fileno(self) -> int:
        return -1

    def send(self, data: bytes, flags: int) -> None:
        if not self._datagrams.send(data):
            raise BlockingIOError

    def close(self) -> None:
        """Close nothing: it is the call's."""
