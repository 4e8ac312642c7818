"""A server that is cancelled while clients are connected."""

import trio
from trio.testing import MockClock

from voicekit.trio import connect

from .calls import info, running_server
from .memory_network import MemoryNetwork


def test_a_cancelled_server_closes_its_clients_properly() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        async with trio.open_nursery() as nursery:
            async with running_server(network=network) as listening:
                voice = await nursery.start(_hold, listening.url, network)
            assert listening.server.stats()[0].close_code == 1001
            assert voice.stats().reconnects or not voice.connection.is_closed
            nursery.cancel_scope.cancel()
        assert not network.open

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def _hold(url: str, network: MemoryNetwork, task_status: trio.TaskStatus[object]) -> None:
    async with connect(info(url), network=network) as voice:
        task_status.started(voice)
        await trio.sleep_forever()
