"""A server that does not open media, on real sockets and in memory: the same to its clients."""

from collections.abc import Callable

import trio

from voicekit.server import ServerConfig
from voicekit.trio import Listening, Network, connect

from .calls import (
    EARS,
    MOUTH,
    SILENCE,
    Packets,
    account,
    collect,
    in_memory,
    info,
    numbered,
    running_server,
    until,
)

PATIENCE = 20


def all_heard(heard: list[bytes]) -> bool:
    return len(heard) == 30


async def play_to_ears(
    listening: Listening, network: Network, done: Callable[[list[bytes]], bool] = all_heard
) -> list[bytes]:
    """Return what one client heard of the other, end-to-end encrypted."""
    heard: list[bytes] = []
    async with (
        connect(info(listening.url, EARS), network=network) as ears,
        connect(info(listening.url, MOUTH), network=network) as mouth,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(collect, ears.frames(), heard)
        await mouth.wait_encrypted()
        await ears.wait_encrypted()
        await mouth.play(Packets(numbered(25)))
        await until(lambda: done(heard))
        nursery.cancel_scope.cancel()
    return heard


def test_relayed_calls_are_heard_frame_by_frame() -> None:
    async def main() -> None:
        config = ServerConfig(media="relay", default_channel_id=200)
        with trio.fail_after(PATIENCE):
            async with running_server(config) as listening:
                heard = await play_to_ears(listening, Network())
                assert heard == numbered(25) + SILENCE
        talker = account(listening)
        assert (talker.media_received, talker.media_passed) == (30, 30)
        assert talker.packets_valid == talker.packets_sent == 0

    trio.run(main)


def test_relayed_calls_in_memory_are_the_same_without_a_thread() -> None:
    async def use(listening: Listening, network: Network) -> None:
        assert await play_to_ears(listening, network) == numbered(25) + SILENCE
        assert account(listening).media_passed == 30

    in_memory(use, ServerConfig(media="relay", default_channel_id=200))


def test_counted_calls_send_and_hear_nothing() -> None:
    async def main() -> None:
        config = ServerConfig(media="count", default_channel_id=200)
        with trio.fail_after(PATIENCE):
            async with running_server(config) as listening:

                def done(heard: list[bytes]) -> bool:
                    return account(listening).media_received == 30

                assert await play_to_ears(listening, Network(), done) == []
        assert account(listening).media_passed == 0

    trio.run(main)
