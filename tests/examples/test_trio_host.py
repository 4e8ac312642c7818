"""A host on trio: its gateway is played by the loopback server's half of Discord."""

import math
from collections.abc import Callable
from typing import Any

import trio

from voicekit.registry_events import ChannelJoined, ChannelLeft, ChannelMoved
from voicekit.testing import LoopbackServer

from ..adapters.discord import Discord
from .loading import load

trio_host = load("trio_host")

USER, GUILD, CHANNEL, OTHER_CHANNEL = 33, 1000, 2000, 2001
PACKETS = [b"\xfc" + n.to_bytes(4, "big") + bytes(75) for n in range(10)]


class Packets:
    """Audio to play."""

    def __init__(self, times: int = 1) -> None:
        self._packets = iter(PACKETS * times)

    def read(self) -> bytes | None:
        return next(self._packets, None)

    def close(self) -> None:
        pass


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await trio.sleep(0.01)


def host_of(server: LoopbackServer, in_call: Callable[[Any], Any]) -> tuple[Any, Any, Discord]:
    """A host, what its gateway says next, and the half of Discord behind that."""
    send, receive = trio.open_memory_channel[tuple[str, dict[str, Any]]](math.inf)
    discord = Discord(server, USER, lambda name, data: send.send_nowait((name, data)))

    def take_op4(data: dict[str, Any]) -> None:
        channel_id = data["channel_id"]
        discord.take_op4(int(data["guild_id"]), channel_id and int(channel_id))

    return trio_host.Host(USER, take_op4, in_call), receive.receive, discord


def test_stopping_a_guild_stops_what_plays_and_stays_in_the_call() -> None:
    async def main(server: LoopbackServer) -> None:
        async def in_call(voice: Any) -> None:
            await voice.player.play(Packets(1000))
            await until(lambda: voice.player.elapsed > 0.05)
            host.registry.stop_guild(GUILD, trio.current_time())
            await voice.player.wait_for_stopped()
            assert host.registry.is_connected(GUILD, CHANNEL)
            assert host.registry.create(GUILD, CHANNEL, trio.current_time()) is voice
            host.registry.for_each(played.append)
            host.leave()
            await trio.sleep_forever()

        played: list[Any] = []
        host, next_event, _ = host_of(server, in_call)
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(host.run, next_event)
                host.join(GUILD, CHANNEL)
                await until(lambda: any(isinstance(e, ChannelLeft) for e in host.happened))
                nursery.cancel_scope.cancel()
        assert len(played) == 1

    with LoopbackServer() as server:
        trio.run(main, server)
        (session,) = server.stats()
    assert 2 < session.packets_valid < 500
    assert session.packets_bad == {}


def test_a_call_is_joined_played_moved_and_left() -> None:
    async def main(server: LoopbackServer) -> list[Any]:

        async def in_call(voice: Any) -> None:
            await voice.play(Packets())
            discord.do(lambda core, now: core.faults.move(OTHER_CHANNEL, now, user_id=USER))
            await until(lambda: host.registry.is_connected(GUILD, OTHER_CHANNEL))
            await voice.wait_ready()
            await voice.play(Packets())
            host.leave()
            await trio.sleep_forever()

        host, next_event, discord = host_of(server, in_call)
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(host.run, next_event)
                host.join(GUILD, CHANNEL)
                await until(lambda: any(isinstance(e, ChannelLeft) for e in host.happened))
                nursery.cancel_scope.cancel()
        return list(host.happened)

    with LoopbackServer() as server:
        happened = trio.run(main, server)
        sent = sum(session.packets_valid for session in server.stats())
        bad = [session.packets_bad for session in server.stats() if session.packets_bad]
    assert [type(event) for event in happened] == [ChannelJoined, ChannelMoved, ChannelLeft]
    assert (happened[1].old_channel_id, happened[1].channel_id) == (CHANNEL, OTHER_CHANNEL)
    assert sent == 2 * (len(PACKETS) + 5)
    assert bad == []
