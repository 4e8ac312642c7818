"""What tests of whole calls share: a running server, clients, numbered packets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from voicekit.codes import SILENCE_FRAME
from voicekit.server import ServerConfig, SessionStats
from voicekit.server_info import VoiceServerInfo
from voicekit.trio import FrameStream, Listening, serve

from .memory_network import MemoryNetwork

GUILD, CHANNEL = 100, 200
MOUTH, EARS = 1001, 1002
#: What ends a talk spurt.
SILENCE = [SILENCE_FRAME] * 5


def info(
    endpoint: str, user_id: int = MOUTH, token: str = "token", *, guild: int = GUILD
) -> VoiceServerInfo:
    return VoiceServerInfo(
        endpoint=endpoint,
        server_id=guild,
        channel_id=CHANNEL,
        user_id=user_id,
        session_id=f"session-{user_id}",
        token=token,
    )


def numbered(count: int) -> list[bytes]:
    """Opus packets of 20 ms (TOC: CELT, full band, one frame), each different."""
    return [b"\xf8" + number.to_bytes(4, "big") * 20 for number in range(count)]


class Packets:
    """A source that never blocks: what is left of a list."""

    blocking = False

    def __init__(self, packets: list[bytes]) -> None:
        self._packets = iter(packets)

    def read(self) -> bytes | None:
        return next(self._packets, None)


@asynccontextmanager
async def running_server(
    config: ServerConfig | None = None, **keywords: Any
) -> AsyncIterator[Listening]:
    async with trio.open_nursery() as nursery:
        yield await nursery.start(partial(serve, config, **keywords))
        nursery.cancel_scope.cancel()


def in_memory(
    use: Callable[[Listening, MemoryNetwork], Awaitable[None]],
    config: ServerConfig | None = None,
    *,
    clock: MockClock | None = None,
    **keywords: Any,
) -> None:
    """Run ``use`` beside a server, all in memory on a mock clock; nothing may stay open."""

    async def main() -> None:
        network = MemoryNetwork()
        async with running_server(config, network=network, **keywords) as listening:
            await wait_all_tasks_blocked()
            quiet = len(network.open)
            tasks = trio.lowlevel.current_statistics().tasks_living
            await use(listening, network)
            await trio.sleep(2)  # the server's half of what was closed
            assert len(network.open) == quiet
            assert trio.lowlevel.current_statistics().tasks_living == tasks
        assert not network.open

    trio.run(main, clock=clock or MockClock(autojump_threshold=0))


async def collect(frames: FrameStream, into: list[bytes]) -> None:
    """Add the Opus packets of ``frames`` to a list until the call is left."""
    async for frame in frames:
        into.append(frame.opus)


def account(listening: Listening, user_id: int = MOUTH) -> SessionStats:
    """Return what the server says of the last session of a user."""
    return [stats for stats in listening.server.stats() if stats.user_id == user_id][-1]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that tells nobody when it happens."""
    while not condition():  # noqa: ASYNC110
        await trio.sleep(0.01)
