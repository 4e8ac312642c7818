"""A pacer in the event loop, for datagrams that are no socket of the operating system.

No thread can send those, nor keep their time: a network in memory is for tests, on a clock
of their own. The turns, the streams and the policy are those of every pacer.
"""

import math
from typing import Any

import trio

from ..connection import VoiceConnection
from ..driver.reception import Socket
from ..pacer import LatePolicy, Notifier, Stream
from ..pacer._loop import PythonLoop

__all__ = ["LoopPacer", "loop_pacer", "way_of"]


class LoopPacer:
    """`voicekit.pacer.Pacer`, as far as `Voice.play` needs it."""

    def __init__(self) -> None:
        self._loop = _TrioLoop()

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
            self._loop,
            session,
            way,
            depth=depth,
            policy=policy,
            clock_offset=clock_offset,
            notifier=notifier,
            owner=owner,
        )
        self._loop.streams.add(stream)
        self._loop.start()
        return stream


class _TrioLoop(PythonLoop):
    def __init__(self) -> None:
        self.follow(_now)
        self.alarm = self._ring
        self._running = False
        self._rung = False
        self._sleep = trio.CancelScope()

    def start(self) -> None:
        if not self._running:
            self._running = True
            trio.lowlevel.spawn_system_task(self._run)

    def retire(self, stream: Stream) -> None:
        super().retire(stream)
        self._ring()

    def _ring(self) -> None:
        self._rung = True
        self._sleep.cancel()

    async def _run(self) -> None:
        try:
            while self.streams:
                # What begins after the turn has ended sees how long we sleep, or rings.
                self._rung = False
                self.sleep_until(None)
                due = self.take_turn(_now())
                if self._rung:
                    continue
                self.sleep_until(due)
                until = math.inf if due is None else due / 1e9
                with trio.CancelScope(deadline=until) as self._sleep:
                    await trio.sleep_forever()
        finally:
            self._running = False


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


def _now() -> int:
    # To the microsecond: a deadline that was reached as a float is reached.
    return round(trio.current_time() * 1e6) * 1000


_loop_pacer: trio.lowlevel.RunVar[LoopPacer] = trio.lowlevel.RunVar("voicekit.trio.loop_pacer")


def loop_pacer() -> LoopPacer:
    """Return the one of this trio run."""
    try:
        return _loop_pacer.get()
    except LookupError:
        made = LoopPacer()
        _loop_pacer.set(made)
        return made
