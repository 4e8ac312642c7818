"""Many live calls in one process, as a program of `voicekit.trio` has them.

Arguments: ``url`` of the server, ``duplex``. Commands: ``grow`` with ``calls``: join so many;
``measure`` with ``seconds``: one join and one leave a second meanwhile. The end of stdin ends it.
"""

import gc
import json
import os
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import trio

from voicekit.pacer import Pacer, Stream
from voicekit.server_info import VoiceServerInfo
from voicekit.trio import FrameStream, Voice, connect

from .memory import resident
from .process import pin, say
from .senders import PAYLOAD
from .voice_server import CHANNEL_ID

#: Joins under way at once while the number grows: each takes a few milliseconds here and there.
JOINING = 8
#: Of joining, until the group has taken a call in: nothing takes so long that works (seconds).
PATIENCE = 30.0
#: Calls begin to play so many seconds apart, which is what a core can do besides sending for those
#: that play; and have played so long when it is measured.
STAGGER, SETTLE = 0.003, 1.0
#: What is ready in the pacer for each call, in seconds. With thousands of calls a collection of
#: garbage or a member that joins holds up the event loop for longer than usual.
RING = 0.2
#: How often what was heard is taken out of all queues, in seconds.
LISTEN = 0.5


class Endless:
    """A source of 20 ms frames that is never out of them."""

    blocking = False

    def read(self) -> bytes:
        """Return the next frame."""
        return PAYLOAD


class RecordingPacer(Pacer):
    """Remembers every stream, whose first deadline and SSRC the receiver has to know."""

    def __init__(self) -> None:
        super().__init__()
        self._streams: list[tuple[int, Stream]] = []

    def add(self, session: Any, *args: Any, **keywords: Any) -> Stream:
        """Send for a session."""
        stream = super().add(session, *args, **keywords)
        self._streams.append((session.ssrc, stream))
        return stream

    def deadlines(self) -> dict[int, tuple[None, int]]:
        """Return what `arrivals.lateness` wants to know."""
        found = {ssrc: stream.first_deadline for ssrc, stream in self._streams}
        return {ssrc: (None, when) for ssrc, when in found.items() if when is not None}


@dataclass(eq=False)
class Call:
    """One call, while it lasts."""

    slot: int  # of two that are in one channel
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    playing: trio.CancelScope = field(default_factory=trio.CancelScope)
    joined: trio.Event = field(default_factory=trio.Event)
    left: trio.Event = field(default_factory=trio.Event)
    voice: Voice | None = None
    heard: FrameStream | None = None


class Load:
    """All calls of the process."""

    def __init__(self, nursery: trio.Nursery, url: str, *, duplex: bool) -> None:
        self.pacer = RecordingPacer()
        self.calls: deque[Call] = deque()  # oldest first
        self.frames_heard = 0
        self.failures = 0
        self._nursery = nursery
        self._url = url
        self.is_duplex = duplex
        self._users = 0
        self._play = trio.Event()

    async def grow(self, count: int) -> None:
        """Join until there are ``count`` calls, all of them in their group, and nobody plays."""
        self._play = trio.Event()
        for call in self.calls:
            call.playing.cancel()
        limit = trio.CapacityLimiter(JOINING)

        async def join_one(call: Call) -> None:
            async with limit:
                self._nursery.start_soon(self._run, call)
                with trio.fail_after(PATIENCE):
                    await call.joined.wait()

        async with trio.open_nursery() as nursery:
            for slot in range(len(self.calls), count):
                call = Call(slot)
                self.calls.append(call)
                nursery.start_soon(join_one, call)

    async def play(self) -> None:
        """Let all play, one after the other."""
        play, self._play = self._play, trio.Event()
        self._play.set()
        play.set()
        await trio.sleep(STAGGER * len(self.calls) + SETTLE)

    async def leave(self) -> None:
        """Leave all calls."""
        while self.calls:
            call = self.calls.popleft()
            call.scope.cancel()
            await call.left.wait()

    async def churn(self) -> None:
        """Each second the oldest call leaves and another one takes its place."""
        while True:
            await trio.sleep(1)
            oldest = self.calls.popleft()
            oldest.scope.cancel()
            call = Call(oldest.slot)
            self.calls.append(call)
            self._nursery.start_soon(self._run, call)

    async def listen(self) -> None:
        """Take what was heard, now and then, as a recorder does."""
        while True:
            await trio.sleep(LISTEN)
            self.take_heard()

    def take_heard(self) -> None:
        """Empty the queues of all calls."""
        for call in self.calls:
            if call.heard is not None:
                self.frames_heard += len(call.heard.take())

    async def _wait_to_play(self, call: Call) -> None:
        if not self._play.is_set():
            await self._play.wait()
            await trio.sleep(STAGGER * call.slot)

    async def _run(self, call: Call) -> None:
        self._users += 1
        user_id = self._users
        info = VoiceServerInfo(
            endpoint=self._url,
            server_id=1 + call.slot // 2,
            channel_id=CHANNEL_ID,
            user_id=user_id,
            session_id=f"session-{user_id}",
            token="token",
        )
        try:
            with call.scope:
                async with connect(info, pacer=self.pacer) as voice:
                    call.voice = voice
                    if self.is_duplex:
                        call.heard = voice.frames()
                    # The first of two is alone in its channel until the other one comes.
                    if call.slot % 2:
                        await voice.wait_encrypted()
                    call.joined.set()
                    while True:
                        await self._wait_to_play(call)
                        with trio.CancelScope() as call.playing:
                            await voice.play(Endless(), ring=RING)
        except Exception:
            if not call.scope.cancel_called:
                self.failures += 1
                raise
        finally:
            call.left.set()


async def main(arguments: dict[str, Any]) -> None:
    """Do what stdin says, until it ends."""
    async with trio.open_nursery() as nursery:
        load = Load(nursery, arguments["url"], duplex=arguments["duplex"])
        # Two calls come and go: what is loaded and kept with the first is no part of each.
        await load.grow(2)
        await load.play()
        await load.leave()
        gc.collect()
        before = resident()
        say({"pid": os.getpid()})
        async for line in trio.wrap_file(sys.stdin):
            command = json.loads(line)
            if command["command"] == "grow":
                began = time.monotonic()
                await load.grow(command["calls"])
                took = time.monotonic() - began
                # A full collection looks at every object: a third of a millisecond per call,
                # for which nothing else runs. What is frozen, it leaves alone.
                gc.collect()
                gc.disable()
                await load.play()
                gc.freeze()
                gc.enable()
                calls = len(load.calls)
                say(
                    {
                        "calls": calls,
                        "encrypted": sum(_is_encrypted(call) for call in load.calls),
                        "bytes_per_call": (resident() - before) / calls,
                        "seconds": took,
                    }
                )
            elif command["command"] == "measure":
                say(await _measure(load, command["seconds"]))
        nursery.cancel_scope.cancel()


async def _measure(load: Load, seconds: float) -> dict[str, Any]:
    load.take_heard()
    load.frames_heard = 0
    stats = load.pacer.stats()
    cpu, begin = time.process_time(), time.monotonic_ns()
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(load.churn)
            nursery.start_soon(load.listen)
    end = time.monotonic_ns()
    cpu = time.process_time() - cpu
    load.take_heard()
    after = load.pacer.stats()
    took = (end - begin) / 1e9
    return {
        "calls": len(load.calls),
        "duplex": load.is_duplex,
        "window": [begin, end],
        "deadlines": load.pacer.deadlines(),
        "cpu": cpu / took,
        "pacer_cpu": (after.cpu_seconds - stats.cpu_seconds) / took,
        "sent_per_second": (after.frames - stats.frames) / took,
        "heard_per_second": load.frames_heard / took,
        "underruns": after.underruns - stats.underruns,
        "rebases": after.rebases - stats.rebases,
        "unsent": after.unsent - stats.unsent,
        "withheld": after.withheld - stats.withheld,
        "failures": load.failures,
    }


def _is_encrypted(call: Call) -> bool:
    return call.voice is not None and call.voice.connection.is_encrypted


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    pin(given["core"])
    trio.run(main, given)
