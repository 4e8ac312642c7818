"""A host on trio: its gateway is played by the loopback server's half of Discord."""

import math
from collections.abc import Callable
from typing import Any

import trio

from voicekit.registry_events import ChannelJoined, ChannelLeft, ChannelMoved
from voicekit.server.outputs import HostVoiceServer, HostVoiceState
from voicekit.testing import LoopbackServer

from .loading import load

trio_host = load("trio_host")

USER, GUILD, CHANNEL, OTHER_CHANNEL = 33, 1000, 2000, 2001
PACKETS = [b"\xfc" + n.to_bytes(4, "big") + bytes(75) for n in range(10)]


class MainGateway:
    """Answers op 4, and says what happens to the bot."""

    def __init__(self, server: LoopbackServer) -> None:
        self._server = server
        self._told = 0
        self._send, self.receive = trio.open_memory_channel[tuple[str, dict[str, Any]]](math.inf)

    def take_op4(self, data: dict[str, Any]) -> None:
        guild_id, channel_id = int(data["guild_id"]), data["channel_id"]

        def answer(core: Any, now: float) -> None:
            if channel_id is None:
                core.host.leave(guild_id, USER, now)
            else:
                core.host.join(guild_id, int(channel_id), USER, now)

        self.do(answer)

    def do(self, action: Any) -> None:
        self._server.call(action)
        events, self._told = self._server.events[self._told :], len(self._server.events)
        for event in events:
            if isinstance(event, HostVoiceState):
                self._send.send_nowait(("VOICE_STATE_UPDATE", event.data))
            elif isinstance(event, HostVoiceServer):
                self._send.send_nowait(("VOICE_SERVER_UPDATE", event.data))


class Packets:
    """Audio to play."""

    def __init__(self) -> None:
        self._packets = iter(PACKETS)

    def read(self) -> bytes | None:
        return next(self._packets, None)

    def close(self) -> None:
        pass


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await trio.sleep(0.01)


def test_a_call_is_joined_played_moved_and_left() -> None:
    async def main(server: LoopbackServer) -> list[Any]:
        gateway = MainGateway(server)

        async def in_call(voice: Any) -> None:
            await voice.play(Packets())
            gateway.do(lambda core, now: core.faults.move(OTHER_CHANNEL, now, user_id=USER))
            await until(lambda: host.registry.is_connected(GUILD, OTHER_CHANNEL))
            await voice.wait_ready()
            await voice.play(Packets())
            host.leave()
            await trio.sleep_forever()

        host = trio_host.Host(USER, gateway.take_op4, in_call)
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(host.run, gateway.receive.receive)
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
